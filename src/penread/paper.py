"""Ink from paper: a picture becomes a map of ink, whatever the paper, the pen, the light and the camera were.

The level of the paper is estimated at every place, so that shadows and uneven light go away; ink is what takes light
away from it, of whatever colour. ``character`` goes on to one character: without the box it was written in, the lines
of the paper, specks, and bits of its neighbours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    #: How much of each pixel is ink: float32 (H, W), 0 for paper to 1.
    InkMap = NDArray[np.float32]
    _Mask = NDArray[np.uint8]

# Ink must differ from paper by this much, of 255; JPEG noise and the grain of paper differ by less.
_MIN_CONTRAST = 32
# Paper is looked for on pictures of this size at most: light changes slowly.
_PAPER_PX = 256
# As a part of the longer side: a character's widest stroke, and a page's. What is wider both ways is a shadow.
_CHARACTER_STROKE = 0.45
_PAGE_STROKE = 0.1
# The part of a picture's variance that lies between two levels, where it has two.
_TWO_LEVELS = 0.85
# So many standard deviations of the paper's grain are no ink yet.
_GRAINS = 8
# Paper whose levels differ by less needs no second look.
_EVEN_LIGHT = 12
_LARGEST_DISC_PX = 35
# Shadows leave this part of the light at least.
_DEEPEST_SHADOW = 0.25
# Paper that is darker than this would make noise as strong as ink.
_DARKEST_PAPER = 64
# What counts as ink: half of its full contrast; less for the printed lines of the paper, which are often faint.
_HALF, _RULE_INK = 0.5, 0.25
# A sheet on another ground is looked for on pictures of this size; the part of the picture that it has at least.
_SHEET_PX = 128
_LEAST_SHEET = 0.03
# What is written on a card, or in a box, is at least this high, of the card's height; else the card is the ink. On a
# large sheet so many pixels will do.
_LEAST_HEIGHT, _WRITING_PX = 0.25, 24


def page(picture: NDArray[np.uint8]) -> InkMap | None:
    """Tells ink from paper on a page of text.

    Args:
        picture: uint8 (H, W), or RGB, (H, W, 3).

    Returns:
        The ink, without the lines of ruled or squared paper; None where there is none.
    """
    ink = _ink_on_sheet(picture, _PAGE_STROKE)
    return None if ink is None else _without_edges(_without_rules(_without_boxes(ink), span=0.4))


def character(picture: NDArray[np.uint8]) -> InkMap | None:
    """Tells ink from paper on a picture of one character.

    Args:
        picture: uint8 (H, W), or RGB, (H, W, 3).

    Returns:
        The ink of the character; None where there is none.
    """
    ink = _ink_on_sheet(picture, _CHARACTER_STROKE)
    return None if ink is None else _isolated(_without_edges(_without_rules(_without_boxes(ink), span=0.95)))


def _ink_on_sheet(picture: NDArray[np.uint8], widest_stroke: float) -> InkMap | None:
    """Tells ink from paper on the sheet or card that lies on another ground, if there is one with anything on it."""
    import cv2  # noqa: PLC0415 - a tenth of a second that strokes don't have to wait for

    picture = _in_one_channel(picture)
    sheet = _sheet(picture)
    if sheet is not None:
        # What is around takes the colour of the sheet's edge next to it.
        small = cv2.medianBlur(_shrunk(picture, _SHEET_PX), 5)
        _, nearest = cv2.distanceTransformWithLabels(
            (~sheet).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        colours = np.zeros((int(nearest.max()) + 1, *small.shape[2:]), np.uint8)
        colours[nearest[sheet]] = small[sheet]
        size = (picture.shape[1], picture.shape[0])
        around = cv2.resize(colours[nearest], size, interpolation=cv2.INTER_LINEAR)
        inside = cv2.resize(sheet.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        filled = np.where(inside if picture.ndim == 2 else inside[:, :, None], picture, around).astype(np.uint8)
        ink = _ink(filled, widest_stroke)
        # The sheet's own edge is no ink.
        core = cv2.erode(sheet.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0)
        if ink is not None:
            ink *= cv2.resize(core, size, interpolation=cv2.INTER_NEAREST)
            height = int(np.ptp(np.flatnonzero(sheet.any(axis=1)))) / len(sheet) * len(ink)
            if _height(ink) >= min(_LEAST_HEIGHT * height, _WRITING_PX):
                return ink
    return _ink(picture, widest_stroke)


def _sheet(picture: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    """Finds a sheet of paper with another ground all around: a mask on the picture shrunk to ``_SHEET_PX``."""
    import cv2  # noqa: PLC0415 - as above

    if max(picture.shape[:2]) < _SHEET_PX // 2:
        return None
    small = _shrunk(picture, _SHEET_PX)
    without_strokes = cv2.medianBlur(small, int(max(small.shape[:2]) / 8) | 1)
    levels = without_strokes.reshape(*small.shape[:2], -1).astype(np.float32)
    channel = int(levels.reshape(-1, levels.shape[2]).var(axis=0).argmax())
    clearest = levels[:, :, channel]
    if np.ptp(clearest) < _MIN_CONTRAST:
        return None
    threshold = _otsu(clearest)
    light = clearest > threshold
    # What the strokes are, before they are taken away: around a sheet there is none.
    as_it_is = small.reshape(levels.shape)[:, :, channel]
    for region in (light, ~light):
        outlines, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if not outlines:
            continue
        hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
        area, (_, (width, height), _) = cv2.contourArea(hull), cv2.minAreaRect(hull)
        mask = cv2.fillConvexPoly(np.zeros(region.shape, np.uint8), hull.astype(np.int32), 1).astype(bool)
        beside = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        if (
            area < _LEAST_SHEET * mask.size
            or area < 0.85 * width * height
            or beside.mean() >= 0.1
            or region[mask].mean() < 0.75
        ):
            continue
        ground = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
        of_sheet = (as_it_is > threshold) == (region is light)
        if (of_sheet & ground).sum() <= 0.01 * mask.sum():
            return mask
    return None


def _in_one_channel(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leaves out two of the channels of a picture without colour."""
    if (
        picture.ndim == 3
        and (picture[:, :, 0] == picture[:, :, 1]).all()
        and (picture[:, :, 0] == picture[:, :, 2]).all()
    ):
        return np.ascontiguousarray(picture[:, :, 0])
    return picture


def _ink(picture: NDArray[np.uint8], widest_stroke: float) -> InkMap | None:
    picture = _dark_on_light(_in_one_channel(picture))
    paper = _paper(picture, widest_stroke)
    ink = _darker(picture, paper)
    if ink is None or int(paper.max()) - int(paper.min()) < _EVEN_LIGHT:
        return ink
    # Once the pen is known, shadows can be followed up to their edge.
    pen = stroke_width(ink) / max(ink.shape)
    return _darker(picture, _paper(picture, 4 * pen)) if 4 * pen < widest_stroke else ink


def _darker(picture: NDArray[np.uint8], paper: NDArray[np.uint8]) -> InkMap | None:
    """Compares a picture with its paper; None where they are the same."""
    import cv2  # noqa: PLC0415 - as above

    # Ink takes a part of the light away, as much in the shadow as in the sun.
    of_paper = paper[:1, :1] if _is_even(paper) else paper
    light = np.float32(255) / np.maximum(of_paper, _DARKEST_PAPER).astype(np.float32)
    darker = cv2.subtract(paper, picture).astype(np.float32)
    darker *= light
    contrast = darker
    if darker.ndim == 3:
        darker *= darker
        # The root of the mean, one channel after the other: NumPy takes long over axes as short as this.
        contrast = np.sqrt((darker[:, :, 0] + darker[:, :, 1] + darker[:, :, 2]) / np.float32(3))
    threshold = max(_otsu(contrast), _MIN_CONTRAST / 2)
    # A sample will do. The lower part of its levels is paper, however much ink there is.
    smooth = cv2.blur(contrast, (3, 3))
    sample = np.sort(smooth[:: 1 + len(smooth) // 128, :: 1 + smooth.shape[1] // 128], axis=None)
    low, middle = np.percentile(sample, [2, 15])
    # In a normal distribution these are 1.02 standard deviations apart; the grain of paper alone goes this far.
    grain = _GRAINS * float(middle - low) / 1.02
    # The paper was taken for as light as its lightest grain.
    paper_at = np.median(sample[sample <= threshold]) if (sample <= threshold).any() else 0.0
    contrast -= paper_at
    inked = contrast[contrast > threshold]
    if inked.size == 0 or contrast.max() < _MIN_CONTRAST or float(smooth.max() - paper_at) < grain:
        return None
    # Large arrays take longer to make than to fill: the rest is done in place.
    contrast /= np.percentile(inked, 90)
    return np.clip(contrast, 0, 1, out=contrast)


def _dark_on_light(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Inverts the channels in which ink is lighter than paper."""
    import cv2  # noqa: PLC0415 - as above

    small = _shrunk(picture, _PAPER_PX // 4)
    # Without uneven light.
    around = cv2.medianBlur(small, int(max(small.shape[:2]) * 0.6) | 1)
    levels = (small.astype(np.float32) - around).reshape(*small.shape[:2], -1)
    # Red ink on green paper is lighter in one channel and darker in another; the clearest is judged, the others follow.
    flat = levels.reshape(-1, levels.shape[2])
    clearest = int(flat.var(axis=0).argmax())
    against = (flat * flat[:, clearest : clearest + 1]).mean(axis=0) < 0
    inverted = against ^ _paper_is_dark(small.reshape(levels.shape)[:, :, clearest], levels[:, :, clearest])
    if not inverted.any():
        return picture
    if picture.ndim == 2:
        return ~picture
    return np.asarray(picture ^ np.where(inverted, 255, 0).astype(np.uint8))


def _paper_is_dark(levels: NDArray[np.uint8], above_paper: NDArray[np.float32]) -> bool:
    """Tells light ink on dark paper from dark on light.

    Args:
        levels: A picture, (H, W).
        above_paper: The same without uneven light; useless where ink is as wide as paper.
    """
    # A scanner leaves a dark edge now and then: a little further in it must be the same.
    inset = 1 + max(levels.shape) // 20
    rings: list[NDArray[np.bool_]] = []
    for depth in (0, inset):
        height, width = levels.shape
        ring = np.zeros((height, width), bool)
        ring[depth : height - depth, depth : width - depth] = True
        ring[depth + 1 : height - depth - 1, depth + 1 : width - depth - 1] = False
        if ring.any():
            rings.append(ring)
    as_it_is = levels.astype(np.float32)
    dark = as_it_is <= _otsu(as_it_is)
    # Two levels, ink and paper, and little between: the light is even.
    share = float(dark.mean())
    gap = float(as_it_is[~dark].mean() - as_it_is[dark].mean()) if 0 < share < 1 else 0.0
    even = share * (1 - share) * gap**2 > _TWO_LEVELS * float(as_it_is.var())
    uneven = float(np.ptp(above_paper)) >= _MIN_CONTRAST
    for judged, trusted in ((dark, even), (above_paper <= _otsu(above_paper), uneven)):
        # The border is paper, unless the picture is cut so close that ink is on it too.
        shares = [float(judged[ring].mean()) for ring in rings]
        # Where the two are opposites, the outer is such an edge.
        share_of_ring = shares[0] if (shares[0] > 0.5) == (shares[-1] > 0.5) else shares[-1]
        if trusted and not 0.05 <= share_of_ring <= 0.95:
            return share_of_ring > 0.5
    # Then most of the picture is paper, and in doubt paper is light.
    return share > 0.65


def _paper(picture: NDArray[np.uint8], widest_stroke: float) -> NDArray[np.uint8]:
    """Estimates the level of the paper at every place: the picture with its dark strokes closed."""
    import cv2  # noqa: PLC0415 - as above

    small = _shrunk(picture, _PAPER_PX)
    side = max(small.shape[:2])
    reach = max(int(side * widest_stroke), 3) | 1
    grainless = cv2.medianBlur(small, 3) if side > 2 * 5 else small
    # Discs follow the edge of a shadow however it runs; large ones take long.
    shape = cv2.MORPH_ELLIPSE if reach <= _LARGEST_DISC_PX else cv2.MORPH_RECT
    pen = cv2.getStructuringElement(shape, (reach, reach))
    lightest = np.asarray(cv2.dilate(grainless, pen), np.uint8)
    if _is_even(lightest):
        return np.full_like(picture, lightest[0, 0])
    closed = cv2.erode(lightest, pen)
    smooth = cv2.blur(closed, (reach // 4 | 1, reach // 4 | 1), borderType=cv2.BORDER_REPLICATE)
    # Nothing is so deep in the shadow: a large patch that is darker is ink.
    shadow = (_DEEPEST_SHADOW * smooth.max(axis=0).max(axis=0)).astype(np.uint8)
    lit = np.maximum(smooth, np.full_like(smooth[0], shadow))
    return np.asarray(cv2.resize(lit, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _is_even(picture: NDArray[np.uint8]) -> bool:
    return bool((picture[0] == picture[0, 0]).all() and (picture == picture[0]).all())


def _shrunk(picture: NDArray[np.uint8], longest_px: int) -> NDArray[np.uint8]:
    import cv2  # noqa: PLC0415 - as above

    scale = longest_px / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(round(side * scale), 1) for side in picture.shape[1::-1]]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _otsu(levels: NDArray[np.float32]) -> float:
    """Finds the threshold that parts levels in two most evenly (Otsu 1979)."""
    import cv2  # noqa: PLC0415 - as above

    low, high = float(levels.min()), float(levels.max())
    if high <= low:
        return low
    scaled = levels - low
    scaled *= 255 / (high - low)
    threshold, _ = cv2.threshold(scaled.astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    # All that was rounded down to the threshold is below it.
    return low + (threshold + 0.999) * (high - low) / 255


def _without_rules(ink: InkMap, span: float) -> InkMap:
    """Takes away thin straight lines across the picture, fainter or thinner than the writing.

    Args:
        ink: The map.
        span: The part of the picture's width or height that a line must cross.
    """
    import cv2  # noqa: PLC0415 - as above

    _, _, *extents = cv2.boundingRect((ink > _RULE_INK).view(np.uint8))
    for axis, length in enumerate(ink.shape[::-1]):
        # No line is longer than all the ink together, and a run that joins it.
        if extents[axis] + _run(length) < span * length:
            continue
        # Lines down the picture are lines across the turned picture.
        turned = ink if axis == 0 else np.ascontiguousarray(ink.T)
        rules = _rules(turned, span)
        if rules is not None:
            turned = np.where(rules, np.float32(0), turned)
            ink = turned if axis == 0 else np.ascontiguousarray(turned.T)
    return ink


def _run(width: int) -> int:
    """Gives the length of the runs of ink that lines are made of, and the longest gap between them, in pixels."""
    return max(width // 24, 8)


def _rules(ink: InkMap, span: float) -> NDArray[np.bool_] | None:
    """Finds lines that run across the picture: a mask of them, without the strokes that cross them."""
    import cv2  # noqa: PLC0415 - as above

    width = ink.shape[1]
    mask = (ink > _RULE_INK).view(np.uint8)
    run = _run(width)
    runs = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    if np.count_nonzero(runs.any(axis=0)) < 0.6 * span * width:
        return None
    # The runs of a line that isn't quite level lie one beside the other.
    joined = cv2.dilate(runs, np.ones((3, run), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    long = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_WIDTH] >= span * width)
    if not len(long):
        return None
    rest = _stroke(np.where(joined > 0, np.float32(0), ink))
    if rest is None:
        return None
    rules = np.zeros(mask.shape, bool)
    for label in long:
        left, top, across, down, _ = (int(number) for number in stats[label])
        area = slice(top, top + down), slice(left, left + across)
        own_rows, own_columns = np.nonzero((labels[area] == label) & (runs[area] > 0))
        if len(np.unique(own_columns)) >= 0.6 * across:
            _add_rule(rules, ink, mask, own_rows + top, own_columns + left, rest)
    return rules if rules.any() else None


def _add_rule(
    rules: NDArray[np.bool_],
    ink: InkMap,
    mask: _Mask,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    rest: tuple[float, float],
) -> None:
    """Adds a line to a mask where nothing crosses it.

    Args:
        rules: The mask.
        ink: The map.
        mask: Where there is ink at all, 0 or 1.
        rows: Of pixels that are on the line, with strokes that lie along it.
        columns: Of the same.
        rest: Width of the strokes of all else, and their level.
    """
    # Paper may be curled: the line is a smooth curve, and what is far from it is no part of it.
    for _ in range(3):
        curve = np.polynomial.Polynomial.fit(columns, rows, min(3, len(np.unique(columns)) - 1))
        off = np.abs(rows - curve(columns))
        near = off <= max(1.5, 1.5 * float(np.median(off)))
        rows, columns = rows[near], columns[near]
    at = np.arange(columns.min(), columns.max() + 1)
    middle = np.clip(np.round(curve(at)).astype(np.int64), 0, len(mask) - 1)
    # The length of the vertical run of ink through the line, as far as it matters.
    most = int(np.ceil(rest[0])) + 4
    reach = np.arange(-most, most + 1)
    places = np.clip(middle + reach[:, None], 0, len(mask) - 1)
    inked = mask[places, at].astype(bool)
    # The middle may be beside the line by a pixel.
    above, below = np.logical_and.accumulate(inked[most - 1 :: -1]), np.logical_and.accumulate(inked[most + 1 :])
    length = inked[most] + above.sum(axis=0) + below.sum(axis=0)
    there = inked[most - 1 : most + 2].any(axis=0)
    thickness = float(np.median(length[there])) if there.any() else 0.0
    level = float(np.median(ink[middle, at][there])) if there.any() else 0.0
    if there.mean() < 0.5 or (thickness > 0.65 * rest[0] and level > 0.75 * rest[1]):
        return
    alone = length <= thickness + 2
    own = np.abs(reach)[:, None] <= thickness / 2 + 2
    here = own & alone
    rules[places[here], np.broadcast_to(at, places.shape)[here]] = True


def _stroke(ink: InkMap) -> tuple[float, float] | None:
    """Measures the mean width of strokes, in pixels, and their median level; None where there is no ink."""
    inked = ink[ink > _RULE_INK]
    if inked.size < 4:
        return None
    level = float(np.median(inked))
    return stroke_width(np.minimum(ink / level, np.float32(1))), level


def stroke_width(ink: InkMap) -> float:
    """Measures the mean width of strokes: twice their area by the length of their edges.

    Args:
        ink: The map; how soft its edges are makes no difference.

    Returns:
        The width in pixels; 0 where there is no ink.
    """
    # Without the grain of paper and ink, which would count as edges.
    clean = np.clip(2 * ink - np.float32(0.5), 0, 1)
    edges = _outline(clean)
    return 2 * float(clean.sum()) / edges if edges else 0.0


def _without_boxes(ink: InkMap) -> InkMap:
    """Takes away printed boxes and combs of boxes that something is written in, and empty ones of the same height.

    A box with nothing in it, by itself, may be a character.
    """
    import cv2  # noqa: PLC0415 - as above

    _, labels, stats = _components(ink)
    shorter = stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].min(axis=1)
    areas = stats[:, cv2.CC_STAT_WIDTH].astype(np.int64) * stats[:, cv2.CC_STAT_HEIGHT]
    maybe = (shorter >= 16) & (stats[:, cv2.CC_STAT_AREA] <= 0.5 * areas)
    # Squared paper is no box.
    maybe &= stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) < 0.98 * max(ink.shape)
    maybe[0] = False
    empty: list[tuple[int, tuple[slice, slice], InkMap]] = []
    heights = []
    # Boxes within boxes within boxes are no form: all together they have no more area than some pages.
    left_to_see = 4 * ink.size
    for label in np.flatnonzero(maybe)[np.argsort(-areas[maybe])]:
        left, top, across, down, _ = (int(number) for number in stats[label])
        left_to_see -= across * down
        if left_to_see < 0:
            break
        area = slice(top, top + down), slice(left, left + across)
        own = (labels[area] == label).astype(np.uint8)
        band = max(2, round(0.08 * min(across, down)))
        frame = _frame(own, band)
        if frame is None:
            continue
        inside = np.where(cv2.dilate(frame, np.ones((3, 3), np.uint8)) > 0, np.float32(0), ink[area])
        if _height(inside[band:-band, band:-band]) < _LEAST_HEIGHT * down:
            empty.append((down, area, inside))
        else:
            ink[area] = inside
            heights.append(down)
    for down, area, inside in empty:
        if any(abs(down - height) <= 0.2 * height for height in heights):
            ink[area] = np.minimum(ink[area], inside)
    return ink


def _frame(own: _Mask, band: int) -> _Mask | None:
    """Finds the straight walls of a box or a comb of boxes; None where it is none.

    Args:
        own: A connected component, 0 or 1, cut to its box.
        band: How far from its outline a wall may be.
    """
    import cv2  # noqa: PLC0415 - as above

    sides = (own[:band].any(axis=0), own[-band:].any(axis=0), own[:, :band].any(axis=1), own[:, -band:].any(axis=1))
    if min(float(side.mean()) for side in sides) < 0.9:
        return None
    length = round(0.85 * min(own.shape))
    frame: _Mask = cv2.max(
        cv2.morphologyEx(own, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)),
        cv2.morphologyEx(own, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8)),
    ).astype(np.uint8, copy=False)
    for wall in (np.s_[:band], np.s_[-band:], np.s_[:, :band], np.s_[:, -band:]):
        frame[wall] |= own[wall]
    return frame


def _components(ink: InkMap) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """Finds the connected components of ink, in less time than OpenCV alone where there is little of it.

    Returns:
        The count of labels; the label of each pixel, (H, W), 0 for paper; and left, top, width, height and area of each
        label, (count, 5), of which those of paper mean nothing.
    """
    import cv2  # noqa: PLC0415 - as above

    mask = (ink > _HALF).view(np.uint8)
    left, top, across, down = cv2.boundingRect(mask)
    # OpenCV numbers components by blocks of 2x2 pixels: from an even corner on, the numbers stay the same.
    corner_x, corner_y = left & ~1, top & ~1
    inked = np.s_[corner_y : max(top + down, 1), corner_x : max(left + across, 1)]
    labels = np.zeros(mask.shape, np.int32)
    # Labels take a tenth of the time that the numbers about them take.
    count, labels[inked] = cv2.connectedComponents(mask[inked], connectivity=8)
    if count <= 2:
        stats = np.array([[0] * 5, [left, top, across, down, cv2.countNonZero(mask)]], np.int32)[:count]
    else:
        stats = np.asarray(cv2.connectedComponentsWithStats(mask[inked], connectivity=8)[2], np.int32)
        stats[:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP]] += np.array([corner_x, corner_y], np.int32)
    return count, labels, stats


def _height(ink: InkMap) -> int:
    rows = np.flatnonzero((ink > _HALF).any(axis=1))
    return int(np.ptp(rows)) + 1 if len(rows) else 0


def _without_edges(ink: InkMap) -> InkMap:
    """Takes away what runs along the edge of the picture: the edge of the sheet, the shadow of a scanner's lid."""
    import cv2  # noqa: PLC0415 - as above

    height, width = ink.shape
    if max(float(side.max()) for side in (ink[:2], ink[-2:], ink[:, :2], ink[:, -2:])) <= _HALF:
        return ink
    count, labels, stats = _components(ink)
    if count <= 2:
        return ink
    left, top, across, down, _ = stats[1:].T
    at_side = (left <= 1) | (left + across >= width - 1)
    at_end = (top <= 1) | (top + down >= height - 1)
    along = (at_side & (down > 0.5 * height) & (across < 0.08 * width)) | (
        at_end & (across > 0.5 * width) & (down < 0.08 * height)
    )
    if not along.any() or along.all():
        return ink
    gone = np.concatenate([[False], along])[labels].astype(np.uint8)
    return np.where(cv2.dilate(gone, np.ones((5, 5), np.uint8)) > 0, np.float32(0), ink)


def _isolated(ink: InkMap) -> InkMap:
    """Keeps one character: takes away specks, and bits that reach in from the edge of the picture."""
    import cv2  # noqa: PLC0415 - as above

    count, labels, stats = _components(ink)
    if count <= 2:
        return ink
    height, width = ink.shape
    lefts, tops, across, down, areas = (stats[1:, column].astype(np.float64) for column in range(5))
    rights, bottoms = lefts + across, tops + down
    at_edge = (lefts <= 0) | (tops <= 0) | (rights >= width) | (bottoms >= height)
    # The character is the largest component that is whole, and what belongs to it.
    main = int(np.argmax(areas * np.where(at_edge, 0.5, 1.0)))
    pen = 2 * areas[main] / max(_outline((labels == main + 1).astype(np.float32)), 1.0)
    kept = areas >= 0.3 * pen**2
    far = np.maximum.reduce(
        [lefts[main] - rights, lefts - rights[main], tops[main] - bottoms, tops - bottoms[main], np.zeros(len(areas))]
    ) / max(across[main], down[main])
    kept &= ~((far > 0.7) & (areas < 0.25 * areas[main]))
    if not at_edge[main]:
        beside = (rights <= lefts[main] + 0.1 * across[main]) | (lefts >= rights[main] - 0.1 * across[main])
        kept &= ~(at_edge & (beside | (across > 1.5 * down)) & (areas < 0.6 * areas[main]))
    if kept.all():
        return ink
    # A component takes its soft edges with it.
    gone = cv2.dilate(np.concatenate([[False], ~kept])[labels].astype(np.uint8), np.ones((5, 5), np.uint8))
    stays = cv2.dilate(np.concatenate([[False], kept])[labels].astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.where((gone > 0) & (stays == 0), np.float32(0), ink)


def _outline(ink: InkMap) -> float:
    """Measures the length of the edges, in pixels."""
    # The steps from pixel to pixel along both axes are 4 / pi of an edge's length, in the mean of all directions.
    return float(np.abs(ink[1:] - ink[:-1]).sum() + np.abs(ink[:, 1:] - ink[:, :-1]).sum()) * np.pi / 4

"""From a page or from strokes to lines, words, and the candidates for characters.

Both kinds of ink become the same thing, points that belong to parts: the pixels of connected components, or points
along strokes. All decisions are taken on these, so a word gives the same structure whether drawn or scanned:

1. The height of the text is judged from the parts; those of about that height are chained into lines, on a page that
   may be turned, and small parts (dots, bars, bits of a broken stroke) follow the nearest of them.
2. In a line, wide parts are cut where they are thin, small parts join what they lie over, and what then is in reading
   order are the word's pieces: no more than a character each, often less.
3. Runs of pieces that may be one character become spans, with the odds that geometry alone gives. The most probable
   characters by these odds have gaps between them; the wide ones among those are spaces.

Nothing is read here: which spans are the word is decided by ``penread.context``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from penread import glyph as glyphs
from penread.errors import InputError
from penread.ink import Ink
from penread.lattice import Line, Span, Word
from penread.prediction import Box

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

#: A page or canvas with more pieces than this is refused; a page written full has 3,000 characters.
MAX_PARTS = 6_000
#: And with more lines than this.
MAX_LINES = 500
#: The most pieces in a span.
MAX_PIECES = 5

# A map with more pixels of ink than this is halved until it has fewer: its strokes are many pixels wide.
_MAX_INK_PIXELS = 4_000_000
# About as many points are laid along strokes at most.
_MAX_POINTS = 300_000
# A character is drawn from no more pixels than this on its longer side.
_CROP_PX = 160
# Strokes less high are dots.
_MIN_EXTENT = 1e-9
# Text lower than this many pixels can't be read.
_MIN_TEXT_PX = 6
# Lines run at most at this angle against the page.
_MAX_SKEW = math.tan(math.radians(12))
# The width of a pen, of the height of text, where ink is strokes without a width.
_PEN = 0.1
# Narrower parts aren't cut; a cut is this far from the next and from the ends; the columns in which ink is counted; how
# cuts lean. All in heights of the text.
_MIN_CUT_WIDTH = 0.6
_CUT_MARGIN = 0.14
_CUT_BIN = 0.04
_CUT_SLANTS = (0.0, -0.35, 0.35)
# The most places at which the bend of a line is looked at.
_BENDS = 200
# The log odds that two pieces side by side are of different characters: without regard to anything; and for each height
# of the text between their nearest points, between their boxes, of the narrower one's width, of the lower one's height.
# Logistic regressions on the composed pages of benchmarks/segmentation.py gave about these. Where a part was cut:
# without regard to anything, for the narrower one's width, and for what the width of both is above 0.9.
_COMPONENT_ODDS = (-2.4, 6.0, 11.0, 7.0, 4.5)
_STROKE_ODDS = (-4.2, 12.0, 16.0, 9.5, 2.0)
_CUT_ODDS = (-3.8, 3.4, 5.7)
# Spans of several pieces that are less probable, by the logarithm, aren't offered.
_LEAST_PRIOR = -9.0
# Parts lower than this, of the height of the text, follow others into their line.
_SMALL = 0.4


@dataclass(frozen=True, eq=False)
class _Cloud:
    """Ink as points.

    Attributes:
        points: float (N, 2), x and y.
        part: int (N,), the part of each point, 0 to the number of parts; the points of a part lie together.
        area: How much ink one point stands for: 1 pixel; None for strokes, whose ink has no area until it has a pen.
        pen: Width of the pen; None for strokes.
        size: Width and height of a point itself: 1 for a pixel, 0 for the points of a stroke.
    """

    points: NDArray[np.floating]
    part: NDArray[np.int64]
    area: float | None
    pen: float | None
    size: float


@dataclass(frozen=True, eq=False)
class _Plan:
    """What was decided for one line; pieces are counted over all lines.

    Attributes:
        words: For each word its first piece, one past its last, and its spans (first, last, log prior).
        slope: Of the line.
    """

    words: list[tuple[int, int, list[tuple[int, int, float]]]]
    slope: float


def from_ink_map(ink: NDArray[np.float32]) -> list[Line]:
    """Finds the lines of a page.

    Args:
        ink: float (H, W), 0 for paper to 1 for ink; background, ruling and frames are taken away already.

    Returns:
        Lines from top to bottom, with boxes in pixels of the map; none where nothing looks like text.

    Raises:
        InputError: There are more than ``MAX_PARTS`` pieces of the size of characters, or ``MAX_LINES`` lines.
    """
    import cv2  # noqa: PLC0415 - `import penread` stays quick

    if ink.ndim != 2:
        raise InputError(f"A map of ink is an array (H, W); this one is {ink.shape}.")
    if ink.size == 0:
        return []
    full = 1.0
    ink = ink.astype(np.float32, copy=False)
    while np.count_nonzero(ink > 0.5) > _MAX_INK_PIXELS:
        ink = np.asarray(cv2.resize(ink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
        full *= 2
    cloud = _components(ink)
    if cloud is None:
        return []
    pieces, plans = _segment(cloud, keep_all=False)
    columns, rows = cloud.points.astype(np.int64).T
    piece_at = np.full(ink.shape, -1, np.int32)
    piece_at[rows, columns] = pieces

    def draw(first: int, last: int, box: NDArray[np.float64]) -> NDArray[np.uint8]:
        left, top, right, bottom = (int(edge) for edge in box)
        # The soft edge of ink lies around its pixels; that of another piece is left out.
        area = slice(max(top - 1, 0), bottom + 1), slice(max(left - 1, 0), right + 1)
        there = piece_at[area]
        own = ((there >= first) & (there < last)).astype(np.uint8)
        edge = (cv2.dilate(own, np.ones((3, 3), np.uint8)) > 0) & (there < 0)
        crop = np.where((own > 0) | edge, ink[area], np.float32(0))
        finer = max(crop.shape) / _CROP_PX
        if finer > 1:
            size = max(round(crop.shape[1] / finer), 1), max(round(crop.shape[0] / finer), 1)
            crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.float32)
        return glyphs.from_ink_map(crop)

    return _lattice(cloud, pieces, plans, draw, full)


def from_strokes(ink: Ink) -> list[Line]:
    """Finds the lines of what was drawn on a canvas: one character, a word or several lines.

    Args:
        ink: The strokes, in any order. No stroke is left out of the pieces.

    Returns:
        Lines from top to bottom, with boxes in the unit of the ink; none where there is no ink.

    Raises:
        InputError: There are more than ``MAX_PARTS`` pieces of the size of characters, or ``MAX_LINES`` lines.
    """
    if not ink.strokes:
        return []
    dense = _resampled(ink)
    sizes = [len(points) for points in dense]
    points = np.concatenate(dense)
    cloud = _Cloud(points, np.repeat(np.arange(len(sizes)), sizes), area=None, pen=None, size=0.0)
    pieces, plans = _segment(cloud, keep_all=True)
    by_piece = np.argsort(pieces, kind="stable")
    starts = np.searchsorted(pieces[by_piece], np.arange(int(pieces.max()) + 2))

    def draw(first: int, last: int, _: NDArray[np.float64]) -> NDArray[np.uint8]:
        # Points that follow each other on a stroke are a stroke again; a whole stroke is the very one that was given.
        inside = np.sort(by_piece[starts[first] : starts[last]])
        breaks = np.flatnonzero((np.diff(inside) > 1) | (np.diff(cloud.part[inside]) != 0)) + 1
        runs = zip([0, *breaks], [*breaks, len(inside)], strict=True)
        return Ink(
            [
                ink.strokes[number] if end - begin == sizes[number] else points[inside[begin:end]]
                for begin, end in runs
                for number in [int(cloud.part[inside[begin]])]
            ]
        ).glyph()

    return _lattice(cloud, pieces, plans, draw, 1.0)


def _lattice(
    cloud: _Cloud,
    pieces: NDArray[np.int64],
    plans: list[_Plan],
    draw: Callable[[int, int, NDArray[np.float64]], NDArray[np.uint8]],
    full: float,
) -> list[Line]:
    """Draws the glyphs and builds the lattice; ``full`` brings boxes back to the unit of what was given."""
    kept = np.flatnonzero(pieces >= 0)
    order = kept[np.argsort(pieces[kept], kind="stable")]
    boxes = _boxes(cloud.points[order], pieces[order]) + np.array([0, 0, cloud.size, cloud.size])

    def around(first: int, last: int) -> NDArray[np.float64]:
        return np.concatenate([boxes[first:last, :2].min(axis=0), boxes[first:last, 2:].max(axis=0)])

    lines = []
    for plan in plans:
        words = []
        for start, end, spans in plan.words:
            candidates = []
            for first, last, prior in spans:
                box = around(first, last)
                drawn = draw(first, last, box)
                candidates.append(Span(first - start, last - start, Box(*(box * full).tolist()), drawn, prior))
            words.append(Word(end - start, candidates))
        lines.append(Line(words, Box(*(around(plan.words[0][0], plan.words[-1][1]) * full).tolist()), plan.slope))
    return lines


def _components(ink: NDArray[np.float32]) -> _Cloud | None:
    """Gives the connected components that may be text as parts; None where there is none."""
    import cv2  # noqa: PLC0415 - `import penread` stays quick

    mask = (ink > 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    width, height = stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT]
    large = np.maximum(width, height) >= 3
    large[0] = False
    if not large.any():
        return None
    # A stroke of w pixels has two pixels of outline for each w of area.
    outline = (mask > 0) & (cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=0) == 0)
    outlined = np.bincount(labels[outline], minlength=count)
    pen = max(_weighted_quantile(2 * stats[large, cv2.CC_STAT_AREA] / outlined[large], outlined[large], 0.5), 1.0)
    # What is left of the page's edge, or of the table beside it, runs along the border of the map.
    left, top = stats[:, cv2.CC_STAT_LEFT], stats[:, cv2.CC_STAT_TOP]
    on_border = (left == 0) | (top == 0) | (left + width == mask.shape[1]) | (top + height == mask.shape[0])
    text = _text_height(np.stack([left, top, left + width, top + height], axis=1)[large].astype(np.float64), pen)
    large &= ~(on_border & ((width > 8 * text) | (height > 4 * text)))
    if not large.any():
        return None
    number = np.where(large, np.cumsum(large) - 1, -1)
    y, x = np.nonzero(mask)
    part = number[labels[y, x]]
    kept = np.flatnonzero(part >= 0)
    kept = kept[np.argsort(part[kept], kind="stable")]
    points = np.stack([x[kept], y[kept]], axis=1).astype(np.float32)
    return _Cloud(points, part[kept], area=1.0, pen=pen, size=1.0)


def _resampled(ink: Ink) -> list[NDArray[np.float64]]:
    """Puts points along the strokes, as near as the height of the text asks for and ``_MAX_POINTS`` allow."""
    heights = np.array([np.ptp(stroke[:, 1]) for stroke in ink.strokes])
    lengths = np.array([np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in ink.strokes])
    text = _weighted_quantile(heights, heights, 0.8) if heights.max() > 0 else float(lengths.max())
    step = max(text * _PEN / 6, float(lengths.sum()) / _MAX_POINTS)
    dense = []
    for stroke in ink.strokes:
        if len(stroke) == 1 or step < _MIN_EXTENT / 100:
            dense.append(stroke)
            continue
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
        places = np.linspace(0, along[-1], max(int(np.ceil(along[-1] / step)), 1) + 1)
        # The points that bound the stroke are among them: boxes are exact.
        places = np.union1d(places, along[[*stroke.argmin(axis=0), *stroke.argmax(axis=0)]])
        dense.append(np.stack([np.interp(places, along, stroke[:, axis]) for axis in (0, 1)], axis=1))
    return dense


def _weighted_quantile(values: NDArray[np.number], weights: NDArray[np.number], quantile: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order].astype(np.float64))
    return float(values[order][min(int(np.searchsorted(total, quantile * total[-1])), len(order) - 1)])


def _touching(
    points: NDArray[np.floating], part: NDArray[np.int64], boxes: NDArray[np.float64], reach: float, text: float
) -> NDArray[np.int64]:
    """Groups parts that come within about ``reach`` of each other: the group of each part, int (parts,).

    Two tall parts one above the other are of two lines, and don't count as one.
    """
    # However far apart the ink is, the cells of the grid can be counted.
    cell = max(reach, float(np.ptp(points, axis=0).max()) / 1e5, 1e-9)
    columns, rows = np.floor((points - points.min(axis=0)) / cell).astype(np.int64).T
    wide = int(columns.max()) + 3
    count = int(part.max()) + 1
    # Which parts there are in each cell of a grid.
    cells, parts = np.divmod(np.unique((rows * wide + columns) * count + part), count)
    pairs = [np.stack([parts[:-1], parts[1:]])[:, cells[:-1] == cells[1:]]]
    for beside in (1, wide - 1, wide, wide + 1):
        at = np.minimum(np.searchsorted(cells, cells + beside), len(cells) - 1)
        there = cells[at] == cells + beside
        pairs.append(np.stack([parts[there], parts[at[there]]]))
    one, other = np.unique(np.concatenate(pairs, axis=1), axis=1)
    top, bottom = boxes[:, 1], boxes[:, 3]
    height = bottom - top
    joint = np.maximum(bottom[one], bottom[other]) - np.minimum(top[one], top[other])
    stacked = (np.minimum(height[one], height[other]) >= 0.5 * text) & (
        joint > 1.4 * np.maximum(np.maximum(height[one], height[other]), text)
    )
    one, other = one[~stacked], other[~stacked]
    group = np.arange(count)
    while True:
        low = np.minimum(group[one], group[other])
        joined = group.copy()
        np.minimum.at(joined, one, low)
        np.minimum.at(joined, other, low)
        joined = joined[joined]
        if (joined == group).all():
            return np.asarray(np.unique(group, return_inverse=True)[1], dtype=np.int64)
        group = joined


def _boxes(points: NDArray[np.floating], part: NDArray[np.int64]) -> NDArray[np.float64]:
    """Gives left, top, right and bottom of each part, float (parts, 4); points are sorted by part."""
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    return np.concatenate([low, high], axis=1).astype(np.float64)


def _around(boxes: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Gives the box around each group of boxes, float (groups, 4)."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    low, high = boxes[order, :2], boxes[order, 2:]
    return np.concatenate([np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)], axis=1)


# ---------------------------------------------------------------------------------------------------------------------
# From parts to pieces


def _segment(cloud: _Cloud, *, keep_all: bool) -> tuple[NDArray[np.int64], list[_Plan]]:
    """Finds lines, pieces, spans and words.

    Args:
        cloud: The ink.
        keep_all: Specks are ink too: whoever drew strokes meant them.

    Returns:
        The piece of each point, int (N,), -1 where it is none; and the lines. Pieces count from 0 over all lines.
    """
    boxes = _boxes(cloud.points, cloud.part) + np.array([0, 0, cloud.size, cloud.size])
    text = _text_height(boxes, cloud.pen)
    pen = cloud.pen if cloud.pen is not None else text * _PEN
    # Even a page of broken strokes has no more parts: what follows would take long to find that out.
    _check_parts(int((boxes[:, 3] - boxes[:, 1] >= _SMALL * text).sum()) // 8)
    # Strokes that touch, and the bits of a broken one, are at the same height of a line: that of all of them counts.
    group = _touching(cloud.points, cloud.part, boxes, pen, text)
    joined = _around(boxes, group)
    text = _text_height(joined, cloud.pen)
    pieces = np.full(len(cloud.part), -1, np.int64)
    if cloud.pen is not None and text < _MIN_TEXT_PX:
        return pieces, []
    # What is joined is higher than a line: each for itself.
    alone = (joined[:, 3] - joined[:, 1])[group] > 1.6 * text
    group = np.unique(np.where(alone, len(joined) + np.arange(len(group)), group), return_inverse=True)[1]
    line_of_point, slopes = _find_lines(cloud, boxes, group, text, pen, keep_all=keep_all)
    order = np.argsort(line_of_point, kind="stable")
    starts = np.searchsorted(line_of_point[order], np.arange(len(slopes) + 1))
    laid_out = []
    count = 0
    for line, slope in enumerate(slopes):
        own = order[starts[line] : starts[line + 1]]
        laid = _lay_out(cloud.points[own], cloud.part[own], slope, text, pen, cloud)
        pieces[own] = laid.piece + count
        laid_out.append((count, laid))
        count += len(laid.boxes)
        _check_parts(count)
    breaks = _spaces([laid for _, laid in laid_out])
    plans = []
    for (offset, laid), spaces, slope in zip(laid_out, breaks, slopes, strict=True):
        edges = [0, *spaces, len(laid.boxes)]
        words = []
        for start, end in pairwise(edges):
            inside = [
                (first + offset, last + offset, prior)
                for first, last, prior in laid.spans
                if first >= start and last <= end
            ]
            words.append((start + offset, end + offset, inside))
        plans.append(_Plan(words, slope))
    return pieces, plans


def _check_parts(count: int) -> None:
    if count > MAX_PARTS:
        raise InputError(
            f"There are more than {MAX_PARTS:,} pieces of ink of the size of characters. Give the page in parts; or it "
            "isn't writing but a pattern or noise."
        )


def _text_height(boxes: NDArray[np.float64], pen: float | None) -> float:
    """Judges the height of text: tall parts weigh more than specks, but none much more than a character."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    long = np.maximum(width, height)
    weight = height if pen is None else np.where(long >= 2.5 * pen, np.minimum(height, 20 * pen), 0)
    if height.max() < 0.1 * long.max() or not weight.any():
        return max(float(long.max()), _MIN_EXTENT)
    # What is far higher than most is no character but two of different lines, or a blot.
    usual = height <= 1.7 * _weighted_quantile(height, weight, 0.5)
    return max(_weighted_quantile(height[usual], weight[usual], 0.8), _MIN_EXTENT)


# ---------------------------------------------------------------------------------------------------------------------
# Lines


def _find_lines(
    cloud: _Cloud, part_boxes: NDArray[np.float64], group: NDArray[np.int64], text: float, pen: float, *, keep_all: bool
) -> tuple[NDArray[np.int64], list[float]]:
    """Finds the line of each point, int (N,), -1 for none; and the slope of each line. Lines go from top to bottom."""
    boxes = _around(part_boxes, group)
    group_of_point = group[cloud.part]
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    middle = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2], axis=1)
    core = (height >= _SMALL * text) & (height <= 4 * text)
    if keep_all and not core.any():
        core = np.maximum(width, height) >= 0.5 * np.maximum(width, height).max()
    # What reaches through two lines follows when the lines are known; and so does what is small.
    single = core & (height <= 1.7 * text)
    if not single.any():
        single = core
    high = ~single & (height > 1.7 * text) & (core | keep_all)
    small = np.flatnonzero(~single & (height <= 1.7 * text))
    chained = np.flatnonzero(single)
    _check_parts(len(chained))
    line_of = np.full(len(boxes), -1, np.int64)
    skew = _skew(middle[chained], text) if len(chained) else 0.0
    if len(chained):
        line_of[chained] = _chain(middle[chained], skew, text)
        line_of[chained] = _one_column(line_of[chained], boxes[chained])
        if not keep_all:
            line_of[chained] = _without_debris(line_of[chained], boxes[chained], text)
        chained = chained[line_of[chained] >= 0]
    if len(chained) == 0:
        return np.full(len(cloud.part), -1, np.int64), []
    line_of[small] = _follow(boxes[small], boxes[chained], line_of[chained], text, pen, keep_all=keep_all)
    curves = _Curves(middle[chained], line_of[chained], skew, text)
    line_of_point = line_of[group_of_point]
    for group_number in np.flatnonzero(high):
        own = np.flatnonzero(group_of_point == group_number)
        line_of_point[own] = _through_lines(cloud.points[own], curves, text, keep_all=keep_all)
    # Lines are numbered anew, from top to bottom.
    used = np.unique(line_of_point[line_of_point >= 0])
    heights = np.array([curves.offset(line) for line in used])
    renumber = np.full(int(line_of.max(initial=0)) + 2, -1, np.int64)
    ordered = used[np.argsort(heights, kind="stable")]
    renumber[ordered] = np.arange(len(ordered))
    return renumber[line_of_point], [curves.slope(line) for line in ordered]


def _skew(middle: NDArray[np.float64], text: float) -> float:
    """Finds the slope along which the parts lie in the sharpest rows."""
    slopes = np.tan(np.radians(np.arange(-12, 12.1, 0.5)))
    best, best_score = 0.0, -1.0
    for slope in slopes[np.argsort(np.abs(slopes), kind="stable")]:
        rows = (middle[:, 1] - slope * middle[:, 0]) / text
        # Rows of half a height, and others between them.
        counts = [np.unique(np.floor(rows * 2 + shift), return_counts=True)[1] for shift in (0, 0.5)]
        # Against a turn without need: a few characters lie on many straight lines.
        score = float((np.concatenate(counts) ** 2).sum()) * (1 - 0.4 * (slope / _MAX_SKEW) ** 2)
        if score > best_score:
            best, best_score = float(slope), score
    return best


def _chain(middle: NDArray[np.float64], skew: float, text: float) -> NDArray[np.int64]:
    """Follows lines from left to right: each part joins the line whose last parts point at it, or begins one."""
    x, y = middle[:, 0], middle[:, 1] - skew * middle[:, 0]
    # A line's last parts, each weighing a quarter less than the next: sums of weight, x, y, xx and xy.
    sums = np.zeros((0, 5))
    line_of = np.zeros(len(x), np.int64)
    for part in np.argsort(x, kind="stable"):
        line = -1
        if len(sums):
            mean_x, mean_y = sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0]
            spread = sums[:, 3] / sums[:, 0] - mean_x**2
            slope = (sums[:, 4] / sums[:, 0] - mean_x * mean_y) / (spread + (4 * text) ** 2)
            away = np.abs(y[part] - mean_y - slope * (x[part] - mean_x))
            line = int(away.argmin())
            if away[line] > 0.6 * text:
                line = -1
        if line < 0:
            line = len(sums)
            if line >= MAX_LINES:
                raise InputError(
                    f"There are more than {MAX_LINES:,} lines. Give the page in parts; or it isn't writing but a "
                    "pattern or noise."
                )
            sums = np.concatenate([sums, np.zeros((1, 5))])
        one = np.array([1, x[part], y[part], x[part] ** 2, x[part] * y[part]])
        sums[line] = 0.75 * sums[line] + one
        line_of[part] = line
    return _merged(line_of, x, y, text, skew)


def _merged(
    line_of: NDArray[np.int64], x: NDArray[np.float64], y: NDArray[np.float64], text: float, skew: float
) -> NDArray[np.int64]:
    """Joins lines that lie on one another, and lets each part go over to a line that it is much nearer to."""
    middle = np.stack([x, y + skew * x], axis=1)
    for _ in range(3):
        curves = _Curves(middle, line_of, skew, text)
        away = curves.away(middle)
        own, parts = np.searchsorted(curves.lines, line_of), np.arange(len(x))
        nearest = away.argmin(axis=0)
        moves = away[nearest, parts] < 0.5 * away[own, parts] - 0.05 * text
        line_of = np.where(moves, curves.lines[nearest], line_of)
        # A line most of whose parts lie within another's band is that line.
        curves = _Curves(middle, line_of, skew, text)
        away = curves.away(middle)
        counts = np.bincount(line_of)
        for line in curves.lines[np.argsort(counts[curves.lines], kind="stable")]:
            members = line_of == line
            distance = np.median(away[:, members], axis=1)
            distance[(curves.lines == line) | (counts[curves.lines] == 0)] = np.inf
            other = int(curves.lines[distance.argmin()])
            # One or two parts beside a longer line are high or low ones of it.
            few = counts[line] <= 2 and counts[other] >= 4
            if distance.min() < (0.75 if few else 0.45) * text:
                line_of[members] = other
                counts[other], counts[line] = counts[other] + counts[line], 0
        line_of = np.unique(line_of, return_inverse=True)[1].astype(np.int64)
    return line_of


class _Curves:
    """Where the middles of lines run: straight lines, bent a little where the writing is."""

    def __init__(self, middle: NDArray[np.float64], line_of: NDArray[np.int64], skew: float, text: float) -> None:
        self.lines = np.unique(line_of[line_of >= 0])
        self._fits: dict[int, tuple[float, float, float, NDArray[np.float64], NDArray[np.float64]]] = {}
        for line in self.lines:
            x, y = middle[line_of == line].T
            mean_x, mean_y = x.mean(), y.mean()
            spread = ((x - mean_x) ** 2).sum()
            # Few parts near each other say little of the slope: the page's is then taken.
            slope = (((x - mean_x) * (y - mean_y)).sum() + skew * (6 * text) ** 2) / (spread + (6 * text) ** 2)
            at = np.linspace(x.min(), x.max(), min(int(np.ptp(x) / (2 * text)) + 2, _BENDS))
            near = np.exp(-0.5 * ((at[:, None] - x) / (4 * text)) ** 2)
            bend = (near * (y - mean_y - slope * (x - mean_x))).sum(axis=1) / (near.sum(axis=1) + 2)
            self._fits[int(line)] = (mean_x, mean_y, slope, at, bend)

    def centre(self, line: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gives the y of a line's middle at each x."""
        mean_x, mean_y, slope, at, bend = self._fits[int(line)]
        return np.asarray(mean_y + slope * (x - mean_x) + np.interp(x, at, bend))

    def away(self, middle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Gives the distance of each point (N, 2) from each line's middle, float (lines, N)."""
        return np.abs(np.stack([middle[:, 1] - self.centre(line, middle[:, 0]) for line in self.lines]))

    def slope(self, line: int) -> float:
        """Gives how much y grows along a line for each unit of x."""
        return float(self._fits[int(line)][2])

    def offset(self, line: int) -> float:
        """Gives a line's place from top to bottom."""
        mean_x, mean_y, *_ = self._fits[int(line)]
        return float(mean_y - np.mean([fit[2] for fit in self._fits.values()]) * mean_x)


def _one_column(line_of: NDArray[np.int64], boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Takes two lines for one where they are one narrow column almost without a gap: an 8 of two rings, a 3 of arcs."""
    if line_of.max() != 1:
        return line_of
    halves = [np.concatenate([boxes[line_of == line, :2].min(0), boxes[line_of == line, 2:].max(0)]) for line in (0, 1)]
    upper, lower = sorted(halves, key=lambda box: float(box[1]))
    width, height = max(upper[2], lower[2]) - min(upper[0], lower[0]), lower[3] - upper[1]
    overlap = min(upper[2], lower[2]) - max(upper[0], lower[0])
    if width < 1.1 * height and lower[1] - upper[3] < 0.12 * height and overlap >= -0.1 * height:
        return np.zeros_like(line_of)
    return line_of


def _without_debris(line_of: NDArray[np.int64], boxes: NDArray[np.float64], text: float) -> NDArray[np.int64]:
    """Drops lines of one or two parts that are low beside the text: curls of dust, the shadow of a staple."""
    counts = np.bincount(line_of)
    tallest = np.zeros(len(counts))
    np.maximum.at(tallest, line_of, boxes[:, 3] - boxes[:, 1])
    debris = (counts <= 2) & (tallest < 0.5 * text)
    return np.where(debris[line_of], -1, line_of)


def _follow(
    small: NDArray[np.float64],
    core: NDArray[np.float64],
    line_of_core: NDArray[np.int64],
    text: float,
    pen: float,
    *,
    keep_all: bool,
) -> NDArray[np.int64]:
    """Gives small parts the line of the part that they most probably belong to; -1 to specks."""
    line_of = np.full(len(small), -1, np.int64)
    long = np.maximum(small[:, 2] - small[:, 0], small[:, 3] - small[:, 1])
    narrow = core[:, 2] - core[:, 0] < 0.7 * text
    candidates = np.arange(len(small)) if keep_all else np.flatnonzero(long >= 0.5 * pen)
    for chunk in np.array_split(candidates, max(len(candidates) * len(core) // 2_000_000, 1)):
        if len(chunk) == 0:
            continue
        left, top, right, bottom = small[chunk, :, None].transpose(1, 0, 2)
        beside = np.maximum(np.maximum(core[:, 0] - right, left - core[:, 2]), 0)
        below = np.maximum(top - core[:, 3], 0)
        above = np.maximum(core[:, 1] - bottom, 0)
        # A dot stands well above its stem, so height above counts for less.
        away = np.hypot(beside, 0.6 * above + below)
        host = away.argmin(axis=1)
        each = np.arange(len(chunk))
        distance = np.hypot(beside, above + below)[each, host]
        bar = (long[chunk] >= 0.25 * text) & (distance <= 0.5 * text)
        bit = distance <= 0.12 * text
        dot_of = narrow & (beside <= 0.4 * text) & (above <= 0.6 * text) & (bottom <= core[:, 1])
        dot = dot_of[each, host] & (long[chunk] >= 0.6 * pen)
        line_of[chunk] = np.where(keep_all | bar | bit | dot, line_of_core[host], -1)
    return line_of


def _through_lines(points: NDArray[np.floating], curves: _Curves, text: float, *, keep_all: bool) -> NDArray[np.int64]:
    """Parts a tall part at the lines that it reaches through, where it is thin between them."""
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    at = np.array([x.mean()])
    centres = sorted((float(curves.centre(line, at)[0]), int(line)) for line in curves.lines)
    through = [(centre, line) for centre, line in centres if y.min() - 0.1 * text < centre < y.max() + 0.1 * text]
    if not through:
        nearest = min(centres, key=lambda centre: abs(centre[0] - float(y.mean())))
        near = abs(nearest[0] - float(y.mean())) < 1.5 * text
        return np.full(len(points), nearest[1] if near or keep_all else -1, np.int64)
    line_of = np.full(len(points), through[0][1], np.int64)
    along = y - curves.slope(through[0][1]) * (x - at)
    for (upper, _), (lower, line) in pairwise(through):
        edges = np.linspace(upper + 0.3 * (lower - upper), upper + 0.7 * (lower - upper), 9)
        counts = np.histogram(along, bins=edges)[0]
        # In doubt in the middle.
        cost = counts * (1 + 0.1 * np.abs(np.arange(8) - 3.5))
        thinnest = int(cost.argmin())
        line_of[along > (edges[thinnest] + edges[thinnest + 1]) / 2] = line
    return line_of


# ---------------------------------------------------------------------------------------------------------------------
# Pieces and spans of a line


@dataclass(frozen=True, eq=False)
class _LaidOut:
    """A line with its pieces in reading order.

    Attributes:
        piece: int (N,), the piece of each point of the line.
        boxes: float (pieces, 4) in the line's own upright frame, in units of the height of its text.
        spans: (first, last, log prior), every single piece among them.
        best: The edges of characters on the path of spans with the highest sum of log priors.
    """

    piece: NDArray[np.int64]
    boxes: NDArray[np.float64]
    spans: list[tuple[int, int, float]]
    best: list[int]


def _lay_out(
    points: NDArray[np.floating], part: NDArray[np.int64], slope: float, text: float, pen: float, cloud: _Cloud
) -> _LaidOut:
    """Brings a line's parts into pieces in reading order, and finds its spans."""
    x, y = points.astype(np.float64).T
    v = y - slope * (x - x.mean())
    low, high = np.quantile(v, [0.05, 0.95])
    # The line's own height; never far from that of the text, as a line of few letters may have low or tall ones only.
    tall = float(np.clip((high - low) / 0.9 + cloud.size, 0.5 * text, 2 * text))
    frame = np.stack([x - x.mean(), v - v.mean()], axis=1) / tall
    frame[:, 0] += _slant(frame, part) * frame[:, 1]
    part = np.unique(part, return_inverse=True)[1]
    area = cloud.area if cloud.area is not None else _step_area(points, part, pen)
    atom, cut = _cut(frame, part, pen / tall, area / tall**2)
    order = np.argsort(atom, kind="stable")
    boxes = _boxes(frame[order], atom[order]) + np.array([0, 0, cloud.size, cloud.size]) / tall
    # What strokes cover is judged with the pen.
    covered = boxes if cloud.pen is not None else boxes + np.array([-1, -1, 1, 1]) * pen / tall / 2
    piece_of_atom = _pieces(covered, cut)
    piece = piece_of_atom[atom]
    order = np.argsort(piece, kind="stable")
    sorted_frame, sorted_piece = frame[order], piece[order]
    boxes = _boxes(sorted_frame, sorted_piece) + np.array([0, 0, cloud.size, cloud.size]) / tall
    odds = _STROKE_ODDS if cloud.pen is None else _COMPONENT_ODDS
    edges = _cut_edges(piece_of_atom, cut)
    spans, best = _spans(boxes, _boundaries(sorted_frame, sorted_piece, boxes, edges, odds), edges)
    return _LaidOut(piece, boxes, spans, best)


def _step_area(points: NDArray[np.floating], part: NDArray[np.int64], pen: float) -> float:
    """Gives the area of ink that one point of a stroke stands for."""
    steps = np.hypot(*np.diff(points, axis=0).T)[np.diff(part) == 0]
    return float(np.median(steps)) * pen if len(steps) else pen**2


def _slant(frame: NDArray[np.float64], part: NDArray[np.int64]) -> float:
    """Finds how far the writing leans: x grows by this for each unit of height. 0 where little speaks for it."""
    if len(np.unique(part)) < 3:
        return 0.0
    some = frame[:: len(frame) // 4000 + 1]
    best, best_score = 0.0, -1.0
    for slant in sorted(np.arange(-0.6, 1.01, 0.1), key=abs):
        counts = np.unique(np.floor((some[:, 0] + slant * some[:, 1]) * 16), return_counts=True)[1]
        score = float((counts.astype(np.float64) ** 2).sum()) * (1 - 0.3 * slant**2)
        if score > best_score * 1.02:
            best, best_score = float(slant), score
    return best


def _cut(
    frame: NDArray[np.float64], part: NDArray[np.int64], pen: float, area: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cuts wide parts where their ink is thin, from left to right.

    Returns:
        The atom of each point, int (N,); and for each atom the atom that it was cut from on its left, -1 for none.
    """
    order = np.argsort(part, kind="stable")
    starts = np.searchsorted(part[order], np.arange(part.max() + 2))
    atom = np.zeros(len(part), np.int64)
    left_of: list[int] = []
    for number in range(len(starts) - 1):
        own = order[starts[number] : starts[number + 1]]
        passed = np.zeros(len(own), np.int64)
        for slant, place in _thin_places(frame[own], pen, area):
            passed += frame[own, 0] + slant * frame[own, 1] > place
        found, place_of = np.unique(passed, return_inverse=True)
        atom[own] = len(left_of) + place_of
        left_of.extend([-1, *range(len(left_of), len(left_of) + len(found) - 1)])
    return atom, np.array(left_of)


def _thin_places(frame: NDArray[np.float64], pen: float, area: float) -> list[tuple[float, float]]:
    """Finds where to cut a part: where there is less ink, or it is less high, than on both sides.

    Returns:
        Cuts as (slant, place): ink with ``x + slant * y`` beyond the place is on the right.
    """
    if np.ptp(frame[:, 0]) < _MIN_CUT_WIDTH:
        return []
    found: list[tuple[float, float, float]] = []
    for slant in _CUT_SLANTS:
        u = frame[:, 0] + slant * frame[:, 1]
        low, width = float(u.min()), float(np.ptp(u))
        bins = min(max(round(width / _CUT_BIN), 8), 4000)
        at = (u - low) * (bins / width)
        column = np.minimum(at.astype(np.int64), bins - 1)
        # A point counts for the nearer two columns: pixels are hardly narrower than columns.
        nearer = np.floor(at + 0.5).astype(np.int64)
        share = at + 0.5 - nearer
        points = np.bincount(nearer, 1 - share, bins + 2) + np.bincount(nearer + 1, share, bins + 2)[: bins + 2]
        ink = points[1:-1] * (area * bins / width)
        top, bottom = np.full(bins, np.inf), np.full(bins, -np.inf)
        np.minimum.at(top, column, frame[:, 1])
        np.maximum.at(bottom, column, frame[:, 1])
        high = np.where(np.isfinite(top), bottom - top, 0.0) + pen
        for profile, most in ((ink, 4.0 * pen), (high, 0.6)):
            smooth = np.convolve(np.pad(profile, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
            thinner = _valley(smooth, round(0.6 / _CUT_BIN), 0.6 * pen)
            found.extend(
                (float(thinner[place]) + 0.3 * abs(slant), slant, low + (place + 0.5) * width / bins)
                for place in np.flatnonzero((thinner < 0.8) & (smooth <= most)).tolist()
            )
    return _apart(sorted(found), frame)


def _valley(profile: NDArray[np.float64], reach: int, depth: float) -> NDArray[np.float64]:
    """Compares the lowest places of a profile with the lower of the two heights beside each; others give 1.

    Args:
        profile: float (N,).
        reach: How far beside a place its heights are looked for.
        depth: How much lower than these it must be.
    """
    count = len(profile)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(profile, reach), reach)
    before, after = windows[:count].max(axis=1), windows[reach + 1 : reach + 1 + count].max(axis=1)
    lowest = np.lib.stride_tricks.sliding_window_view(np.pad(profile, 2, mode="edge"), 5).min(axis=1)
    least = np.minimum(before, after)
    return np.where((profile <= lowest) & (least - profile > depth), profile / np.maximum(least, 1e-9), 1.0)


def _apart(cuts: list[tuple[float, float, float]], frame: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Takes the best cuts (score, slant, place) that leave some width between each other and the ends."""
    top, bottom = float(frame[:, 1].min()), float(frame[:, 1].max())
    left, right = float(frame[:, 0].min()), float(frame[:, 0].max())
    chosen: list[tuple[float, float]] = []
    most = 3 * (right - left) - 0.8
    for _, slant, place in cuts:
        if len(chosen) >= most:
            break
        at_top, at_bottom = place - slant * top, place - slant * bottom
        middle = (at_top + at_bottom) / 2
        if middle - left < _CUT_MARGIN or right - middle < _CUT_MARGIN:
            continue
        distances = [((at_top - (other - lean * top)), (at_bottom - (other - lean * bottom))) for lean, other in chosen]
        if all(
            (min(pair) > 0.05 and sum(pair) > 2 * _CUT_MARGIN) or (max(pair) < -0.05 and sum(pair) < -2 * _CUT_MARGIN)
            for pair in distances
        ):
            chosen.append((slant, place))
    return chosen


def _pieces(boxes: NDArray[np.float64], cut: NDArray[np.int64]) -> NDArray[np.int64]:
    """Joins atoms that are one piece beyond doubt, and numbers pieces in reading order: int (atoms,)."""
    left, top, right, bottom = boxes.T
    width, height, middle = right - left, bottom - top, (left + right) / 2
    owner = np.arange(len(boxes))
    tall = height >= 0.45
    if not tall.any():
        tall = np.maximum(width, height) >= 0.5 * np.maximum(width, height).max()
    large = np.flatnonzero(tall)
    large = large[np.argsort(left[large], kind="stable")]
    whole = cut < 0
    whole[cut[cut >= 0]] = False
    for place, one in enumerate(large):
        others = large[place + 1 : np.searchsorted(left[large], right[one], side="right")]
        overlap = np.minimum(right[one], right[others]) - left[others]
        # Two strokes across each other, or the halves of a broken stem.
        centred = np.abs(middle[one] - middle[others]) < np.maximum(0.22 * np.maximum(width[one], width[others]), 0.08)
        joined = whole[one] & whole[others] & centred & (overlap >= 0.8 * np.minimum(width[one], width[others]))
        for other in others[joined]:
            if owner[other] != owner[one]:
                owner[owner == owner[other]] = owner[one]
    for small in np.flatnonzero(~tall):
        shared = np.minimum(right[large], right[small]) - np.maximum(left[large], left[small])
        narrower = np.maximum(np.minimum(width[large], width[small]), 0.02)
        over = shared >= 0.6 * narrower
        above = (bottom[small] <= top[large] + 0.05) & (width[large] < 0.45) & (width[small] < 0.25)
        dotted = above & (np.abs(middle[large] - middle[small]) < 0.4)
        host = over | dotted
        if host.any():
            away = np.abs(middle[large] - middle[small]) + np.where(host, 0, np.inf)
            owner[small] = owner[large[int(away.argmin())]]
    _, owner = np.unique(owner, return_inverse=True)
    first, last = np.full(owner.max() + 1, np.inf), np.full(owner.max() + 1, -np.inf)
    highest = np.full(len(first), np.inf)
    np.minimum.at(first, owner, left)
    np.maximum.at(last, owner, right)
    np.minimum.at(highest, owner, top)
    rank = np.argsort(np.lexsort((highest, first + last)))
    return np.asarray(rank[owner], dtype=np.int64)


def _cut_edges(piece_of_atom: NDArray[np.int64], cut: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tells for each edge between two pieces whether it is a cut through one part: bool (pieces - 1,)."""
    edges = np.zeros(int(piece_of_atom.max()), bool)
    for atom in np.flatnonzero(cut >= 0):
        first, second = sorted((piece_of_atom[cut[atom]], piece_of_atom[atom]))
        edges[first:second] = True
    return edges


def _boundaries(
    frame: NDArray[np.float64],
    piece: NDArray[np.int64],
    boxes: NDArray[np.float64],
    cut: NDArray[np.bool_],
    odds: tuple[float, ...],
) -> NDArray[np.float64]:
    """Gives the log odds that characters part between a piece and the next: float (pieces - 1,)."""
    starts = np.searchsorted(piece, np.arange(len(boxes) + 1))
    sampled = [frame[start : end : (end - start) // 48 + 1] for start, end in pairwise(starts)]
    away = np.array(
        [np.sqrt(((one[:, None] - other[None]) ** 2).sum(axis=2).min()) for one, other in pairwise(sampled)]
    )
    if len(away) == 0:
        return away
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    narrower = np.clip(np.minimum(width[:-1], width[1:]), 0, 0.5)
    lower = np.clip(np.minimum(height[:-1], height[1:]), 0, 1)
    joint = np.maximum(boxes[:-1, 2], boxes[1:, 2]) - np.minimum(boxes[:-1, 0], boxes[1:, 0])
    gap = np.clip(boxes[1:, 0] - boxes[:-1, 2], -0.5, 0.6)
    given = np.stack([np.ones_like(gap), np.clip(away, 0, 0.4), gap, narrower, lower], axis=1)
    at_cut = _CUT_ODDS[0] + _CUT_ODDS[1] * narrower + _CUT_ODDS[2] * np.clip(joint - 0.9, 0, 1)
    return np.clip(np.where(cut, at_cut, given @ odds), -6, 6)


def _spans(
    boxes: NDArray[np.float64], odds: NDArray[np.float64], cut: NDArray[np.bool_]
) -> tuple[list[tuple[int, int, float]], list[int]]:
    """Finds the spans of a line and their log priors, and the characters of the most probable path."""
    count = len(boxes)
    uncut = np.concatenate([[True], ~cut, [True]])
    parted, joined = -np.logaddexp(0, -odds), -np.logaddexp(0, odds)
    # Each edge between two characters is paid by both, half and half.
    ends = np.concatenate([[0.0], parted / 2, [0.0]])
    spans: list[tuple[int, int, float]] = []
    best, came_from = np.full(count + 1, -np.inf), np.zeros(count + 1, np.int64)
    best[0] = 0.0
    for first in range(count):
        inside = 0.0
        left, top, right, bottom = boxes[first]
        for last in range(first + 1, min(first + MAX_PIECES, count) + 1):
            if last > first + 1:
                inside += float(joined[last - 2])
                left, top = min(left, boxes[last - 1, 0]), min(top, boxes[last - 1, 1])
                right, bottom = max(right, boxes[last - 1, 2]), max(bottom, boxes[last - 1, 3])
            prior = inside + float(ends[first] + ends[last]) + _shape(right - left, bottom - top)
            # What was cut is offered whole as well.
            mended = uncut[first] and uncut[last] and not uncut[first + 1 : last].any()
            if last > first + 1 and prior < _LEAST_PRIOR and not mended:
                continue
            spans.append((first, last, round(prior, 4)))
            if best[first] + prior > best[last]:
                best[last], came_from[last] = best[first] + prior, first
    if not any(first == 0 and last == count for first, last, _ in spans):
        # Drawn with many strokes, or fallen apart: a line that is hardly wider than a character may still be one.
        (left, top), (right, bottom) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        if right - left <= 2 * (bottom - top):
            whole = float(joined.sum()) + _shape(right - left, bottom - top)
            spans.append((0, count, round(whole, 4)))
            if whole > best[count]:
                came_from[count] = 0
    path = [count]
    while path[-1] > 0:
        path.append(int(came_from[path[-1]]))
    return spans, path[::-1]


def _shape(width: float, height: float) -> float:
    """Gives how well a box is shaped for a character, in nats; sizes in units of the height of the text."""
    too_wide = max(width - 1.0, 0.0)
    too_high = max(height - 1.7, 0.0)
    too_small = max(0.5 - max(width, height), 0.0)
    return float(-4 * too_wide**1.5 - 4 * too_high**1.5 - 10 * too_small)


# ---------------------------------------------------------------------------------------------------------------------
# Spaces


def _spaces(lines: list[_LaidOut]) -> list[list[int]]:
    """Finds the spaces of each line: the pieces that begin a word, but for the first."""
    gaps = []
    for line in lines:
        right = np.maximum.accumulate(line.boxes[:, 2])
        gaps.append(np.array([line.boxes[edge:, 0].min() - right[edge - 1] for edge in line.best[1:-1]]))
    expected = _USUAL_GAP
    page = np.concatenate(gaps) if gaps else np.zeros(0)
    if len(lines) > 1 and len(page):
        expected = _part_gaps(page, *_USUAL_GAP)[1], 0.25
    breaks = []
    for line, gap in zip(lines, gaps, strict=True):
        limit = _part_gaps(gap, *expected)[0] if len(gap) else np.inf
        breaks.append([edge for edge, wide in zip(line.best[1:-1], gap > limit, strict=True) if wide])
    return breaks


# Gaps are compared by the logarithm of gap plus half a height: of the distance from character to character, nearly.
_USUAL_GAP = (math.log(0.75), 0.3)
_GAP_SPREAD = 0.2
_SPACE_SPREAD = 0.3
_SPACE_ODDS = math.log(0.2 / 0.8)


def _part_gaps(gaps: NDArray[np.float64], expected: float, spread: float) -> tuple[float, float]:
    """Parts gaps into those between characters and those between words, by what explains them best.

    Args:
        gaps: float (N,), in units of the height of the text.
        expected: What the logarithm of gaps between characters is expected to be.
        spread: The standard deviation of that.

    Returns:
        The gap above which there is a space, infinite for none; and the logarithm for gaps between characters.
    """
    values = np.sort(np.log(np.clip(gaps, -0.2, None) + 0.5))
    count = len(values)
    best_cost, best_limit, best_mean = np.inf, np.inf, expected
    # A few of the narrowest may be within characters that fall apart.
    for within in sorted(
        {round(part * count) for part in (0, 0.05, 0.1, 0.2, 0.3, 0.4)} | ({1} if count > 1 else set())
    ):
        kept = values[within:]
        sums, squares = np.concatenate([[0], np.cumsum(kept)]), np.concatenate([[0], np.cumsum(kept**2)])
        for lower in range(len(kept) + 1):
            upper = len(kept) - lower
            mean = (sums[lower] / _GAP_SPREAD**2 + expected / spread**2) / (lower / _GAP_SPREAD**2 + 1 / spread**2)
            cost = (squares[lower] - 2 * mean * sums[lower] + lower * mean**2) / (2 * _GAP_SPREAD**2)
            cost += (mean - expected) ** 2 / (2 * spread**2) + 4 * within
            if upper:
                wide = (sums[-1] - sums[lower]) / upper
                if kept[lower] - mean < 0.4 or (lower and kept[lower] - kept[lower - 1] <= 0):
                    continue
                rest = (squares[-1] - squares[lower]) - upper * wide**2
                cost += rest / (2 * _SPACE_SPREAD**2) + upper * (math.log(_SPACE_SPREAD / _GAP_SPREAD) - _SPACE_ODDS)
                # Words of one character only are rare, however far apart characters are.
                cost += 1 + (4 * (upper - 1) if lower == 0 else 0)
            if cost < best_cost:
                best_cost, best_mean = cost, float(mean)
                below = kept[lower - 1] if lower else mean
                best_limit = math.exp((below + kept[lower]) / 2) - 0.5 if upper else np.inf
    return best_limit, best_mean

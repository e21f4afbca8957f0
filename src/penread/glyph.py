"""From an image to a glyph, and the last step that all glyphs share.

A glyph is what the network sees: (28, 28) uint8, ink 255 on 0, upright. EMNIST made its own from binary
characters of 128 pixels: blurred, cut to the character, centred by bounding box in a square, down-sampled
(Cohen et al. 2017, arXiv:1702.05373). Measured on its images, the result looks like a binary character drawn on
a grid of 56 pixels, blurred with sigma 1 and halved; so that is how glyphs are made here, whether from ink or
from an image. ``benchmarks/glyph_statistics.py`` prints both sides of the comparison.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from penread import paper
from penread.image import ImageSource, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Width and height of a glyph.
GLYPH_PX = 28
#: Width and height of the grid that a character is drawn on before it is blurred and halved.
GRID_PX = 2 * GLYPH_PX
#: The longer side of the character on that grid.
LONG_SIDE_PX = 45.0
#: Width of the pen on that grid: the median of EMNIST's strokes is 2.85 of 28 pixels
#: (``benchmarks/glyph_statistics.py``).
PEN_PX = 5.6
#: Standard deviation of the blur on that grid.
BLUR_PX = 1.0

# Detail beyond this many pixels on the longer side is far finer than the grid.
_WORKING_PX = 1024
# The edge of the ink, and the last trace of it that is looked for around edges that are softer than this.
_EDGE, _LEAST_TRACE = 0.5, 0.02
_SOFT_PX = 0.7
# Strokes of an image keep their width between these, as nearly all of EMNIST's do; thinner ones are drawn with the pen
# of ink. (The mean width by ``penread.paper.stroke_width``, on the grid.)
_THINNEST_PEN_PX, _THINNEST_SOFT_PEN_PX, _WIDEST_PEN_PX = 5.2, 3.0, 15.0
# The length of the foot that parts L from l, as a part of the height.
_FOOT = 0.33
# Pixels of the finer grid that strokes are redrawn on, to each pixel of the grid.
_FINE = 3


def blank_glyph() -> NDArray[np.uint8]:
    """Gives the glyph of no ink at all, uint8 (28, 28)."""
    return np.zeros((GLYPH_PX, GLYPH_PX), np.uint8)


def from_coverage(coverage: NDArray[np.float64], blur_px: float = BLUR_PX) -> NDArray[np.uint8]:
    """Blurs and halves a character drawn on the grid: the last step of every glyph.

    Args:
        coverage: float (56, 56), 0 for paper to 1 for ink.
        blur_px: Standard deviation of the blur; less for a character whose edges are soft already.

    Returns:
        The glyph, uint8 (28, 28), scaled so that its darkest pixel is 255.
    """
    halve = _blur_and_halve(blur_px)
    glyph = np.asarray(halve @ coverage @ halve.T)
    darkest = glyph.max()
    if darkest <= 0:
        return blank_glyph()
    glyph *= 255 / darkest
    return np.floor(glyph + 0.5).astype(np.uint8)


def from_image(image: ImageSource) -> NDArray[np.uint8]:
    """Turns an image of one character into its glyph, whatever the paper and the light, dark on light or light on dark.

    Args:
        image: A file, its content, a PIL image, or an array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16
            (12 or 16 bits), bool, or floats from 0 to 1. Transparency counts as paper.

    Returns:
        The glyph, uint8 (28, 28); all zeros where the image shows no ink.

    Raises:
        InputError: There is no such file, it is no image, or it has more than ``penread.image.MAX_PIXELS`` pixels.
    """
    shown, _ = picture(image, _WORKING_PX)
    ink = paper.character(shown)
    return blank_glyph() if ink is None else from_ink_map(ink)


def from_ink_map(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Turns a map of the ink of one character into its glyph.

    Args:
        ink: How much of each pixel is ink, float (H, W), 0 for paper to 1.

    Returns:
        The glyph, uint8 (28, 28); all zeros where there is no ink.
    """
    inked = ink > _EDGE
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if len(rows) == 0:
        return blank_glyph()
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    long_px = max(bottom - top, right - left)
    margin = 2 + long_px // 8
    ink = ink[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
    pen = paper.stroke_width(ink) * LONG_SIDE_PX / long_px
    placed = _place(ink, _EDGE)
    softness_px = _softness_px(placed)
    # A soft picture is small, or one of EMNIST's own: what it shows is left as it is as long as that will do.
    thinnest = _THINNEST_PEN_PX if softness_px < _SOFT_PX else _THINNEST_SOFT_PEN_PX
    if thinnest <= pen <= _WIDEST_PEN_PX:
        if softness_px >= _SOFT_PX:
            placed = _place(ink, _last_trace(ink))
        return from_coverage(placed, blur_px=max(BLUR_PX**2 - softness_px**2, 0.0) ** 0.5)
    wanted = PEN_PX if pen < thinnest else _WIDEST_PEN_PX
    return from_coverage(_place(_with_pen(ink, pen, wanted), _EDGE))


def _with_pen(ink: NDArray[np.float32], pen_px: float, wanted_px: float) -> NDArray[np.float32]:
    """Redraws a character with a wider or narrower pen, by moving its outline.

    Args:
        ink: The map, cut to the character.
        pen_px: The width of its strokes, in pixels of the grid.
        wanted_px: The width that they shall have.

    Returns:
        Another map, some pixels to each pixel of the grid.
    """
    import cv2  # noqa: PLC0415 - a tenth of a second that strokes don't have to wait for

    # Fine enough for the thinnest line to stay.
    finer = max(_FINE, min(2 / max(pen_px, 1e-3), 4 * _FINE))
    scale = finer * LONG_SIDE_PX / max(ink.shape)
    size = [max(round(side * scale), 1) for side in ink.shape[::-1]]
    fine = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    solid = np.pad((fine > min(_EDGE, float(fine.max()) / 2)).astype(np.uint8), round(finer * PEN_PX))
    grow = (wanted_px - pen_px) * finer / 2
    # Distances from the outline, above 0 inside. They matter on the side that it moves to; the other side stays ink, or
    # stays paper, and the least of them will do.
    if grow >= 0:
        inside = solid - cv2.distanceTransform(1 - solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    else:
        inside = cv2.distanceTransform(solid, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) - (1 - solid)
        # No stroke is worn away: half of the width of the thinnest stays.
        middles = inside[(inside >= cv2.dilate(inside, np.ones((5, 5), np.uint8))) & (inside > 0)]
        grow = max(grow, -float(np.percentile(middles, 5)) / 2)
    return np.asarray(np.clip(inside + grow + 0.5, 0, 1), dtype=np.float32)


def _place(ink: NDArray[np.float32], level: float) -> NDArray[np.float64]:
    """Scales a character to the grid and centres it by its bounding box.

    Args:
        ink: The map, float (H, W).
        level: What is ink by more than this counts for the box: ``_EDGE``, or less where soft edges do too.

    Returns:
        Float (56, 56), 0 to 1.
    """
    import cv2  # noqa: PLC0415 - a tenth of a second that strokes don't have to wait for

    inked = ink > level
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    long_side_px = LONG_SIDE_PX + 2 * BLUR_PX * NormalDist().inv_cdf(1 - level)
    # The square of the image that the grid shows, soft edges and border included.
    side = max(bottom - top, right - left) * GRID_PX / long_side_px
    corner_x, corner_y = (left + right - side) / 2, (top + bottom - side) / 2
    height, width = ink.shape
    pad_x = int(np.ceil(max(-corner_x, corner_x + side - width, 0)))
    pad_y = int(np.ceil(max(-corner_y, corner_y + side - height, 0)))
    shown = Image.fromarray(cv2.copyMakeBorder(ink, pad_y, pad_y, pad_x, pad_x, cv2.BORDER_CONSTANT))
    box = (corner_x + pad_x, corner_y + pad_y, corner_x + side + pad_x, corner_y + side + pad_y)
    placed = shown.resize((GRID_PX, GRID_PX), Image.Resampling.BICUBIC, box=box)
    return np.clip(np.asarray(placed, dtype=np.float64), 0, 1)


def _last_trace(ink: NDArray[np.float32]) -> float:
    """Finds the level down to which soft edges stand out of the noise.

    EMNIST cut its soft characters out by the last trace of ink, which lies outside of the edge, and the more so where
    strokes end round or thin.
    """
    import cv2  # noqa: PLC0415 - a tenth of a second that strokes don't have to wait for

    reach = 2 * max(round(max(ink.shape) / 14), 1) + 1
    around = cv2.dilate((ink > _EDGE).astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    # A picture that was cut out too close shows no trace beyond the edge.
    around[0] = around[-1] = around[:, 0] = around[:, -1] = False
    noise = float(ink[~around].max(initial=0))
    return min(max(1.2 * noise, _LEAST_TRACE), _EDGE)


def _softness_px(coverage: NDArray[np.float64]) -> float:
    """Estimates how blurred the edges of a character are: a standard deviation in pixels of the grid.

    Across an edge blurred with standard deviation s, the central difference at its middle is
    (cdf(1 / s) - cdf(-1 / s)) / 2; the steepest edges of a character are its clean ones.
    """
    down, across = np.gradient(coverage)
    edges = np.hypot(down, across)[(coverage > 0.3) & (coverage < 0.7)]
    if len(edges) == 0:
        return 0.0
    steepest = float(np.percentile(edges, 75))
    return 0.0 if steepest >= 0.499 else 1 / NormalDist().inv_cdf(0.5 + max(steepest, 0.05))


# Ink is always blurred as much; soft images each by what they lack.
@lru_cache(maxsize=16)
def _blur_and_halve(blur_px: float) -> NDArray[np.float64]:
    """Builds the matrix (28, 56) that blurs along one axis and takes the mean of each two pixels."""
    halve = np.repeat(np.eye(GLYPH_PX), 2, axis=1) / 2
    if blur_px < 0.1:
        return halve
    distance = np.subtract.outer(np.arange(GRID_PX), np.arange(GRID_PX))
    blur = np.exp(-0.5 * (distance / blur_px) ** 2)
    reach = np.exp(-0.5 * (np.arange(-GRID_PX, GRID_PX + 1) / blur_px) ** 2).sum()
    return np.asarray(halve @ (blur / reach))


def log_case_of_l(glyphs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Tells the two shapes of EMNIST's class L apart: L has a foot, l is a bar, perhaps with a tail.

    The class has more bars than feet. Where only L can be meant, a bar is I or 1 all the same, and the class must not
    stand in their way. In EMNIST's class the length of the foot has two heaps, below and above a third of the height.

    Args:
        glyphs: uint8 (N, 28, 28), of anything.

    Returns:
        Log-probabilities of L and of l, were it one of them, float (N, 2).
    """
    ink = glyphs > 127
    across = np.arange(GLYPH_PX, dtype=np.float64)
    inked = ink.any(axis=2)
    top = inked.argmax(axis=1)[:, None]
    height = np.maximum(inked.sum(axis=1), 1)[:, None]
    down = (across - top) / height
    # The stem is a straight line through the upper part; the foot is how far the lowest part goes to its right.
    stem = ink & ((down >= 0) & (down < 0.65))[:, :, None]
    count = np.maximum(stem.sum(axis=(1, 2)), 1)
    x, y = (stem.sum(axis=1) @ across) / count, (stem.sum(axis=2) @ across) / count
    off_x, off_y = across - x[:, None], across - y[:, None]
    covariance = np.einsum("nyx,nx,ny->n", stem, off_x, off_y)
    lean = covariance / np.maximum(np.einsum("nyx,ny->n", stem, off_y**2), 1e-9)
    from_stem = off_x[:, None, :] - lean[:, None, None] * off_y[:, :, None]
    lowest = ink & ((down >= 0.75) & (down <= 1))[:, :, None]
    foot = np.where(lowest, from_stem, 0.0).max(axis=(1, 2)) / height[:, 0]
    is_capital = np.clip(1 / (1 + np.exp(-(foot - _FOOT) / 0.04)), 0.02, 0.98)
    return np.asarray(np.log(np.stack([is_capital, 1 - is_capital], axis=1)))

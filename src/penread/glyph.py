"""From an image to a glyph, and the last step that all glyphs share.

A glyph is what the network sees: (28, 28) uint8, ink 255 on 0, upright. EMNIST made its own from binary
characters of 128 pixels: blurred, cut to the character, centred by bounding box in a square, down-sampled
(Cohen et al. 2017, arXiv:1702.05373). Measured on its images, the result looks like a binary character drawn on
a grid of 56 pixels, blurred with sigma 1 and halved; so that is how glyphs are made here, whether from ink or
from an image. ``benchmarks/glyph_statistics.py`` prints both sides of the comparison.
"""

from __future__ import annotations

import io
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from penread.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Width and height of a glyph.
GLYPH_PX = 28
#: Width and height of the grid that a character is drawn on before it is blurred and halved.
GRID_PX = 2 * GLYPH_PX
#: The longer side of the character on that grid.
LONG_SIDE_PX = 45.0
#: Standard deviation of the blur on that grid.
BLUR_PX = 1.0
#: Images with more pixels are refused.
MAX_PIXELS = 40_000_000
#: Images are read in these formats.
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

# Detail beyond this many pixels on the longer side is far finer than the grid.
_WORKING_PX = 1024
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Integers fill 8, 12 or 16 bits, as scanners and cameras give them; floats hold the same, or go to 1.
_INTEGER_TOPS = (255, 4095, 65535)
# Ink must differ from paper by this much, of 255; JPEG noise and the grain of paper differ by less.
_MIN_CONTRAST = 32


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


def from_image(image: Path | str | bytes | Image.Image | NDArray[np.generic]) -> NDArray[np.uint8]:
    """Turns an image of one character, dark on light or light on dark, into its glyph.

    Args:
        image: A file, its content, a PIL image, or an array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16
            (12 or 16 bits), bool, or floats from 0 to 1. Transparency counts as paper.

    Returns:
        The glyph, uint8 (28, 28); all zeros where the image shows no ink.

    Raises:
        InputError: There is no such file, it is no image, or it has more than ``MAX_PIXELS`` pixels.
    """
    ink = _ink_from_paper(_grey_levels(image))
    if ink is None:
        return blank_glyph()
    coverage = _place(ink)
    return from_coverage(coverage, blur_px=max(BLUR_PX**2 - _softness_px(coverage) ** 2, 0.0) ** 0.5)


def _grey_levels(image: Path | str | bytes | Image.Image | NDArray[np.generic]) -> NDArray[np.float64]:
    """Gives grey levels, 0 for black to 255 for white, float (H, W), upright and of a size to work with."""
    if isinstance(image, np.ndarray):
        return _grey(_from_array(image))
    try:
        if isinstance(image, Image.Image):
            _check_pixels(image)
            return _grey(image)
        source = io.BytesIO(image) if isinstance(image, bytes) else image
        with Image.open(source, formats=IMAGE_FORMATS) as opened:
            _check_pixels(opened)
            opened.draft(None, (_WORKING_PX, _WORKING_PX))
            return _grey(opened)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"There is no file {image!s}.") from error
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(f"{image!s} can't be read: {error.strerror}.") from error
    except UnidentifiedImageError as error:
        raise InputError(f"This is no image that can be read. The formats are {', '.join(IMAGE_FORMATS)}.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(_too_large("far more")) from error
    # A damaged file makes Pillow's decoders raise whatever they stumble on, and the list is open.
    except Exception as error:
        raise InputError(f"The image is damaged, incomplete or of an unusual kind ({error}).") from error


def _check_pixels(image: Image.Image) -> None:
    pixels = image.width * image.height
    if pixels == 0:
        raise InputError("The image has no pixels.")
    if pixels > MAX_PIXELS:
        raise InputError(_too_large(f"{pixels:,}"))


def _too_large(pixels: str) -> str:
    return f"The image has {pixels} pixels; {MAX_PIXELS:,} is the most. Make it smaller."


def _from_array(array: NDArray[np.generic]) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2 and not (array.ndim == 3 and array.shape[2] in {3, 4}):
        raise InputError(f"An image array is (H, W), (H, W, 3) or (H, W, 4); this one is {array.shape}.")
    if array.size == 0:
        raise InputError("The image has no pixels.")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise InputError(_too_large(f"{array.shape[0] * array.shape[1]:,}"))
    if array.dtype == np.uint8:
        return Image.fromarray(array)
    if array.dtype == np.bool_:
        return Image.fromarray(array.astype(np.uint8) * np.uint8(255))
    if array.dtype == np.uint16:
        return Image.fromarray(_to_8_bit(array, _INTEGER_TOPS))
    if np.issubdtype(array.dtype, np.floating):
        levels = array.astype(np.float64)
        if not (np.isfinite(levels).all() and levels.min() >= 0 and levels.max() <= 1):
            raise InputError("An image array of floats goes from 0 to 1, without NaN; this one does not.")
        return Image.fromarray(np.floor(levels * 255 + 0.5).astype(np.uint8))
    raise InputError(f"An image array is of uint8, uint16, bool or floats, not {array.dtype}.")


def _grey(image: Image.Image) -> NDArray[np.float64]:
    turn = _UPRIGHT.get(_orientation(image))
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        image = Image.fromarray(
            _to_8_bit(np.asarray(image), (1, *_INTEGER_TOPS) if image.mode == "F" else _INTEGER_TOPS)
        )
    # Pillow shrinks pictures with a palette or of one bit by leaving pixels out: they become others first.
    image = image.convert("RGBA" if image.has_transparency_data else "L" if image.mode in {"1", "L"} else "RGB")
    image.thumbnail((_WORKING_PX, _WORKING_PX), Image.Resampling.BOX)
    if turn is not None:
        image = image.transpose(turn)
    if image.mode != "RGBA":
        return np.asarray(image.convert("L"), dtype=np.float64)
    rgba = np.asarray(image, dtype=np.float64)
    alpha, luminance = rgba[:, :, 3] / 255, rgba[:, :, :3] @ (0.299, 0.587, 0.114)
    return np.asarray(luminance * alpha + _paper_behind(luminance, alpha) * (1 - alpha))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    # A photograph with damaged notes about itself is still a photograph.
    except Exception:  # noqa: BLE001 - Pillow's parser raises whatever it stumbles on
        return 1


def _to_8_bit(levels: NDArray[np.generic], tops: tuple[int, ...]) -> NDArray[np.uint8]:
    """Brings deeper levels to 8 bits, from the narrowest of the ranges 0 to ``tops`` that holds them."""
    low, high = float(levels.min()), float(levels.max())
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is None:
        raise InputError(f"The image has levels from {low:g} to {high:g}; 0 to 65535 is what can be read.")
    return (levels.astype(np.float32) * np.float32(255 / top) + np.float32(0.5)).astype(np.uint8)


def _paper_behind(luminance: NDArray[np.float64], alpha: NDArray[np.float64]) -> float:
    """Picks the level of the paper that transparency shows."""
    shown = alpha.sum()
    if shown == 0:
        return 255.0
    mean = float((luminance * alpha).sum() / shown)
    spread = float(((luminance - mean) ** 2 * alpha).sum() / shown) ** 0.5
    if spread < _MIN_CONTRAST:
        # Nothing but ink: light ink on clear paper is meant for a dark page, dark ink for a light one.
        return 0.0 if mean > 127 else 255.0
    # The picture has paper of its own, as a card on a clear ground has; most of it is paper.
    return float(np.median(luminance[alpha > 0.5])) if (alpha > 0.5).any() else 255.0


def _ink_from_paper(grey: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Tells ink from paper: float (H, W), 0 for paper to 1 for ink; None where there is no ink."""
    dark = grey <= _otsu(grey)
    border = np.ones_like(dark)
    border[1:-1, 1:-1] = False
    # The border is paper, unless the picture is cut so close that ink is on it too: then most of the picture is
    # paper, and in doubt paper is light.
    on_border = float(dark[border].mean())
    paper_is_dark = on_border > 0.5 if on_border < 0.05 or on_border > 0.95 else bool(dark.mean() > 0.65)
    of_paper = (dark == paper_is_dark) & border
    paper = float(np.median(grey[of_paper if of_paper.any() else dark == paper_is_dark]))
    contrast = np.clip(grey - paper if paper_is_dark else paper - grey, 0, None)
    if contrast.max() < _MIN_CONTRAST:
        return None
    inked = contrast > max(_otsu(contrast), _MIN_CONTRAST / 2)
    full = float(np.median(contrast[inked]))
    return np.asarray(np.clip(contrast / full, 0, 1))


def _otsu(levels: NDArray[np.float64]) -> float:
    """Finds the threshold that parts levels in two most evenly (Otsu 1979)."""
    counts, edges = np.histogram(levels, bins=256)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    sum_below = np.cumsum(counts * middles)[:-1]
    sum_above = (counts * middles).sum() - sum_below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sum_below / below - sum_above / above) ** 2
    return float(middles[int(np.nan_to_num(between).argmax())])


def _place(ink: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scales the character to the grid and centres it by its bounding box: float (56, 56), 0 to 1."""
    inked = ink > 0.5
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    # The square of the image that the grid shows, soft edges and border included.
    side = max(bottom - top, right - left) * GRID_PX / LONG_SIDE_PX
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    pad = int(np.ceil(side)) + 1
    picture = Image.fromarray(np.pad(ink, pad).astype(np.float32))
    box = (
        middle_x - side / 2 + pad,
        middle_y - side / 2 + pad,
        middle_x + side / 2 + pad,
        middle_y + side / 2 + pad,
    )
    placed = picture.resize((GRID_PX, GRID_PX), Image.Resampling.BICUBIC, box=box)
    return np.clip(np.asarray(placed, dtype=np.float64), 0, 1)


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


def _blur_and_halve(blur_px: float) -> NDArray[np.float64]:
    """Builds the matrix (28, 56) that blurs along one axis and takes the mean of each two pixels."""
    halve = np.repeat(np.eye(GLYPH_PX), 2, axis=1) / 2
    if blur_px < 0.1:
        return halve
    distance = np.subtract.outer(np.arange(GRID_PX), np.arange(GRID_PX))
    blur = np.exp(-0.5 * (distance / blur_px) ** 2)
    reach = np.exp(-0.5 * (np.arange(-GRID_PX, GRID_PX + 1) / blur_px) ** 2).sum()
    return np.asarray(halve @ (blur / reach))

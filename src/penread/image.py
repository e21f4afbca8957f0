"""From any image to an upright picture: formats, bit depths, transparency, rotation, and the bounds that hold for all.

What a picture shows, ink or paper, is the business of ``penread.paper``.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from penread.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Images with more pixels are refused.
MAX_PIXELS = 40_000_000
#: Images are read in these formats.
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")

#: An image: a file, its content, a PIL image, or an array.
ImageSource = Path | str | bytes | Image.Image | np.ndarray

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
_SWAPS_SIDES = {_UPRIGHT[orientation] for orientation in (5, 6, 7, 8)}
# Integers fill 8, 12 or 16 bits, as scanners and cameras give them; floats hold the same, or go to 1.
_INTEGER_TOPS = (255, 4095, 65535)
# A PNG has one profile; the letters of its name may stand in compressed data by chance.
_MAX_PROFILES = 8
# Of PPM in plain text.
_MAX_PLAIN_BYTES = 4_000_000
# Levels that differ by less, of 255, are one colour with noise.
_MIN_CONTRAST = 32


def picture(image: ImageSource, longest_px: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Decodes an image, sets it upright, lays transparency on paper, and shrinks it where it is larger than needed.

    Args:
        image: A file, its content, a PIL image, or an array (H, W), (H, W, 3) or (H, W, 4) of uint8, uint16
            (12 or 16 bits), bool, or floats from 0 to 1.
        longest_px: The most pixels that the longer side keeps.

    Returns:
        The picture, uint8 (H, W) where it has no colour, else RGB, uint8 (H, W, 3); and width and height of the image
        when it is upright, in its own pixels.

    Raises:
        InputError: There is no such file, it is no image, or it has more than ``MAX_PIXELS`` pixels.
    """
    if isinstance(image, np.ndarray):
        return _shrunk(_from_array(image), longest_px)
    try:
        if isinstance(image, Image.Image):
            return _shrunk(image, longest_px)
        if isinstance(image, bytes):
            _check_effort(image)
        source = io.BytesIO(image) if isinstance(image, bytes) else image
        with Image.open(source, formats=IMAGE_FORMATS) as opened:
            _check_pixels(opened)
            size = opened.size
            # A JPEG can be decoded smaller at once.
            is_draft = opened.draft(None, (longest_px, longest_px)) is not None
            return _upright(opened, longest_px, size if is_draft else None)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"There is no file {image!s}.") from error
    except (IsADirectoryError, PermissionError) as error:
        raise InputError(f"{image!s} can't be read: {error.strerror}.") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"This is no image that can be read. The formats are {', '.join(IMAGE_FORMATS)}; for PDFs there is "
            "`penread read`."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(_too_large("far more")) from error
    # A damaged file makes Pillow's decoders raise whatever they stumble on, and the list is open.
    except Exception as error:
        raise InputError(f"The image is damaged, incomplete or of an unusual kind ({error}).") from error


def count_pixels(image: bytes) -> int:
    """Counts the pixels of an image file by its head alone: 0 where it is none that can be read."""
    try:
        with Image.open(io.BytesIO(image), formats=IMAGE_FORMATS) as opened:
            return opened.width * opened.height
    # As above; what is wrong with it is told when it is read.
    except Exception:  # noqa: BLE001
        return 0


def _shrunk(image: Image.Image, longest_px: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    _check_pixels(image)
    return _upright(image, longest_px, None)


def _check_effort(content: bytes) -> None:
    """Refuses files that are made to take minutes: Pillow unzips every profile, and takes text apart byte by byte."""
    if content.startswith(b"\x89PNG") and content.count(b"iCCP") > _MAX_PROFILES:
        raise InputError("The image has many colour profiles, where one is allowed.")
    if content[:2] in {b"P1", b"P2", b"P3"} and len(content) > _MAX_PLAIN_BYTES:
        raise InputError(f"An image in plain text has at most {_MAX_PLAIN_BYTES:,} bytes; save it as PNG.")


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


def _upright(
    image: Image.Image, longest_px: int, size: tuple[int, int] | None
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Gives levels and upright size of an image; ``size`` is that of the file where it is decoded smaller."""
    # Pillow turns TIFFs itself when it loads them, and then they say no more that they want to be turned.
    image.load()
    width, height = size or image.size
    turn = _UPRIGHT.get(_orientation(image))
    return _levels(image, longest_px, turn), (height, width) if turn in _SWAPS_SIDES else (width, height)


def _levels(image: Image.Image, longest_px: int, turn: Image.Transpose | None) -> NDArray[np.uint8]:
    if image.mode in {"I", "F"} or image.mode.startswith("I;"):
        image = Image.fromarray(
            _to_8_bit(np.asarray(image), (1, *_INTEGER_TOPS) if image.mode == "F" else _INTEGER_TOPS)
        )
    # Pillow shrinks pictures with a palette or of one bit by leaving pixels out: they become others first.
    image = image.convert("RGBA" if image.has_transparency_data else "L" if image.mode in {"1", "L"} else "RGB")
    image.thumbnail((longest_px, longest_px), Image.Resampling.BOX)
    if turn is not None:
        image = image.transpose(turn)
    if image.mode != "RGBA":
        return np.asarray(image)
    rgba = np.asarray(image, dtype=np.float32)
    alpha = rgba[:, :, 3:] / 255
    luminance = rgba[:, :, :3] @ np.array((0.299, 0.587, 0.114), np.float32)
    paper = _paper_behind(luminance, alpha[:, :, 0])
    return np.asarray(rgba[:, :, :3] * alpha + paper * (1 - alpha) + np.float32(0.5)).astype(np.uint8)


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


def _paper_behind(luminance: NDArray[np.floating], alpha: NDArray[np.floating]) -> float:
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

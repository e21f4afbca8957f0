"""From files to pages: images, TIFF files of several pages, PDFs, and ink.

    >>> with opened(Path("form.pdf")) as document:  # doctest: +SKIP
    ...     for number in range(1, document.count + 1):
    ...         print(recognizer.read(document.page(number)).text)

A page is made when it is asked for, and nothing of it is kept: a thousand pages take the memory of one. Use a document
from one thread at a time.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from penread.errors import InputError
from penread.image import IMAGE_FORMATS
from penread.ink import Ink
from penread.recognizer import PAGE_PX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from penread.image import ImageSource

#: Files with more pages are refused.
MAX_PAGES = 10_000
#: Files of ink that are larger are refused.
MAX_INK_BYTES = 16 * 1024 * 1024
#: A PDF's pages are drawn with as many pixels on their longer side as a page is read with: 220 to the inch on A4.
PDF_LONGER_SIDE_PX = PAGE_PX

# Small pages aren't drawn finer than scanners see.
_PDF_FINEST = 300 / 72
# Readers of PDFs allow that much of something else, as a printer's commands, before a PDF's first bytes.
_HEAD_BYTES = 1024
_TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TIFF_KIND, _TIFF_IS_PREVIEW = 254, 1


@dataclass(frozen=True)
class Document:
    """An open file.

    Attributes:
        count: How many pages it has.
        page: Gives the page of a number, from 1, as something that ``Recognizer.read`` takes. It is good until the
            next one is asked for. Raises InputError where that page is damaged; others may still be read.
    """

    count: int
    page: Callable[[int], Ink | ImageSource]


@contextmanager
def opened(file: Path) -> Iterator[Document]:
    """Opens a file to read its pages.

    What it is, its content tells; but ink must be in a file named ``.json``, in the form of the HTTP API:
    ``{"strokes": [[[x, y], ...], ...]}``. Of a picture that moves (GIF, WebP, PNG), the first frame is the page, and of
    a photograph in several versions the first; of a TIFF, every picture but previews of others.

    Args:
        file: An image, a PDF, or ink.

    Raises:
        InputError: The file can't be opened, has no pages or more than ``MAX_PAGES``, or is a PDF with a password.
    """
    try:
        with file.open("rb") as content:
            head = content.read(_HEAD_BYTES)
    except FileNotFoundError as error:
        raise InputError("There is no such file.") from error
    except OSError as error:
        raise InputError(f"It can't be read: {error.strerror}.") from error
    if file.suffix.lower() == ".json":
        yield Document(1, lambda _: ink(file))
    elif b"%PDF-" in head:
        with _pdf(file) as document:
            yield document
    elif head.startswith(_TIFF_HEADS):
        with _tiff(file) as document:
            yield document
    else:
        yield Document(1, lambda _: file)


def ink(file: Path) -> Ink:
    """Reads a file of ink, ``{"strokes": [[[x, y], ...], ...]}``.

    Raises:
        InputError: The file can't be read, is larger than ``MAX_INK_BYTES``, or holds no ink.
    """
    try:
        with file.open("rb") as content:
            encoded = content.read(MAX_INK_BYTES + 1)
        if len(encoded) > MAX_INK_BYTES:
            raise InputError(f"The file has more than {MAX_INK_BYTES:,} bytes, the most for ink.")
        return Ink(json.loads(encoded)["strokes"])
    except OSError as error:
        raise InputError(f"{error.strerror}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError('This is no ink: give JSON as {"strokes": [[[x, y], ...], ...]}.') from error


def expand(paths: Iterable[Path]) -> list[Path]:
    """Puts the images and PDFs of a folder in its place, as people number them: ``page 2`` before ``page 10``.

    Args:
        paths: Files and folders.

    Raises:
        InputError: A folder can't be listed, or has neither images nor PDFs in it; its own folders aren't looked into.
    """
    # Pillow knows by what names the formats go; it learns them when asked to open something.
    Image.init()
    suffixes = {".pdf", *(suffix for suffix, kind in Image.registered_extensions().items() if kind in IMAGE_FORMATS)}
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        try:
            inside = [each for each in path.iterdir() if each.suffix.lower() in suffixes and each.is_file()]
        except OSError as error:
            raise InputError(f"{path} can't be listed: {error.strerror}.") from error
        if not inside:
            raise InputError(f"{path} is a folder without images or PDFs.")
        files += sorted(inside, key=lambda each: _as_numbered(each.name))
    return files


def _as_numbered(name: str) -> list[int | str]:
    # Digits and others take turns, so like is compared with like.
    return [int(piece) if at % 2 else piece for at, piece in enumerate(re.split(r"([0-9]+)", name.lower()))]


@contextmanager
def _tiff(file: Path) -> Iterator[Document]:
    try:
        image = Image.open(file, formats=("TIFF",))
    # It says why when it is read, as any image does.
    except Exception:  # noqa: BLE001 - Pillow raises whatever it stumbles on
        yield Document(1, lambda _: file)
        return
    with image:
        frames = _frames(image)

        def page(number: int) -> Image.Image:
            _seek(image, frames[number - 1])
            return image

        yield Document(_checked(len(frames)), page)


def _frames(image: Image.Image) -> list[int]:
    """Lists the pictures of a TIFF that are pages; one that can't be reached is, for it shall be reported."""
    frames: list[int] = []
    for number in range(MAX_PAGES + 1):
        try:
            image.seek(number)
        except EOFError:
            break
        except Exception:  # noqa: BLE001 - Pillow raises whatever it stumbles on
            return [*frames, number]
        if not image.tag_v2.get(_TIFF_KIND, 0) & _TIFF_IS_PREVIEW:  # type: ignore[attr-defined]  # a TIFF's image has it
            frames.append(number)
    # A file of nothing but previews means them.
    return frames or list(range(number))


def _seek(image: Image.Image, frame: int) -> None:
    try:
        image.seek(frame)
    except Exception as error:
        raise InputError(f"The page is damaged, or the file is incomplete from here on ({error}).") from error


@contextmanager
def _pdf(file: Path) -> Iterator[Document]:
    import pypdfium2  # noqa: PLC0415 - a tenth of a second that images don't have to wait for
    from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY  # noqa: PLC0415 - as above

    try:
        pdf = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if error.err_code in {FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY}:
            raise InputError("The PDF has a password: save it without one.") from error
        raise InputError(
            "The PDF is damaged, incomplete or without pages: open it elsewhere and save it anew."
        ) from error

    def page(number: int) -> Image.Image:
        try:
            shown = pdf[number - 1]
            try:
                longer_side = max(shown.get_size())
                if not longer_side > 0:
                    raise InputError("The page has no size.")
                scale = min(PDF_LONGER_SIDE_PX / longer_side, _PDF_FINEST)
                drawn: Image.Image = shown.render(scale=scale).to_pil()
                return drawn
            finally:
                shown.close()
        # Of a page of absurd size, pypdfium2 can't make the picture, and says so with a ValueError.
        except (pypdfium2.PdfiumError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"The page is damaged ({error}).") from error

    try:
        yield Document(_checked(len(pdf)), page)
    finally:
        pdf.close()


def _checked(pages: int) -> int:
    if pages == 0:
        raise InputError("The file has no pages.")
    if pages > MAX_PAGES:
        raise InputError(f"The file has more than {MAX_PAGES:,} pages, the most that is read at once: split it.")
    return pages

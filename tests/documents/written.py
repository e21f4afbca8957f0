"""Pages that the tests write themselves, as strokes, pictures and PDFs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from tests.made import drawn

if TYPE_CHECKING:
    from pathlib import Path

_CHARS = {each["label"]: each["strokes"] for each in drawn()}


def strokes_of(*lines: str) -> list[list[list[float]]]:
    """Writes lines out of the characters that ``tests.made`` can draw: 100 high, 200 from line to line."""
    strokes = []
    for number, line in enumerate(lines):
        x = 0.0
        for char in line:
            if char == " ":
                x += 70
                continue
            shape = _CHARS[char]
            strokes += [[[at + x, y + 200 * number] for at, y in stroke] for stroke in shape]
            x += max(at for stroke in shape for at, _ in stroke) + 25
    return strokes


def page_of(
    *lines: str, size: tuple[int, int] = (1240, 1754), ink: int = 20, paper: int = 255, corner: int = 150
) -> Image.Image:
    """Writes lines on a page, as a scan of A4 at 150 dots an inch shows it."""
    page = Image.new("L", size, paper)
    pen = ImageDraw.Draw(page)
    for stroke in strokes_of(*lines):
        pen.line([(corner + 0.8 * x, corner + 0.8 * y) for x, y in stroke], fill=ink, width=9, joint="curve")
    return page


def save_pages(file: Path, *pages: Image.Image) -> Path:
    """Saves pages as one PDF or TIFF."""
    # A picture keeps how it was encoded last, and TIFF can't do with what PDF leaves.
    first, *others = [Image.fromarray(np.asarray(page)) for page in pages]
    first.save(file, save_all=True, append_images=others)
    return file


def pdf_of(*objects: str, trailer: str = "") -> bytes:
    """Writes a PDF out of its objects, numbered from 1; the first is the catalogue."""
    content, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(content))
        content += f"{number} 0 obj\n{each}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        content
        + (
            f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(content)}\n%%EOF\n"
        ).encode()
    )


def pdf_with_pages(count: int, box: str = "0 0 200 300", entries: str = "") -> bytes:
    """Writes a PDF of empty pages."""
    kids = " ".join(f"{number} 0 R" for number in range(3, 3 + count))
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] {entries} >>"
    return pdf_of(
        "<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {count} >>", *[page] * count
    )


def locked_pdf() -> bytes:
    """Writes a PDF that opens with a password only."""
    secret = "<" + "5a" * 32 + ">"
    lock = f"<< /Filter /Standard /V 1 /R 2 /O {secret} /U {secret} /P -4 >>"
    return pdf_of(
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 300] >>",
        lock,
        trailer=f"/Encrypt 4 0 R /ID [<{'00' * 16}> <{'00' * 16}>]",
    )

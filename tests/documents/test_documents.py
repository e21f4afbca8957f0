"""From files to pages: real files of each kind, whole and broken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import TiffImagePlugin

from penread import Ink, InputError
from penread.documents import MAX_INK_BYTES, MAX_PAGES, PDF_LONGER_SIDE_PX, expand, opened
from tests.documents.written import (
    locked_pdf,
    page_of,
    pdf_of,
    pdf_with_pages,
    save_pages,
    strokes_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from penread import Recognizer


def texts(file: Path, recognizer: Recognizer) -> list[str]:
    with opened(file) as document:
        return [recognizer.read(document.page(number)).text for number in range(1, document.count + 1)]


def sizes(file: Path) -> list[tuple[int, int]]:
    with opened(file) as document:
        # A page is good until the next is asked for.
        return [document.page(number).size for number in range(1, document.count + 1)]  # type: ignore[union-attr, misc]


@pytest.mark.parametrize("name", ["scan.pdf", "scan.tif", "SCAN.TIFF", "scan.dat"])
def test_every_page_is_read_in_order(name: str, tmp_path: Path, recognizer: Recognizer) -> None:
    file = tmp_path / name
    if name == "scan.dat":
        # What a file is, its content tells.
        save_pages(tmp_path / "scan.pdf", page_of("HEAT"), page_of(), page_of("MEN", "WET")).rename(file)
    else:
        save_pages(file, page_of("HEAT"), page_of(), page_of("MEN", "WET"))
    assert texts(file, recognizer) == ["HEAT", "", "MEN\nWET"]


@pytest.mark.parametrize("name", ["page.png", "page.jpg", "page.webp", "page.bmp", "page.ppm"])
def test_a_picture_is_one_page(name: str, tmp_path: Path, recognizer: Recognizer) -> None:
    page_of("HEAT").save(tmp_path / name)
    assert texts(tmp_path / name, recognizer) == ["HEAT"]


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "moving.png"])
def test_of_a_moving_picture_the_first_frame_is_the_page(name: str, tmp_path: Path, recognizer: Recognizer) -> None:
    page_of("HEAT").save(tmp_path / name, save_all=True, append_images=[page_of("MEN"), page_of("WET")], lossless=True)
    assert texts(tmp_path / name, recognizer) == ["HEAT"]


def test_of_a_photograph_in_several_versions_the_first_is_the_page(tmp_path: Path, recognizer: Recognizer) -> None:
    pages = [page.convert("RGB") for page in (page_of("HEAT"), page_of("MEN"))]
    pages[0].save(tmp_path / "photo.jpg", "MPO", save_all=True, append_images=pages[1:])
    assert texts(tmp_path / "photo.jpg", recognizer) == ["HEAT"]


def test_previews_in_a_tiff_are_no_pages(tmp_path: Path) -> None:
    preview = page_of("HEAT").resize((124, 175))
    preview.encoderinfo = {"tiffinfo": TiffImagePlugin.ImageFileDirectory_v2()}
    preview.encoderinfo["tiffinfo"][254] = 1
    page_of("HEAT").save(tmp_path / "scan.tif", save_all=True, append_images=[preview, page_of(size=(300, 200))])
    assert sizes(tmp_path / "scan.tif") == [(1240, 1754), (300, 200)]


def test_ink_is_one_page(tmp_path: Path, recognizer: Recognizer) -> None:
    file = tmp_path / "ink.json"
    file.write_text(json.dumps({"strokes": strokes_of("HEAT", "MEN")}))
    with opened(file) as document:
        assert document.count == 1
        assert isinstance(document.page(1), Ink)
    assert texts(file, recognizer) == ["HEAT\nMEN"]


@pytest.mark.parametrize(
    ("box", "entries", "size"),
    [
        ("0 0 595 842", "", (1838, PDF_LONGER_SIDE_PX)),  # A4
        ("0 0 595 842", "/Rotate 90", (PDF_LONGER_SIDE_PX, 1838)),
        ("0 0 72 144", "", (300, 600)),  # one inch by two: not finer than 300 dots an inch
        ("0 0 14400 7200", "", (PDF_LONGER_SIDE_PX, 1300)),
        ("100 100 300 500", "", (834, 1667)),
        ("0 0 5 50000", "", (1, PDF_LONGER_SIDE_PX)),
    ],
)
def test_pages_of_a_pdf_are_drawn_fit_for_reading(
    box: str, entries: str, size: tuple[int, int], tmp_path: Path
) -> None:
    (tmp_path / "scan.pdf").write_bytes(pdf_with_pages(1, box, entries))
    [drawn] = sizes(tmp_path / "scan.pdf")
    np.testing.assert_allclose(drawn, size, atol=2)


def test_thousands_of_pages_are_opened_one_by_one(tmp_path: Path) -> None:
    file = tmp_path / "long.pdf"
    file.write_bytes(pdf_with_pages(3000))
    with opened(file) as document:
        assert document.count == 3000
        assert document.page(2999).size == (834, 1250)  # type: ignore[union-attr]  # a PDF's are pictures
    file.write_bytes(pdf_with_pages(MAX_PAGES + 1))
    with pytest.raises(InputError, match="more than 10,000 pages"), opened(file):
        pass


def broken_pdf() -> bytes:
    return b"%PDF-1.4\n" + bytes(range(256)) * 20


def empty_pdf() -> bytes:
    return pdf_of("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 0 >>")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("locked.pdf", locked_pdf(), "has a password: save it without one"),
        ("broken.pdf", broken_pdf(), "damaged, incomplete or without pages"),
        ("head.pdf", b"%PDF-", "damaged, incomplete or without pages"),
        ("empty.pdf", empty_pdf(), "damaged, incomplete or without pages"),
        ("nothing.pdf", b"", "no image that can be read"),
        ("text.png", b"no image", "no image that can be read"),
        ("broken.tif", b"II*\0\xff\xff\xff\xff", "no image that can be read|damaged"),
        ("head.tif", b"II*\0", "no image that can be read|damaged"),
        ("wrong.json", b'{"strokes": 5}', "This is no ink"),
        ("list.json", b"[]", "This is no ink"),
        ("deep.json", b"[" * 100_000, "This is no ink"),
        ("bytes.json", b"\xff\xfe\xff", "This is no ink"),
        ("far.json", b'{"strokes": [[[1e9, 0]]]}', "within"),
    ],
)
def test_what_cannot_be_read_is_told(
    name: str, content: bytes, message: str, tmp_path: Path, recognizer: Recognizer
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        texts(tmp_path / name, recognizer)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"), opened(tmp_path / "missing.pdf"):
        pass
    with pytest.raises(InputError, match="Is a directory"), opened(tmp_path):
        pass


def test_ink_of_too_many_bytes_is_refused(tmp_path: Path, recognizer: Recognizer) -> None:
    (tmp_path / "ink.json").write_bytes(b'{"strokes": []}' + b" " * MAX_INK_BYTES)
    with pytest.raises(InputError, match="16,777,216 bytes"):
        texts(tmp_path / "ink.json", recognizer)


def test_the_good_pages_of_a_torn_tiff_are_read(tmp_path: Path, recognizer: Recognizer) -> None:
    file = save_pages(tmp_path / "scan.tif", page_of("HEAT"), page_of("MEN"), page_of("WET"))
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with opened(file) as document:
        assert recognizer.read(document.page(1)).text == "HEAT"
        assert document.count > 1
        with pytest.raises(InputError, match="damaged"):
            recognizer.read(document.page(document.count))


def test_a_damaged_page_leaves_the_others(tmp_path: Path, recognizer: Recognizer) -> None:
    content = save_pages(tmp_path / "scan.pdf", page_of("HEAT"), page_of("MEN")).read_bytes()
    # The first of the two page objects loses what makes it one.
    first = content.index(b"/Type /Page\n") if b"/Type /Page\n" in content else content.index(b"/Type /Page ")
    (tmp_path / "scan.pdf").write_bytes(content[:first] + b"/Type /Nope" + content[first + 11 :])
    with opened(tmp_path / "scan.pdf") as document:
        assert document.count == 2
        with pytest.raises(InputError, match="The page is damaged"):
            document.page(1)
        assert recognizer.read(document.page(2)).text == "MEN"


def test_a_folder_is_its_images_and_pdfs_as_people_number_them(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    (folder / "inside.png").mkdir(parents=True)
    for name in ("page 10.png", "page 2.JPG", "page².png", "form.pdf", "notes.txt", "ink.json", "Page 1.tif"):
        (folder / name).write_bytes(b"")
    given = [tmp_path / "missing.png", folder, tmp_path / "ink.json"]
    names = [path.name for path in expand(given)]
    assert names == ["missing.png", "form.pdf", "Page 1.tif", "page 2.JPG", "page 10.png", "page².png", "ink.json"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="without images or PDFs"):
        expand([tmp_path / "empty"])

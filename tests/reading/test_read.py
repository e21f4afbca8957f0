"""Whole pages: photographed, turned, dark, empty, hostile; and strokes side by side."""

from __future__ import annotations

import csv
import io
import json
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw

from penread import CharsetError, Ink, InputError, Recognizer
from penread.prediction import REJECTED_CHAR
from tests.conftest import HAS_SHARED, ROOT, SHARED
from tests.documents.written import strokes_of
from tests.lines.composed import LAYOUTS, Layout, Page, compose
from tests.made import drawn
from tests.reading.hostile import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBERS = Layout(chars="0123456789", lines=(3, 3), words=(2, 3), letters=(3, 6))
CAPITALS = Layout(chars="ABCDEFGHJKLMNPRTWXYZ", lines=(3, 3), words=(2, 3), letters=(3, 6))


def text_of(page: Page) -> str:
    return "\n".join(" ".join("".join(char.char for char in word) for word in line) for line in page.lines)


def photographed(page: Page) -> Image.Image:
    """The page as blue ink on paper under a lamp, as a JPEG."""
    ink = np.pad(page.ink_map(), 40)[:, :, None]
    levels = (1 - ink) * (248, 246, 240) + ink * (35, 50, 150)
    rows, columns = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]]
    levels *= (1.05 - 0.5 * (columns / ink.shape[1]) * (rows / ink.shape[0]))[:, :, None]
    levels += np.random.default_rng(1).normal(0, 4, levels.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=80)
    return Image.open(io.BytesIO(buffer.getvalue()))


def alike(one: str, other: str) -> float:
    """The part of two texts that is the same, spaces and line ends counted."""
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


@pytest.mark.parametrize(
    ("layout", "charset", "least"),
    [
        (NUMBERS, "digits", 0.95),
        (CAPITALS, "upper", 0.95),
        (replace(NUMBERS, skew=8.0), "digits", 0.95),
        (replace(CAPITALS, skew=-9.0), "upper", 0.95),
        (replace(NUMBERS, touching=0.3), "digits", 0.88),
        (replace(CAPITALS, height_px=28, pen_px=2.5), "upper", 0.95),
    ],
    ids=["numbers", "capitals", "numbers, turned", "capitals, turned", "numbers, touching", "capitals, small"],
)
def test_a_photographed_page_is_read(recognizer: Recognizer, layout: Layout, charset: str, least: float) -> None:
    ratios = []
    for seed in range(3):
        page = compose(layout, seed)
        reading = recognizer.read(photographed(page), charset=charset, unclear_above=1)
        assert len(reading.lines) == len(page.lines)
        ratios.append(alike(reading.text, text_of(page)))
    assert np.mean(ratios) > least, ratios


def on_a_table(image: Image.Image) -> Image.Image:
    turned = image.convert("RGBA").rotate(5, expand=True, resample=Image.Resampling.BICUBIC)
    table = Image.new("RGB", (turned.width + 200, turned.height + 160), (90, 60, 40))
    table.paste(turned, (90, 70), turned)
    return table


def with_dark_edges(image: Image.Image) -> Image.Image:
    edged = image.convert("RGB").copy()
    draw = ImageDraw.Draw(edged)
    draw.rectangle((0, 0, 9, edged.height), fill=(15, 15, 15))
    draw.rectangle((0, 0, edged.width, 4), fill=(15, 15, 15))
    return edged


def on_squared_paper(image: Image.Image) -> Image.Image:
    paper = Image.new("RGB", image.size, (255, 255, 255))
    draw = ImageDraw.Draw(paper)
    for place in range(12, max(image.size), 40):
        draw.line((0, place, image.width, place + image.width // 100), fill=(150, 165, 200), width=2)
        draw.line((place, 0, place - image.height // 100, image.height), fill=(150, 165, 200), width=2)
    return ImageChops.multiply(image.convert("RGB"), paper)


def in_the_dark(image: Image.Image) -> Image.Image:
    return Image.eval(image.convert("RGB"), lambda level: 255 - level)


def under_a_hard_shadow(image: Image.Image) -> Image.Image:
    levels = np.array(image.convert("RGB"))
    levels[:, levels.shape[1] // 2 :] = levels[:, levels.shape[1] // 2 :] * 0.55
    return Image.fromarray(levels)


@pytest.mark.parametrize(
    "surroundings", [on_a_table, with_dark_edges, on_squared_paper, in_the_dark, under_a_hard_shadow]
)
def test_what_is_around_the_writing_does_not_matter(
    recognizer: Recognizer, surroundings: Callable[[Image.Image], Image.Image]
) -> None:
    for seed in range(2):
        page = compose(CAPITALS, seed)
        reading = recognizer.read(surroundings(photographed(page)), charset="upper", unclear_above=1)
        assert alike(reading.text, text_of(page)) > 0.88


@pytest.mark.parametrize("gap", [0, 20], ids=["a comb", "boxes"])
@pytest.mark.parametrize("filled", ["A7ET3", "A7E"])
def test_form_boxes_are_no_characters(recognizer: Recognizer, gap: int, filled: str) -> None:
    strokes = {each["label"]: [np.array(stroke) for stroke in each["strokes"]] for each in drawn()}
    form = Image.new("L", (760, 240), 250)
    draw = ImageDraw.Draw(form)
    for cell in range(6):
        left = 60 + cell * (90 + gap)
        draw.rectangle((left, 70, left + 90, 160), outline=20, width=3)
        if cell < len(filled):
            low = np.concatenate(strokes[filled[cell]]).min(axis=0)
            for stroke in strokes[filled[cell]]:
                path = (stroke - low) * 0.52 + (left + 24, 90)
                draw.line([(float(x), float(y)) for x, y in path], fill=40, width=6, joint="curve")
    assert recognizer.read(form).text.replace(" ", "") == filled


def test_strokes_are_read_like_their_image(recognizer: Recognizer) -> None:
    found = missed = 0
    for seed in range(3):
        page = compose(NUMBERS, seed)
        by_ink = recognizer.read(page.ink(shuffled=True), charset="digits", unclear_above=1)
        assert alike(by_ink.text, text_of(page)) > 0.93
        assert len(by_ink.lines) == len(page.lines)
        found += by_ink.text.count(" ")
        missed += abs(by_ink.text.count(" ") - text_of(page).count(" "))
    assert missed <= 0.1 * found


def test_every_character_has_its_place(recognizer: Recognizer) -> None:
    page = compose(replace(CAPITALS, lines=(1, 1)), 4)
    image = photographed(page)
    for factor in (1, 3):
        large = image.resize((image.width * factor, image.height * factor))
        reading = recognizer.read(large)
        assert (reading.width, reading.height) == large.size
        [line] = reading.lines
        truth = [char for word in page.lines[0] for char in word]
        assert len(line.characters) == len(truth)
        for char, read in zip(truth, line.characters, strict=True):
            wanted = (char.box(page.layout.pen_px / page.layout.height_px) * page.layout.height_px + 40) * factor
            box = (read.box.left, read.box.top, read.box.right, read.box.bottom)
            np.testing.assert_allclose(box, wanted, atol=3 * factor)
            assert line.box.left <= read.box.left < read.box.right <= line.box.right


@pytest.mark.parametrize(("width", "height"), [(3001, 1999), (1777, 3333), (2600, 7), (641, 480)])
@pytest.mark.parametrize("kind", ["array", "PNG", "JPEG", "TIFF"])
def test_the_size_is_that_of_the_upright_image(recognizer: Recognizer, kind: str, width: int, height: int) -> None:
    page = np.full((height, width), 255, np.uint8)
    assert size_of(recognizer, page) == (width, height)
    if kind == "array":
        return
    for turned in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turned
        buffer = io.BytesIO()
        Image.fromarray(page).save(buffer, kind, exif=exif)
        assert size_of(recognizer, buffer.getvalue()) == ((width, height) if turned < 5 else (height, width)), turned
        opened = Image.open(io.BytesIO(buffer.getvalue()))
        assert size_of(recognizer, opened) == ((width, height) if turned < 5 else (height, width)), turned


def size_of(recognizer: Recognizer, source: Image.Image | np.ndarray | bytes) -> tuple[float, float]:
    reading = recognizer.read(source)
    return reading.width, reading.height


def test_places_are_right_along_both_sides_of_a_strip(recognizer: Recognizer) -> None:
    """Sides are shrunk to whole pixels: a narrow one by another factor than a long one."""
    width, height = 20801, 204
    page = np.full((height, width), 255, np.uint8)
    for left in range(1000, width, 2000):
        page[24:, left : left + 48] = 0
    reading = recognizer.read(page, unclear_above=1)
    boxes = [each.box for line in reading.lines for each in line.characters]
    assert boxes
    assert max(box.bottom for box in boxes) == pytest.approx(height)


def test_wrong_options_are_told_before_anything_is_read(
    recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_image: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"top_k": 0}, InputError, "top_k is 0"),
        ({"charset": "ß"}, CharsetError, "no class"),
        ({"charset": ["digits", "ß"]}, CharsetError, "no class"),
        ({"charset": ["digits", 5]}, CharsetError, "not int"),
        ({"unclear_above": 1.5}, InputError, "unclear_above is 1.5"),
    ]
    for options, kind, message in no_image:
        with pytest.raises(kind, match=message):
            recognizer.read(b"this is no image", **options)
    ran: list[np.ndarray] = []
    monkeypatch.setattr(recognizer, "score", ran.append)
    with pytest.raises(InputError, match="3 charsets for 2 lines: give one for all lines, or one for each"):
        recognizer.read(photographed(compose(replace(NUMBERS, lines=(2, 2)), 1)), charset=["digits"] * 3)
    assert not ran


def test_one_character_is_a_line_of_one(recognizer: Recognizer) -> None:
    for each in drawn():
        reading = recognizer.read(Ink(each["strokes"]), context=False)
        [line] = reading.lines
        [character] = line.characters
        assert reading.text == line.text == character.char
        assert character.char == recognizer.predict(Ink(each["strokes"])).char


@pytest.mark.parametrize("charset", ["O", "A", "x", "1"])
def test_with_one_character_allowed_everything_is_that_for_certain(recognizer: Recognizer, charset: str) -> None:
    reading = recognizer.read(Ink(strokes_of("HEAT MEN", "377")), charset=charset)
    assert set(reading.text) <= {charset, " ", "\n", REJECTED_CHAR}
    for line in reading.lines:
        for each in line.characters:
            assert [candidate.char for candidate in each.candidates] == [charset]
            assert 0.99 < each.candidates[0].confidence <= 1


def test_a_charset_for_each_line(recognizer: Recognizer) -> None:
    page = compose(replace(NUMBERS, lines=(2, 2)), 1)
    image = photographed(page)
    reading = recognizer.read(image, charset=["digits", "upper"], unclear_above=1)
    assert reading.lines[0].text.replace(" ", "").isdigit()
    assert reading.lines[1].text.replace(" ", "").isupper()
    with pytest.raises(InputError, match="1 charset for 2 lines"):
        recognizer.read(image, charset=["digits"])
    with pytest.raises(CharsetError, match="no class"):
        recognizer.read(image, charset="ß")


def test_scribbles_among_words_are_marked(recognizer: Recognizer) -> None:
    page = compose(replace(NUMBERS, lines=(1, 1), words=(1, 1), letters=(4, 4)), 2)
    right = max(stroke[:, 0].max() for stroke in page.ink().strokes)
    rng = np.random.default_rng(2)
    corner = np.array([right + 30, page.ink().strokes[0][:, 1].min()])
    scribble = corner + rng.uniform(0, 100, (60, 2))
    reading = recognizer.read(Ink([*page.ink().strokes, scribble]), charset="digits")
    assert "\N{REPLACEMENT CHARACTER}" in reading.text
    unclear = [each for line in reading.lines for each in line.characters if each.rejected]
    assert unclear
    assert all(each.char is None and each.reason and each.candidates for each in unclear)


EMPTY: dict[str, Image.Image | np.ndarray | Ink] = {
    "white": np.full((300, 400), 255, np.uint8),
    "black": np.zeros((300, 400), np.uint8),
    "one pixel": np.zeros((1, 1), np.uint8),
    "a line of pixels": np.full((1, 5000), 255, np.uint8),
    "grain": np.random.default_rng(1).integers(236, 256, (300, 400), dtype=np.uint8),
    "strong grain": np.clip(np.random.default_rng(1).normal(240, 8, (300, 400)), 0, 255).astype(np.uint8),
    "gradient": np.tile(np.linspace(120, 255, 400), (300, 1)).astype(np.uint8),
    "transparent": Image.new("RGBA", (50, 50), (0, 0, 0, 0)),
    "no strokes": Ink([]),
    "strokes without points": Ink([[], []]),
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_page_has_no_lines(recognizer: Recognizer, name: str) -> None:
    reading = recognizer.read(EMPTY[name])
    assert reading.lines == []
    assert reading.text == ""


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and has no pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("verb", ["read", "predict"])
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (png_header(20_000, 20_000), "400,000,000 pixels|far more pixels"),
        (png_header(300, 300), "damaged"),
        (b"just some text, renamed .png", "no image"),
        (b"", "no image"),
        (12, "Give Ink"),
        ([[1, 2]], "Give Ink"),
    ],
    ids=["20,000 pixels wide", "no pixels", "text", "nothing", "a number", "a list"],
)
def test_what_is_no_page_is_told(recognizer: Recognizer, verb: str, source, message: str) -> None:
    with pytest.raises(InputError, match=message):
        getattr(recognizer, verb)(source)


@pytest.mark.parametrize("coordinate", [np.nan, np.inf, -np.inf, 1e300])
def test_strokes_out_of_bounds_are_told(coordinate: float) -> None:
    with pytest.raises(InputError, match="coordinate"):
        Ink([[[0.0, 0.0], [coordinate, 1.0]]])


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_writing_takes_bounded_time_and_memory(name: str) -> None:
    """In a process of its own, which can tell what it took at most: OpenCV's memory and ONNX Runtime's, too."""
    command = [sys.executable, "-m", "tests.reading.hostile", name]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    # Stripes may be taken for ones; the rest for hardly anything.
    assert told["accepted"] < 60 or told["accepted"] < 0.5 * told["total"] or name == "stripes"
    assert told["more_bytes"] < 1 << 30


def test_the_first_frame_of_an_animation_is_read(recognizer: Recognizer) -> None:
    page = photographed(compose(replace(NUMBERS, lines=(1, 1)), 3)).convert("P")
    buffer = io.BytesIO()
    page.save(buffer, "GIF", save_all=True, append_images=[Image.new("P", page.size, 255)] * 3, duration=100)
    reading = recognizer.read(buffer.getvalue(), charset="digits", unclear_above=1)
    assert len(reading.lines) == 1


@pytest.mark.parametrize("kind", ["CMYK JPEG", "16-bit TIFF", "palette PNG", "grey WebP"])
def test_pages_of_unusual_kinds(recognizer: Recognizer, kind: str) -> None:
    page = compose(replace(NUMBERS, lines=(2, 2)), 5)
    image = photographed(page)
    buffer = io.BytesIO()
    if kind == "CMYK JPEG":
        image.convert("CMYK").save(buffer, "JPEG")
    elif kind == "16-bit TIFF":
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257).save(buffer, "TIFF")
    elif kind == "palette PNG":
        image.quantize(32).save(buffer, "PNG")
    else:
        image.convert("L").save(buffer, "WEBP")
    expected = recognizer.read(image, charset="digits").text
    assert alike(recognizer.read(buffer.getvalue(), charset="digits").text, expected) > 0.9


@pytest.mark.parametrize("layout", ["wide apart", "two words", "mixed, many lines"])
def test_context_can_be_switched_off(recognizer: Recognizer, layout: str) -> None:
    page = compose(LAYOUTS[layout], 3)
    for context in (True, False):
        reading = recognizer.read(page.ink(), context=context)
        assert len(reading.lines) == len(page.lines)
        for line in reading.lines:
            for each in line.characters:
                assert 0 <= each.confidence <= 1
                assert [one.confidence for one in each.candidates] == sorted(
                    (one.confidence for one in each.candidates), reverse=True
                )


def scanned_pages() -> list[tuple[Path | Image.Image, str]]:
    """Pages with their text: three scans in blue pen where they are at hand, else pages made here."""
    if HAS_SHARED:
        folder = SHARED / "photos" / "pages"
        with (folder / "truth.csv").open(newline="", encoding="utf-8") as rows:
            return [(folder / row["file"], row["text"]) for row in csv.DictReader(rows)]
    wide = (LAYOUTS["wide apart"], LAYOUTS["wide apart, with spaces"])
    made = [compose(replace(layout, chars=CAPITALS.chars), seed) for seed, layout in enumerate(wide)]
    return [(photographed(page), text_of(page)) for page in made]


def test_lines_spaces_and_characters_of_a_scan(recognizer: Recognizer) -> None:
    for page, text in scanned_pages():
        charset = "digits" if text.replace("\n", "").isdigit() else "upper"
        reading = recognizer.read(page, charset=charset)
        assert [line.count(" ") for line in reading.text.splitlines()] == [
            line.count(" ") for line in text.splitlines()
        ]
        assert alike(reading.text, text) >= 0.98

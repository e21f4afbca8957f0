"""Images turned into glyphs: any polarity, format and size, and a clear word where there is no image."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from penread import Ink, InputError, Recognizer, to_glyph
from penread.image import MAX_PIXELS
from penread.training.data import load
from tests.made import drawn


def letter(side: int = 200, ink: int = 0, paper: int = 255) -> Image.Image:
    """An F, drawn off-centre with a pen of an eighth of its height."""
    image = Image.new("L", (side, side), paper)
    draw = ImageDraw.Draw(image)
    left, top, size, pen = 0.2 * side, 0.1 * side, 0.5 * side, 0.06 * side
    for x0, y0, x1, y1 in ((0, 0, pen, size), (0, 0, 0.6 * size, pen), (0, 0.45 * size, 0.5 * size, 0.45 * size + pen)):
        draw.rectangle((left + x0, top + y0, left + x1, top + y1), fill=ink)
    return image


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference of two glyphs, of 255."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


REFERENCE = to_glyph(letter())


def test_the_glyph_is_upright_centred_and_of_emnists_size() -> None:
    rows = np.flatnonzero((REFERENCE > 127).any(axis=1))
    columns = np.flatnonzero((REFERENCE > 127).any(axis=0))
    assert len(rows) in {22, 23}
    assert abs(rows[0] + rows[-1] - 27) <= 1
    assert abs(columns[0] + columns[-1] - 27) <= 1
    assert REFERENCE[:14].sum() > REFERENCE[14:].sum()
    assert REFERENCE[:, :14].sum() > REFERENCE[:, 14:].sum()


@pytest.mark.parametrize(
    "image",
    [
        letter(ink=255, paper=0),
        letter(ink=60, paper=180),
        letter(ink=230, paper=40),
        letter(side=60),
        letter(side=1500),
        letter().convert("RGB"),
        letter().convert("1"),
        letter().convert("P"),
        letter().convert("CMYK"),
        letter().convert("I"),
        letter().convert("F"),
        np.asarray(letter()),
        np.asarray(letter().convert("RGB")),
        np.asarray(letter())[:, :, None],
        np.asarray(letter()) > 127,
        np.asarray(letter()).astype(np.uint16) * 257,
        np.asarray(letter()) / 255.0,
        Image.fromarray(np.asarray(letter()).astype(np.uint16) * 257),
        encoded(letter(), "PNG"),
        encoded(letter().convert("RGB"), "JPEG", quality=60),
        encoded(letter().convert("RGB"), "WEBP"),
        encoded(letter(), "GIF"),
        encoded(letter(), "BMP"),
        encoded(letter(), "TIFF"),
        encoded(Image.fromarray(np.asarray(letter()).astype(np.uint16) * 257), "PNG"),
    ],
    ids=lambda image: f"{type(image).__name__}",
)
def test_the_glyph_does_not_depend_on_how_the_image_comes(image) -> None:
    assert difference(to_glyph(image), REFERENCE) < 4


@pytest.mark.parametrize("ink", [0, 255], ids=["dark ink", "light ink"])
@pytest.mark.parametrize("behind", [0, 255], ids=["black behind", "white behind"])
def test_transparency_is_paper(ink: int, behind: int) -> None:
    alpha = np.asarray(letter(ink=255, paper=0))
    colour = np.where(alpha > 0, ink, behind).astype(np.uint8)
    image = Image.merge("RGBA", [Image.fromarray(colour)] * 3 + [Image.fromarray(alpha)])
    assert difference(to_glyph(image), REFERENCE) < 4
    assert difference(to_glyph(encoded(image, "PNG")), REFERENCE) < 4


def test_a_photo_lying_on_its_side_is_set_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise when shown
    turned = encoded(letter().convert("RGB").transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    assert difference(to_glyph(turned), REFERENCE) < 4


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_of_every_kind_is_set_upright(kind: str, orientation: int) -> None:
    # What undoes each orientation: EXIF 2.32, 4.6.4.A.
    laid = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = letter().convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = encoded(image if laid is None else image.transpose(laid), kind, exif=exif)
    assert difference(to_glyph(stored), REFERENCE) < 4
    assert difference(to_glyph(Image.open(io.BytesIO(stored))), REFERENCE) < 4


def test_paper_stays_paper_and_ink_ink_with_any_pen() -> None:
    for pen in range(4, 140, 2):
        image = Image.new("L", (400, 400), 255)
        for box in ((40, 40, 40 + pen, 359), (40, 360 - pen, 359, 359)):
            ImageDraw.Draw(image).rectangle(box, fill=0)
        glyph = to_glyph(image)
        beside = np.concatenate([glyph[0], glyph[-1], glyph[:, 0], glyph[:, -1], glyph[:10, -10:].ravel()])
        assert beside.max() == 0, pen
        assert glyph[-8:].max(axis=0)[5:23].min() >= 128, pen


def test_an_image_that_is_passed_in_stays_as_it_is() -> None:
    image = Image.open(io.BytesIO(encoded(letter(3000), "JPEG")))
    to_glyph(image)
    assert image.size == (3000, 3000)


@pytest.mark.filterwarnings("ignore:Truncated File Read")
def test_a_photo_with_damaged_exif_is_still_read() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(letter().convert("RGB").transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    # The orientation's type made one that it can't have.
    damaged = turned.replace(b"\x01\x12\x00\x03", b"\x01\x12\x00\x0c")
    assert damaged != turned
    assert to_glyph(damaged).max() == 255


@pytest.mark.parametrize("polarity", ["dark on light", "light on dark"])
@pytest.mark.parametrize("margin", [0, 1, 8])
def test_a_close_cut_does_not_turn_ink_into_paper(polarity: str, margin: int) -> None:
    for drawing in drawn():
        glyph = Ink(drawing["strokes"]).glyph()
        picture = Image.fromarray(255 - glyph).resize((140, 140), Image.Resampling.BICUBIC)
        expected = to_glyph(picture)
        box = Image.eval(picture, lambda level: 255 * (level < 128)).getbbox()
        assert box
        close = picture.crop((box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin))
        if polarity == "light on dark":
            if (np.asarray(close) < 128).mean() > 0.3:
                continue  # as much ink as paper: nobody can tell, and dark ink is the more usual
            close = Image.eval(close, lambda level: 255 - level)
        assert difference(to_glyph(close), expected) < 14, drawing["label"]


@pytest.mark.parametrize("clear", [0, 255])
def test_a_card_on_a_clear_ground_keeps_its_own_paper(clear: int) -> None:
    card = Image.new("RGBA", (300, 300), (clear, clear, clear, 0))
    card.paste(letter().convert("RGBA"), (50, 60))
    assert difference(to_glyph(card), REFERENCE) < 4


@pytest.mark.parametrize("bits", [12, 16])
def test_deep_images_use_the_range_of_their_kind(bits: int) -> None:
    deep = (np.asarray(letter()).astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
    for image in (
        deep,
        Image.fromarray(deep),
        encoded(Image.fromarray(deep), "PNG"),
        encoded(Image.fromarray(deep), "TIFF"),
    ):
        assert difference(to_glyph(image), REFERENCE) < 4
    # What noise there is stays noise.
    grain = (
        np.full((60, 60), 1 << (bits - 1)) + np.random.default_rng(1).integers(0, 1 << (bits - 8), (60, 60))
    ).astype(np.uint16)
    assert to_glyph(Image.fromarray(grain)).max() == 0


def test_floats_near_a_half_are_blank() -> None:
    levels = 0.5 + np.random.default_rng(1).uniform(-0.001, 0.001, (50, 50))
    assert to_glyph(Image.fromarray(levels.astype(np.float32))).max() == 0


SEEDS = [
    encoded(letter(60), "PNG"),
    encoded(letter(60).convert("RGBA"), "PNG"),
    encoded(letter(60).convert("P"), "PNG"),
    encoded(letter(60).convert("RGB"), "JPEG"),
    encoded(letter(60), "TIFF"),
    encoded(Image.fromarray(np.zeros((9, 9), np.float32)), "TIFF"),
    encoded(letter(60), "GIF"),
    encoded(letter(60).convert("RGB"), "WEBP"),
    encoded(letter(60), "BMP"),
    encoded(letter(60), "PPM"),
]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=4)), max_size=6))
@settings(max_examples=400, deadline=None)
def test_damaged_files_are_read_or_told(seed: bytes, changes: list[tuple[int, bytes]]) -> None:
    damaged = bytearray(seed)
    for place, content in changes:
        damaged[place : place + len(content)] = content
    with contextlib.suppress(InputError):
        glyph = to_glyph(bytes(damaged))
        assert glyph.shape == (28, 28)
        assert glyph.dtype == np.uint8


def test_a_path_is_read(tmp_path: Path) -> None:
    path = tmp_path / "letter.png"
    letter().save(path)
    np.testing.assert_array_equal(to_glyph(path), REFERENCE)
    np.testing.assert_array_equal(to_glyph(str(path)), REFERENCE)


def test_a_glyph_stays_as_it_is() -> None:
    assert to_glyph(REFERENCE) is REFERENCE


def test_a_small_dark_on_light_array_is_a_picture() -> None:
    assert difference(to_glyph(255 - REFERENCE), REFERENCE) < 12


@pytest.mark.parametrize("scale", [1, 3, 8])
@pytest.mark.parametrize("polarity", ["ink 255", "ink 0"])
def test_the_picture_of_a_glyph_is_read_as_the_glyph(
    recognizer: Recognizer, small_emnist: Path, scale: int, polarity: str
) -> None:
    glyphs = load(small_emnist, "pool47", "test").images[:100]
    sheets = []
    for glyph in glyphs:
        shown = glyph if polarity == "ink 255" else 255 - glyph
        sheet = Image.new("L", (28 * scale + 50, 28 * scale + 20), int(shown[0, 0]))
        sheet.paste(Image.fromarray(shown).resize((28 * scale, 28 * scale), Image.Resampling.BICUBIC), (40, 5))
        sheets.append(sheet)
    by_glyph, by_picture = recognizer.predict_many(glyphs), recognizer.predict_many(sheets)
    same = [one.char == other.char for one, other in zip(by_glyph, by_picture, strict=True)]
    assert np.mean(same) >= 0.85


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_image_is_a_blank_glyph(level: int) -> None:
    rng = np.random.default_rng(1)
    flat = np.full((100, 120), level, np.uint8)
    grain = np.clip(flat + rng.normal(0, 3, flat.shape), 0, 255).astype(np.uint8)
    assert to_glyph(flat).max() == 0
    assert to_glyph(grain).max() == 0
    assert to_glyph(Image.new("RGBA", (50, 50), (0, 0, 0, 0))).max() == 0
    assert to_glyph(np.full((1, 1), level, np.uint8)).max() == 0


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "no image that can be read"),
        (b"GIF89a", "damaged|no image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "The formats are PNG"),
        (encoded(letter(), "PNG")[:200], "damaged, incomplete"),
        (encoded(letter().convert("RGB"), "JPEG")[:500], "damaged, incomplete"),
        (Path("no-such-file.png"), "no file no-such-file.png"),
        (Path(), "directory"),
        (np.zeros((3, 4, 5), np.uint8), r"this one is \(3, 4, 5\)"),
        (np.zeros((0, 4), np.uint8), "no pixels"),
        (np.zeros((9, 9), np.int64), "not int64"),
        (np.full((9, 9), 7.0), "from 0 to 1"),
        (np.full((9, 9), np.nan), "from 0 to 1"),
        (Image.new("1", (MAX_PIXELS, 2)), "80,000,000 pixels; 40,000,000 is the most"),
        (encoded(Image.new("1", (10_000, 4_001)), "PNG"), "40,010,000 pixels"),
        (encoded(Image.new("1", (30_000, 30_000)), "PNG"), "pixels; 40,000,000 is the most"),
        (Image.fromarray(np.full((9, 9), np.nan, np.float32)), "levels from nan"),
        (Image.fromarray(np.full((9, 9), -1, np.float32)), "levels from -1"),
        (12, "can't be read: int"),
        ([[0, 0]], "Give Ink"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_image_is_told(image, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_glyph(image)

"""Characters on real paper: under a lamp, in a shadow, on ruled and squared paper, in a box, with any pen, as JPEG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw

from penread import Ink, to_glyph
from tests.made import drawn

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 320
# Where the character is drawn, and how high.
LEFT, TOP, HEIGHT = 90, 70, 170


def drawing(strokes, *, pen: float = 14, ink=(20, 20, 40), paper=(250, 250, 248)) -> Image.Image:
    """Draws strokes on a sheet."""
    fine = 3
    image = Image.new("RGB", (SIDE * fine, SIDE * fine), paper)
    draw = ImageDraw.Draw(image)
    scale = HEIGHT / 100
    radius = pen * fine / 2
    for stroke in strokes:
        path = [((LEFT + x * scale) * fine, (TOP + y * scale) * fine) for x, y in stroke]
        draw.line(path, fill=ink, width=round(2 * radius), joint="curve")
        for x, y in path:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def lit(image: Image.Image, light: np.ndarray) -> Image.Image:
    levels = np.asarray(image, np.float64) * light[:, :, None]
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


ROWS, COLUMNS = np.mgrid[0:SIDE, 0:SIDE] / SIDE
RNG = np.random.default_rng(1)


def lamp(image: Image.Image) -> Image.Image:
    return lit(image, 1.05 - 0.75 * np.hypot(ROWS - 0.1, COLUMNS - 0.9) / 1.3)


def shadow(image: Image.Image) -> Image.Image:
    return lit(image, np.where(COLUMNS + 0.3 * ROWS > 0.62, 0.5, 1.0))


def half_in_the_dark(image: Image.Image) -> Image.Image:
    return lit(image, np.clip(1.3 - 1.6 * ROWS, 0.3, 1))


def vignette(image: Image.Image) -> Image.Image:
    return lit(image, 1 - 0.9 * ((ROWS - 0.5) ** 2 + (COLUMNS - 0.5) ** 2))


def grain(image: Image.Image) -> Image.Image:
    levels = np.asarray(image, np.float64) + np.random.default_rng(1).normal(0, 9, (SIDE, SIDE, 1))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, quality: int = 25) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue()))


def printed_beneath(image: Image.Image, lines: list[tuple[int, int, int, int]]) -> Image.Image:
    """Prints faint blue lines on the paper, under the ink."""
    paper = Image.new("RGB", image.size, (255, 255, 255))
    draw = ImageDraw.Draw(paper)
    for line in lines:
        draw.line(line, fill=(150, 180, 220), width=2)
    return ImageChops.multiply(image, paper)


def ruled(image: Image.Image) -> Image.Image:
    return printed_beneath(image, [(0, y, SIDE, y + 4) for y in range(30, SIDE, 64)])


def squared(image: Image.Image) -> Image.Image:
    places = range(12, SIDE, 34)
    return printed_beneath(
        image, [line for place in places for line in ((0, place, SIDE, place), (place, 0, place, SIDE))]
    )


def boxed(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).rectangle((48, 36, 275, 285), outline=(30, 30, 30), width=3)
    return image


def boxed_to_the_edge(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).rectangle((0, 0, SIDE - 1, SIDE - 1), outline=(30, 30, 30), width=4)
    return image


def specks(image: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(image)
    for x, y in np.random.default_rng(3).integers(5, SIDE - 5, (25, 2)).tolist():
        draw.rectangle((x, y, x + 2, y + 1), fill=(60, 60, 60))
    return image


def neighbours(image: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(image)
    draw.line([(0, 60), (18, 150), (0, 210)], fill=(20, 20, 40), width=14, joint="curve")
    draw.line([(SIDE, 90), (SIDE - 14, 170)], fill=(20, 20, 40), width=14)
    return image


def scanned_with_an_edge(image: Image.Image) -> Image.Image:
    ImageDraw.Draw(image).rectangle((0, 0, 7, SIDE), fill=(15, 15, 15))
    return image


def on_a_turned_card(image: Image.Image) -> Image.Image:
    turned = image.convert("RGBA").rotate(4, expand=True, resample=Image.Resampling.BICUBIC)
    table = Image.new("RGB", (2 * SIDE, 2 * SIDE), (120, 80, 50))
    table.paste(turned, (130, 180), turned)
    return table.rotate(-4, resample=Image.Resampling.BICUBIC, fillcolor=(120, 80, 50))


def on_a_card(image: Image.Image) -> Image.Image:
    table = Image.new("RGB", (3 * SIDE, 2 * SIDE), (120, 80, 50))
    table.paste(image, (500, 180))
    return table


@pytest.mark.parametrize(
    "change",
    [
        lamp,
        shadow,
        half_in_the_dark,
        vignette,
        grain,
        jpeg,
        ruled,
        squared,
        boxed,
        boxed_to_the_edge,
        specks,
        neighbours,
        on_a_card,
        on_a_turned_card,
        scanned_with_an_edge,
        lambda image: lamp(ruled(image)),
        lambda image: jpeg(grain(shadow(image))),
        lambda image: Image.eval(image, lambda level: 255 - level),
        lambda image: lamp(Image.eval(image, lambda level: 255 - level)),
    ],
    ids=lambda change: change.__name__,
)
def test_what_is_around_a_character_is_taken_away(change: Callable[[Image.Image], Image.Image]) -> None:
    worst = []
    for each in drawn():
        expected = Ink(each["strokes"]).glyph().astype(int)
        glyph = to_glyph(change(drawing(each["strokes"])))
        worst.append((float(np.abs(glyph - expected).mean()), each["label"]))
    assert np.median([difference for difference, _ in worst]) < 10, sorted(worst)[-5:]
    assert max(worst)[0] < 22, sorted(worst)[-5:]


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ((200, 30, 40), (250, 250, 248)),
        ((40, 60, 190), (250, 250, 248)),
        ((30, 140, 60), (245, 240, 215)),
        ((150, 150, 150), (250, 250, 248)),
        ((255, 225, 0), (250, 250, 248)),
        ((235, 40, 40), (20, 130, 30)),
        ((240, 240, 235), (25, 70, 50)),
        ((255, 255, 0), (40, 40, 160)),
        ((0, 0, 0), (200, 20, 30)),
        ((20, 20, 60), (190, 150, 110)),
    ],
)
def test_pens_and_papers_of_any_colour(ink, paper) -> None:
    for each in drawn():
        expected = Ink(each["strokes"]).glyph().astype(int)
        glyph = to_glyph(jpeg(drawing(each["strokes"], ink=ink, paper=paper), quality=75))
        assert np.abs(glyph - expected).mean() < 16, each["label"]


@pytest.mark.parametrize("pen", [2, 5, 10, 20, 30])
def test_the_width_of_the_pen_does_not_matter(pen: float) -> None:
    differences = [
        np.abs(to_glyph(drawing(each["strokes"], pen=pen)) - Ink(each["strokes"]).glyph().astype(int)).mean()
        for each in drawn()
    ]
    assert np.median(differences) < 15


@pytest.mark.parametrize("side", [60, 150, 240])
def test_a_filled_square_is_no_outline(side: int) -> None:
    image = Image.new("L", (SIDE, SIDE), 250)
    ImageDraw.Draw(image).rectangle((10, 10, 10 + side, 10 + side), fill=20)
    assert (to_glyph(image)[8:20, 8:20] > 200).all()


def test_a_thick_part_of_a_character_is_no_sheet() -> None:
    image = drawing([[[0, 0], [0, 100]], [[0, 0], [30, 30], [60, 0]], [[60, 0], [60, 100]]], pen=10)
    ImageDraw.Draw(image).rounded_rectangle((LEFT + 75, TOP - 25, LEFT + 140, TOP + 50), 12, fill=(20, 20, 40))
    glyph = to_glyph(image)
    assert (glyph[20:24] > 127).any(axis=0).sum() >= 2
    assert np.ptp(np.flatnonzero((glyph[20:24] > 127).any(axis=0))) > 8

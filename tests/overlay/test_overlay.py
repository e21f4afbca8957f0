"""What was read, drawn on its page: in the right places, in the right colours, readable on any paper."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from penread import Box, Candidate, Character, Ink, Reading, Recognizer, TextLine
from penread.overlay import LONGER_SIDE_PX, draw
from tests.documents.written import page_of, strokes_of

SURE, UNSURE, REJECTED = (0x0B, 0x5F, 0xA5), (0xA6, 0x53, 0x00), (0xB0, 0x00, 0x40)


def reading_of(*characters: Character, size: tuple[float, float] = (400, 300)) -> Reading:
    return Reading([TextLine("", Box(0, 0, *size), list(characters))], *size)


def character(char: str | None, confidence: float, box: Box) -> Character:
    if char is None:
        return Character(None, confidence, [Candidate("K", 0.9)], "unclear", "unknown", box)
    return Character(char, confidence, [Candidate(char, confidence)], None, None, box)


def places(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int] | None:
    """The box around all pixels of a colour: left, top, right, bottom."""
    rows, columns = np.nonzero((np.asarray(picture) == colour).all(axis=2))
    return (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else None


@pytest.mark.parametrize("paper", [255, 128, 0])
def test_boxes_and_labels_have_their_places_and_colours(paper: int) -> None:
    page = Image.new("L", (400, 300), paper)
    drawn = draw(
        page,
        reading_of(
            character("A", 0.95, Box(40, 100, 80, 150)),
            character("B", 0.5, Box(140, 100, 180, 150)),
            character(None, 0.01, Box(240, 100, 280, 150)),
        ),
    )
    assert (drawn.mode, drawn.size) == ("RGB", page.size)
    for colour, left in ((SURE, 40), (UNSURE, 140), (REJECTED, 240)):
        found = places(drawn, colour)
        assert found
        # The box is around the ink, and the label above it.
        assert left - 10 < found[0] < left
        assert left + 40 < found[2] < left + 50
        assert 150 < found[3] < 160
        assert 60 < found[1] < 95
        # The paper within the box is as it was, but for its edge.
        assert set(np.unique(np.asarray(drawn)[102:148, left + 2 : left + 38])) == {paper}
        # The label has white letters, and around the colour is a white edge, on black paper as on white.
        label = np.asarray(drawn)[found[1] : 94, left : left + 40]
        assert (label == 255).all(axis=2).sum() > 20
        assert (np.asarray(drawn)[found[3], left + 20] == 255).all()


def test_each_character_has_a_letter_of_its_own() -> None:
    page = Image.new("L", (200, 200), 255)
    labels = {
        char: np.asarray(draw(page, reading_of(character(char, 1.0, Box(80, 80, 120, 140)), size=(200, 200)))).tobytes()
        for char in [*"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", None]
    }
    assert len(set(labels.values())) == 63


def test_a_label_stays_on_the_page() -> None:
    def coloured(left: float, top: float) -> int:
        page = Image.new("L", (200, 200), 128)
        box = Box(left, top, left + 30, top + 40)
        drawn = np.asarray(draw(page, reading_of(character("W", 1.0, box), size=(200, 200))))
        return int((drawn == SURE).all(axis=2).sum())

    # Part of a box may be off the page, and a label over its box; but nothing of a label gets lost.
    whole = coloured(85, 80)
    for left, top in ((0, 80), (170, 80), (85, 0), (0, 0), (170, 0), (85, 160)):
        assert coloured(left, top) > 0.7 * whole


def test_a_large_page_is_shrunk_and_boxes_with_it() -> None:
    page = Image.new("L", (5200, 2600), 255)
    drawn = draw(page, reading_of(character("A", 1.0, Box(2000, 1000, 2200, 1400)), size=(5200, 2600)))
    assert drawn.size == (LONGER_SIDE_PX, 1300)
    found = places(drawn, SURE)
    assert found
    assert 960 < found[0] < 1000
    assert 1100 < found[2] < 1140
    assert 700 < found[3] < 740


def test_a_page_without_ink_is_the_page() -> None:
    page = page_of(size=(300, 200))
    assert draw(page, Reading([], 300, 200)).tobytes() == page.convert("RGB").tobytes()
    assert draw(Ink([]), Reading([], 0, 0)).size == (LONGER_SIDE_PX, LONGER_SIDE_PX)


def test_a_real_reading_is_drawn_around_its_ink(recognizer: Recognizer) -> None:
    page = page_of("HEAT", "377")
    drawn = np.asarray(draw(page, recognizer.read(page)))
    ink = np.asarray(page) < 128
    # All of the ink is still to be seen, but for what a label of the line below covers.
    seen = (drawn[ink] < 128).all(axis=1).mean()
    assert seen > 0.97
    assert places(Image.fromarray(drawn), REJECTED) is None


@pytest.mark.parametrize("shift", [0, -500, 1e5])
def test_ink_is_drawn_wherever_it_is(recognizer: Recognizer, shift: float) -> None:
    strokes = [[[x / 10 + shift, y / 10 - shift] for x, y in stroke] for stroke in strokes_of("HEAT")]
    ink = Ink(strokes)
    drawn = draw(ink, recognizer.read(ink))
    assert max(drawn.size) == LONGER_SIDE_PX
    black, boxes = places(drawn, (0, 0, 0)), places(drawn, SURE)
    assert black
    assert boxes
    assert black[0] - 40 < boxes[0] < black[0] < black[2] < boxes[2] < black[2] + 40

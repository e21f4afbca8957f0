"""What a character is beside its neighbours."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from penread import Box, CharsetError, Ink, InputError, Recognizer
from penread.charset import NAMED_CHARSETS
from penread.context import decode
from penread.glyph import from_image
from penread.lattice import Line, Span, Word
from penread.training.data import load
from tests.conftest import HAS_SHARED
from tests.context.words import Pen, Reader, around, drawn_images
from tests.made import arc

if TYPE_CHECKING:
    from pathlib import Path

    from penread.training.data import Subset

RING = Ink([arc(30, 50, 30, 50, -1, 3.05)]).glyph()


@pytest.fixture(scope="module")
def images(small_emnist: Path) -> Subset:
    return load(small_emnist, "pool47", "train") if HAS_SHARED else drawn_images(6, 1, "train")


@pytest.fixture(scope="module")
def logits(recognizer: Recognizer, images: Subset) -> np.ndarray:
    return recognizer.logits(images.images)


@pytest.fixture
def pen(images: Subset, logits: np.ndarray) -> Pen:
    return Pen(images, logits)


@pytest.fixture
def scrawl(images: Subset, logits: np.ndarray) -> Pen:
    """A pen that writes unclearly, too."""
    return Pen(images, logits, clear=False)


@pytest.fixture(scope="module")
def reader(recognizer: Recognizer) -> Reader:
    return Reader(recognizer)


def right(read: list[str], texts: list[str]) -> float:
    """The part of all characters that was read right."""
    pairs = [pair for line, text in zip(read, texts, strict=True) for pair in zip(line, text, strict=True)]
    return sum(char == wanted for char, wanted in pairs) / len(pairs)


@pytest.mark.parametrize("text", ["7300", "1908", "HOTEL", "MORNING", "POOR", "Oxford"])
def test_the_same_ring_is_a_zero_among_digits_and_an_o_among_letters(pen: Pen, reader: Reader, text: str) -> None:
    glyphs = [RING if char in "0Oo" else pen.glyph(char) for char in text]
    assert reader.texts([around([pen.word(text, glyphs=glyphs)])]) == [text]


@pytest.mark.parametrize("layout", ["written", "standing", "hanging"])
@pytest.mark.parametrize("text", ["ROCKS", "Rocks", "Cocoa", "SUPPOSE", "suppose", "Vipers"])
def test_size_gives_the_case_that_the_glyph_has_not(pen: Pen, reader: Reader, text: str, layout: str) -> None:
    assert reader.texts([pen.line(text, layout=layout)]) == [text]


def test_lines_of_a_page_tell_each_other_the_size(pen: Pen, reader: Reader) -> None:
    small = pen.word("cosmos")
    assert reader.texts([around([small]), pen.line("THE HARBOUR"), pen.line("about that bread")])[0] == "cosmos"
    capitals = replace(small, spans=[replace(span, box=Box(0, 0, 20, 40)) for span in small.spans])
    assert reader.texts([around([capitals]), pen.line("THE HARBOUR"), pen.line("about that bread")])[0] == "COSMOS"


def test_place_counts_where_it_means_something(pen: Pen, reader: Reader) -> None:
    # Nine, g and q are as tall as each other; below the line are only two of them.
    text = "along the edge a dog began to dig again"
    assert reader.texts([pen.line(text, layout="written")]) == [text]


@pytest.mark.parametrize(
    "code", ["B200198346", "A7K2", "XR4ZH", "W3RD", "9HELP4", "KTBX", "27NOV2026", "0O0O8", "M1N1MUM", "HP4052XB"]
)
def test_clear_codes_are_left_as_they_are(pen: Pen, reader: Reader, code: str) -> None:
    folded = str.maketrans("OIL", "011")
    assert reader.texts([pen.line(code)])[0].translate(folded) == code.translate(folded)


def test_codes_are_hardly_read_worse_than_without_context(scrawl: Pen, reader: Reader) -> None:
    codes = [
        "".join(scrawl.rng.choice(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"), scrawl.rng.integers(4, 11)))
        for _ in range(60)
    ] + ["".join(scrawl.rng.choice(list("ABCDEFGHJK"), 1)) + f"{scrawl.rng.integers(10**9):09}" for _ in range(60)]
    lines = [scrawl.line(code) for code in codes]
    alone, together = (
        [text for line in lines for text in reader.texts([line], context=context)] for context in (False, True)
    )
    # In codes without any order, digits around a D now and then pull at it.
    assert right(together, codes) > right(alone, codes) - 0.01


def test_numbers_words_and_names_come_out_right_without_being_told(scrawl: Pen, reader: Reader) -> None:
    texts = [
        "0123456789", "1500", "2026", "31 12 1999", "0800 555 0199",
        "INVOICE", "TOTAL", "PLEASE SIGN HERE", "LOCK", "SUPPLY",
        "invoice", "total", "please sign here", "lock", "supply",
        "London", "Oliver", "Thursday", "Copper", "Vienna",
    ]  # fmt: skip
    lines = [scrawl.line(text) for text in texts for _ in range(3)]
    wanted = [text for text in texts for _ in range(3)]
    alone, together = (
        [text for line in lines for text in reader.texts([line], context=context)] for context in (False, True)
    )
    assert right(together, wanted) > 0.93
    assert 1 - right(together, wanted) < 0.4 * (1 - right(alone, wanted))


@pytest.mark.parametrize("text", ["Wolfgang", "Przybyla", "Tjaereborg", "SZCZECIN", "qaanaaq", "Nguyen", "Hrvatska"])
def test_clear_words_of_other_languages_survive(pen: Pen, reader: Reader, text: str) -> None:
    assert reader.texts([pen.line(text)]) == [text]


def test_confidence_is_honest(recognizer: Recognizer, small_emnist: Path, reader: Reader) -> None:
    held_back = load(small_emnist, "pool47", "test") if HAS_SHARED else drawn_images(3, 2, "test")
    pen = Pen(held_back, recognizer.logits(held_back.images), clear=False)
    texts = ["several", "kitchen", "MARKET", "LETTER", "Quebec", "Zurich", "40817", "66952", "K9P2S", "C5Z01"] * 6
    hits, confidences = [], []
    for text in texts:
        [[read]] = reader.decode([pen.line(text)])
        hits += [each.char == char for each, char in zip(read, text, strict=True)]
        confidences += [each.confidence for each in read]
    assert abs(np.mean(hits) - np.mean(confidences)) < 0.05
    sure = np.array(confidences) > 0.95
    assert np.mean(np.array(hits)[sure]) > 0.97
    assert np.mean(np.array(hits)[sure]) >= np.mean(np.array(hits)[~sure])


@pytest.mark.parametrize(
    ("charset", "text", "expected"),
    [
        ("digits", "500", "500"),
        ("digits", "SOO", "500"),
        ("upper", "cos", "COS"),
        ("lower", "COS", "cos"),
        ("letters", "Zoo", "Zoo"),
        ("alnum", "B2", "B2"),
        ("OS", "500", "SOO"),
        ("05so", "500", "500"),
    ],
)
def test_a_charset_allows_only_its_characters(pen: Pen, reader: Reader, charset: str, text: str, expected: str) -> None:
    rings = [RING if char in "0Oo" else pen.glyph(char) for char in text]
    line = around([pen.word(text, glyphs=rings, noise=0)])
    assert reader.texts([line], charset) == [expected]
    [[read]] = reader.decode([line], charset, top_k=62)
    allowed = NAMED_CHARSETS.get(charset, charset)
    assert all(candidate.char in allowed for each in read for candidate in each.candidates)


def test_each_line_may_have_its_own_charset(pen: Pen, reader: Reader) -> None:
    rings = around([pen.word("000", glyphs=[RING] * 3)])
    assert reader.texts([rings, rings, rings], ["digits", "upper", "lower"]) == ["000", "OOO", "ooo"]


def test_without_context_each_character_is_what_its_glyph_says(
    recognizer: Recognizer, scrawl: Pen, reader: Reader
) -> None:
    for text, charset in (("ROCKS", None), ("Rocks", None), ("4711", "digits"), ("solo", "lower")):
        line = scrawl.line(text)
        [[read]] = reader.decode([line], charset, context=False, top_k=3)
        alone = recognizer.predict_many([span.glyph for span in line.words[0].spans], charset=charset, top_k=3)
        assert [each.char for each in read] == [each.char for each in alone]
        assert [each.confidence for each in read] == pytest.approx([each.confidence for each in alone])


def test_candidates_come_in_order_and_add_up(pen: Pen, reader: Reader) -> None:
    line = pen.line("Mixed 2003 text")
    for context in (False, True):
        for read in [each for word in reader.decode([line], context=context, top_k=62)[0] for each in word]:
            confidences = [candidate.confidence for candidate in read.candidates]
            assert confidences == sorted(confidences, reverse=True)
            assert sum(confidences) == pytest.approx(1, abs=1e-3)
            assert (read.char, read.confidence) == (read.candidates[0].char, confidences[0])
        assert all(len(each.candidates) <= 2 for word in reader.decode([line], top_k=2)[0] for each in word)


def test_rows_name_the_spans_in_order(pen: Pen, reader: Reader) -> None:
    lines = [pen.line("two words"), pen.line("more")]
    spans = [span for line in lines for word in line.words for span in word.spans]
    for context in (False, True):
        read = [each for line in reader.decode(lines, context=context) for word in line for each in word]
        assert [each.row for each in read] == list(range(len(spans)))
        assert all(each.span is spans[each.row] for each in read)


# --- Cutting ---


def drawn_word(pen: Pen, text: str, *, cut: str = "") -> tuple[Word, list[tuple[int, int]]]:
    """A word as an image: characters of ``cut`` in two pieces, and spans of up to three pieces, neighbours' too."""
    pieces: list[tuple[int, int]] = []
    truth, pictures = [], []
    left = 0
    for char in text:
        glyph = pen.glyph(char)
        rows, columns = np.flatnonzero(glyph.max(axis=1) > 60), np.flatnonzero(glyph.max(axis=0) > 60)
        inked = glyph[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        picture = Image.fromarray(inked).resize((max(4, inked.shape[1] * 40 // inked.shape[0]), 40))
        middle = picture.width // 2
        edges = [0, middle, picture.width] if char in cut else [0, picture.width]
        truth.append((len(pieces), len(pieces) + len(edges) - 1))
        pieces += [(left + start, left + end) for start, end in pairwise(edges)]
        pictures.append((left, picture))
        left += picture.width + 5
    canvas = Image.new("L", (left, 40))
    for place, picture in pictures:
        canvas.paste(picture, (place, 0))
    ink = np.asarray(canvas)
    spans = []
    for first in range(len(pieces)):
        for last in range(first + 1, min(first + 3, len(pieces)) + 1):
            start, end = pieces[first][0], pieces[last - 1][1]
            glyph = from_image(255 - np.pad(ink[:, start:end], 6))
            # What geometry says: characters seldom have gaps inside, and are seldom wider than high.
            gaps = sum(pieces[at + 1][0] - pieces[at][1] > 2 for at in range(first, last - 1))
            spans.append(
                Span(first, last, Box(start, 0, end, 40), glyph, -1.5 * gaps - 2.0 * max(0, (end - start) / 40 - 1))
            )
    return Word(len(pieces), spans), truth


@pytest.mark.parametrize("text", ["HARBOUR", "NUMBER", "BOARD", "40686", "HD408", "ROOM"])
def test_pieces_are_joined_and_neighbours_are_not(pen: Pen, reader: Reader, text: str) -> None:
    word, truth = drawn_word(pen, text, cut="HNUDO0")
    [[read]] = reader.decode([around([word])])
    assert [(each.span.first, each.span.last) for each in read] == truth
    folded = str.maketrans("O", "0")
    assert "".join(each.char for each in read).translate(folded) == text.translate(folded)


def test_without_context_words_are_cut_too(pen: Pen, reader: Reader) -> None:
    words = [drawn_word(pen, text, cut="HNUD0") for text in ("HARBOUR", "NUMBER", "BOARD", "40686", "WHITE", "MEADOW")]
    read = [reader.decode([around([word])], context=False)[0][0] for word, _ in words]
    cuts = [[(each.span.first, each.span.last) for each in characters] for characters in read]
    assert sum(cut == truth for cut, (_, truth) in zip(cuts, words, strict=True)) >= 4


@pytest.mark.parametrize("context", [False, True])
def test_what_the_ink_is_decides_the_cut(pen: Pen, reader: Reader, *, context: bool) -> None:
    # R and N, or one M: the glyphs are clear all three, so only what is known of the ink tells.
    halves = [Span(0, 1, Box(0, 0, 20, 40), pen.glyph("R")), Span(1, 2, Box(22, 0, 42, 40), pen.glyph("N"))]
    whole = Span(0, 2, Box(0, 0, 42, 40), pen.glyph("M"))
    line = around([Word(2, [*halves, whole])])
    one, several = [-0.05, -3.0, -6.0], [-5.0, -0.01, -6.0]
    for log_kinds, cut in (([one, one, several], 2), ([several, several, one], 1)):
        [[read]] = reader.decode([line], log_kinds=np.array(log_kinds), context=context)
        assert len(read) == cut
    for log_prior, cut in ((-9.0, 2), (9.0, 1)):
        line = around([Word(2, [*halves, replace(whole, log_prior=log_prior)])])
        [[read]] = reader.decode([line], context=context)
        assert len(read) == cut


def test_few_spans_do_not_win_for_being_few(pen: Pen, reader: Reader) -> None:
    # Every span is as clear as every other; joined ones show a letter, but are said to be several half of the time.
    text = "4096"
    singles = [Span(at, at + 1, Box(25 * at, 0, 25 * at + 20, 40), pen.glyph(char)) for at, char in enumerate(text)]
    joined = [Span(at, at + 2, Box(25 * at, 0, 25 * at + 45, 40), pen.glyph("W")) for at in range(3)]
    log_kinds = np.log([[0.9, 0.05, 0.05]] * 4 + [[0.5, 0.45, 0.05]] * 3)
    line = around([Word(4, [*singles, *joined])])
    for context in (False, True):
        [[read]] = reader.decode([line], log_kinds=log_kinds, context=context)
        assert len(read) == 4


def test_long_words_and_many_cuts_come_to_an_end(pen: Pen, reader: Reader) -> None:
    word, _ = drawn_word(pen, "HUMDRUMNOUN" * 6, cut="HUMDRN")
    [[read]] = reader.decode([around([word])])
    assert read[0].span.first == 0
    assert read[-1].span.last == word.pieces
    assert all(np.isfinite(each.confidence) and 0 < each.confidence <= 1 for each in read)


# --- What is refused, and what is empty ---


@pytest.mark.parametrize("context", [False, True])
def test_no_lines_and_no_words_give_nothing(reader: Reader, *, context: bool) -> None:
    assert reader.decode([], context=context) == []
    assert reader.decode([Line([], Box(0, 0, 1, 1))], context=context) == [[]]


def test_an_empty_line_beside_others_stays_empty(pen: Pen, reader: Reader) -> None:
    lines = [Line([], Box(0, 0, 1, 1)), pen.line("word"), Line([], Box(0, 0, 1, 1))]
    assert reader.texts(lines) == ["", "word", ""]


def test_boxes_without_height_and_lines_that_slope_are_read(pen: Pen, reader: Reader) -> None:
    flat = pen.line("Harbour")
    sloped = Line(
        [
            replace(
                word,
                spans=[
                    replace(
                        span,
                        box=Box(
                            span.box.left,
                            span.box.top + 0.3 * span.box.left,
                            span.box.right,
                            span.box.bottom + 0.3 * span.box.left,
                        ),
                    )
                    for span in word.spans
                ],
            )
            for word in flat.words
        ],
        flat.box,
        slope=0.3,
    )
    assert reader.texts([sloped]) == ["Harbour"]
    points = [replace(span, box=Box(0, 0, 0, 0)) for span in flat.words[0].spans]
    assert len(reader.texts([around([Word(7, points)])])[0]) == 7


def test_other_class_tables_are_read(pen: Pen) -> None:
    word = pen.word("2026")
    logits = np.full((4, 10), -4.0)
    logits[np.arange(4), [2, 0, 2, 6]] = 4
    [[read]] = decode([around([word])], logits, np.zeros((4, 3)), "0123456789")
    assert "".join(each.char for each in read) == "2026"


def test_what_does_not_fit_is_refused(pen: Pen, reader: Reader) -> None:
    line = pen.line("ink")
    with pytest.raises(InputError, match="top_k is 0"):
        reader.decode([line], top_k=0)
    with pytest.raises(InputError, match="2 charsets for 1 line:"):
        reader.decode([line], ["digits", "upper"])
    with pytest.raises(InputError, match="a row for each span"):
        reader.decode([line], log_kinds=np.zeros((2, 3)))
    with pytest.raises(CharsetError, match="no class for"):
        reader.decode([line], "abc?")
    with pytest.raises(CharsetError, match="empty charset"):
        reader.decode([line], [""], context=False)
    [word] = line.words
    with pytest.raises(InputError, match="no way"):
        reader.decode([around([Word(3, word.spans[:2])])])
    with pytest.raises(InputError, match="no way"):
        reader.decode([Line([Word(0, [])], Box(0, 0, 1, 1)), line])
    with pytest.raises(InputError, match="of a word of 2"):
        reader.decode([around([Word(2, word.spans)])])


def test_context_loads_nothing_heavy() -> None:
    check = (
        "import sys, penread.context, penread.language; penread.language.english(); "
        "print([name for name in ('torch', 'scipy', 'cv2', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Lines, words and candidates for characters, on composed pages and on what people drew."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penread import Ink, Recognizer
from penread import lines as lines_module
from penread.errors import InputError
from penread.lattice import Line
from penread.lines import from_ink_map, from_strokes
from penread.recognizer import to_glyph
from tests.conftest import ROOT
from tests.lines.composed import LAYOUTS, Layout, Page, Score, best_path, compose, score
from tests.made import drawn

_DRAWN = {drawing["label"]: drawing["strokes"] for drawing in drawn()}


def _set(text: str, *, gap: float = 20, space: float = 90, pitch: float = 200) -> list[list[list[float]]]:
    """Strokes of a text in the characters that the tests draw, a capital 100 high."""
    strokes = []
    for row, line in enumerate(text.split("\n")):
        right = 0.0
        for char in line:
            if char == " ":
                right += space - gap
                continue
            points = [point for stroke in _DRAWN[char] for point in stroke]
            left = min(x for x, _ in points)
            strokes += [[[x + right - left, y + pitch * row] for x, y in stroke] for stroke in _DRAWN[char]]
            right += max(x for x, _ in points) - left + gap
    return strokes


def _map(strokes: list[list[list[float]]], scale: float = 0.5, pen: int = 4) -> np.ndarray:
    import cv2

    points = np.concatenate([np.array(stroke) for stroke in strokes])
    low, high = points.min(axis=0) - 30, points.max(axis=0) + 30
    width, height = np.ceil((high - low) * scale).astype(int)
    canvas = np.zeros((height, width), np.uint8)
    for stroke in strokes:
        polyline = np.round((np.array(stroke) - low) * scale * 16).astype(np.int32)
        cv2.polylines(canvas, [polyline[:, None]], False, 255, pen, cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255


def _read(found: list[Line], recognizer: Recognizer) -> str:
    """Reads the characters that geometry alone prefers; good enough for characters well apart."""
    rows = []
    for line in found:
        words = [[recognizer.predict(span.glyph, charset="ABCEHKMNPRTWX37e").char for span in best_path(word)]
                 for word in line.words]  # fmt: skip
        rows.append(" ".join("".join(char or "?" for char in word) for word in words))
    return "\n".join(rows)


def _totals(layout: Layout, kind: str, pages: int = 3) -> Score:
    total = Score()
    for seed in range(pages):
        page = compose(layout, seed)
        if kind == "image":
            score(page, from_ink_map(page.ink_map()), layout.height_px, layout.pen_px, total)
        else:
            score(page, from_strokes(page.ink(shuffled=True)), 100, 0, total)
    return total


def _check_lattice(found: list[Line]) -> None:
    """What the decoder relies on."""
    for line in found:
        assert line.words
        for word in line.words:
            singles = {span.first for span in word.spans if span.last == span.first + 1}
            assert singles == set(range(word.pieces)), "there is always a path"
            assert len({(span.first, span.last) for span in word.spans}) == len(word.spans)
            for span in word.spans:
                assert 0 <= span.first < span.last <= word.pieces
                assert span.glyph.shape == (28, 28)
                assert span.glyph.dtype == np.uint8
                assert np.isfinite(span.log_prior)
                assert line.box.left <= span.box.left <= span.box.right <= line.box.right
                assert line.box.top <= span.box.top <= span.box.bottom <= line.box.bottom


@pytest.mark.parametrize("kind", ["image", "strokes"])
@pytest.mark.parametrize(
    ("name", "lines", "spaces", "offered"),
    [
        ("capitals", 0.85, 0.85, 0.95),
        ("small letters", 0.75, 0.9, 0.9),
        ("wide apart", 1.0, None, 0.98),
        ("wide apart, with spaces", 0.9, 0.9, 0.98),
        ("page turned by 8°", 0.85, 0.85, 0.95),
        ("page turned by -10°", 0.85, 0.85, 0.95),
        ("lines at their own slopes", 0.85, 0.85, 0.95),
        ("slanted by 25°", 0.8, 0.7, 0.95),
        ("specks", 0.85, 0.85, 0.95),
        ("60 characters", 0.8, 0.9, 0.9),
        ("one word", 1.0, None, 0.9),
    ],
)
def test_composed_pages(name: str, kind: str, lines: float, spaces: float | None, offered: float) -> None:
    total = _totals(LAYOUTS[name], kind)
    assert total.lines_found >= lines * total.lines
    assert total.lines_extra == 0
    if spaces is not None:
        assert total.spaces_found >= spaces * total.spaces
    assert total.spaces_extra <= 0.05 * total.chars
    assert total.chars_offered >= offered * total.chars
    assert total.spans <= 7 * total.chars


def test_touching_strokes_are_still_apart_and_touching_ink_is_cut() -> None:
    strokes, image = (_totals(LAYOUTS["touching"], kind) for kind in ("strokes", "image"))
    assert strokes.chars_offered >= 0.93 * strokes.chars
    # Without cuts, no character that touches another could be offered at all.
    uncut = replace(LAYOUTS["touching"], touching=0.0)
    assert image.chars_offered >= 0.5 * image.chars
    assert _totals(uncut, "image").chars_offered > image.chars_offered


@pytest.mark.parametrize("text", ["HEAT", "TEN BAR", "WE HAVE", "E", "THE\nKNEE", "PACK MEN\nR7\nNEW 33 PARK"])
def test_a_text_has_the_same_lines_and_words_as_strokes_and_as_an_image(text: str, recognizer: Recognizer) -> None:
    text = text.replace("V", "W")
    strokes = _set(text)
    from_image, from_ink = from_ink_map(_map(strokes)), from_strokes(Ink(strokes))
    for found in (from_image, from_ink):
        _check_lattice(found)
        assert [len(line.words) for line in found] == [len(line.split()) for line in text.split("\n")]
        read = _read(found, recognizer)
        assert len(read) == len(text)
        assert sum(a == b for a, b in zip(read, text, strict=True)) >= 0.8 * len(text)
    for one, other in zip(from_image, from_ink, strict=True):
        # The image is half as large, its margin is 30, and its pen adds two pixels on each side.
        low = np.concatenate([np.array(stroke) for stroke in strokes]).min(axis=0) - 30
        assert one.box.left == pytest.approx((other.box.left - low[0]) / 2, abs=4)
        assert one.box.bottom == pytest.approx((other.box.bottom - low[1]) / 2, abs=4)


def test_the_order_of_strokes_means_nothing() -> None:
    strokes = _set("THE BARN\nKEPT")
    mixed = [strokes[place] for place in np.random.default_rng(3).permutation(len(strokes))]
    one, other = from_strokes(Ink(strokes)), from_strokes(Ink(mixed))
    assert [(word.pieces, [(s.first, s.last, s.box) for s in word.spans]) for line in one for word in line.words] == [
        (word.pieces, [(s.first, s.last, s.box) for s in word.spans]) for line in other for word in line.words
    ]


def test_a_dot_belongs_to_its_i_whenever_it_is_drawn() -> None:
    stem = [[[0, 40], [2, 70], [0, 100]], [[30, 40], [30, 100]], [[30, 50], [45, 40], [55, 50], [56, 100]]]
    for ink in (Ink([*stem, [[1, 12], [2, 13]]]), Ink([[[1, 12]], *stem])):
        [line] = from_strokes(ink)
        [word] = line.words
        first = best_path(word)[0]
        assert (first.box.left, first.box.top, first.box.bottom) == (0, 12, 100)


def test_dots_stay_and_dust_goes() -> None:
    import cv2

    ink = _map(_set("HEN"), scale=1.0, pen=8)
    with_dot = np.pad(ink, ((60, 60), (300, 300)))
    rows, columns = np.nonzero(with_dot > 0.5)
    # An i before the word: a short stem, and a dot above it.
    left, base = columns.min() - 40, rows.max()
    cv2.line(with_dot, (left, base - 4), (left, base - 55), 1.0, 8)
    cv2.circle(with_dot, (left + 3, base - 85), 5, 1.0, -1)
    clean = from_ink_map(with_dot)
    dusty = with_dot.copy()
    rng = np.random.default_rng(0)
    for x, y in rng.uniform((0, 0), (dusty.shape[1], dusty.shape[0]), (300, 2)).astype(int):
        if with_dot[max(y - 25, 0) : y + 25, max(x - 25, 0) : x + 25].max() == 0:
            cv2.circle(dusty, (int(x), int(y)), int(rng.integers(0, 2)), 1.0, -1)
    found = from_ink_map(dusty)
    assert len(found) == len(clean) == 1
    assert found[0].box == clean[0].box
    assert found[0].box.top <= base - 88
    assert best_path(found[0].words[0])[0].box.top <= base - 88


def test_one_character_is_one_line_and_word_with_its_own_glyph(drawings: list[dict[str, Any]]) -> None:
    some = drawings[:: max(len(drawings) // 300, 1)]
    right = 0
    for drawing in some:
        ink = Ink(drawing["strokes"])
        found = from_strokes(ink)
        _check_lattice(found)
        if len(found) == 1 and len(found[0].words) == 1:
            [word] = found[0].words
            [whole] = [span for span in word.spans if (span.first, span.last) == (0, word.pieces)]
            right += bool((whole.glyph == ink.glyph()).all())
    assert right >= 0.98 * len(some)


def test_a_glyph_has_the_ink_of_its_span_alone() -> None:
    # The roof of the T hangs over the e: by columns they can't be parted.
    strokes = [[[0, 0], [90, 0]], [[45, 0], [45, 100]], *[[[x + 60, y] for x, y in s] for s in _DRAWN["e"]]]
    for found, alone in (
        (from_strokes(Ink(strokes)), Ink(strokes[:2]).glyph()),
        (from_ink_map(_map(strokes, 1.0, 6)), to_glyph(1 - _map(strokes[:2], 1.0, 6))),
    ):
        [line] = found
        [word] = line.words
        differences = [np.abs(span.glyph.astype(int) - alone).mean() for span in word.spans]
        assert min(differences) < 6


def test_letters_wide_apart_are_one_word_and_wider_gaps_are_spaces() -> None:
    apart = from_strokes(Ink(_set("HEAT", gap=250)))
    assert [len(line.words) for line in apart] == [1]
    with_spaces = from_strokes(Ink(_set("THE BARN", gap=100, space=330)))
    assert [len(word.spans) > 0 for word in with_spaces[0].words] == [True, True]
    lone = from_strokes(Ink(_set("HE AT", space=150)))
    assert [len(line.words) for line in lone] == [2]


def test_boxes_are_in_the_unit_of_the_input() -> None:
    strokes = _set("HEN TEN\nBARE")
    small, large = from_strokes(Ink(strokes)), from_strokes(Ink([np.array(s) * 1000 - 3e5 for s in strokes]))
    for one, other in zip(small, large, strict=True):
        for edge in ("left", "top", "right", "bottom"):
            assert getattr(other.box, edge) == pytest.approx(getattr(one.box, edge) * 1000 - 3e5, rel=1e-6, abs=1)
    ink = _map(strokes)
    line = from_ink_map(np.pad(ink, ((70, 0), (130, 0))))[0]
    rows, columns = np.nonzero(ink[: ink.shape[0] // 2] > 0.5)
    assert line.box.left == columns.min() + 130
    assert line.box.top == rows.min() + 70


def test_a_line_cut_out_close_to_its_ink_keeps_all_of_it() -> None:
    ink = _map(_set("HEATER"), 1.0, 6)
    rows, columns = np.nonzero(ink > 0.5)
    [line] = from_ink_map(ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    assert (line.box.left, line.box.top) == (0, 0)
    assert line.box.right == columns.max() + 1 - columns.min()


def test_the_edge_of_the_page_is_no_character() -> None:
    ink = np.pad(_map(_set("HEAT\nBARN"), 1.0, 6), 150)
    plain = from_ink_map(ink)
    ink[:, :9] = 1
    ink[-5:] = 1
    assert [line.box for line in from_ink_map(ink)] == [line.box for line in plain]


def test_no_ink_is_no_line() -> None:
    assert from_ink_map(np.zeros((40, 60), np.float32)) == []
    assert from_ink_map(np.zeros((0, 60), np.float32)) == []
    assert from_strokes(Ink([])) == []
    specks = (np.random.default_rng(0).random((400, 400)) < 0.01).astype(np.float32)
    assert from_ink_map(specks) == []
    with pytest.raises(InputError, match="H, W"):
        from_ink_map(np.zeros((4, 4, 3), np.float32))


@pytest.mark.parametrize("strokes", [[[[5, 5]]], [[[5, 5], [50, 5]]], [[[5, 5], [5, 50]]], [[[5, 5], [5, 5]]] * 40])
def test_the_least_ink_is_a_character(strokes: list[list[list[float]]]) -> None:
    [line] = from_strokes(Ink(strokes))
    [word] = line.words
    assert any((span.glyph == Ink(strokes).glyph()).all() for span in word.spans)


def test_what_is_no_writing_is_refused_or_found_empty() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="noise"):
        from_ink_map((rng.random((2000, 3000)) < 0.3).astype(np.float32))
    with pytest.raises(InputError, match="noise"):
        from_strokes(Ink([[[i % 100 * 10, i // 100 * 10], [i % 100 * 10 + 3, i // 100 * 10 + 7]] for i in range(9000)]))
    block = np.zeros((3000, 4000), np.float32)
    block[300:2700, 300:3700] = 1
    [line] = from_ink_map(block)
    assert (line.box.left, line.box.top, line.box.right, line.box.bottom) == (300, 300, 3700, 2700)


def test_ink_far_apart_and_stripes_of_ink_are_no_trouble() -> None:
    far = Ink([[[-1e6, -1e6], [-1e6, -1e6 + 1e-3]], [[1e6, 1e6], [1e6, 1e6 - 1e-3]]])
    assert sum(len(line.words) for line in from_strokes(far)) == 2
    stripes = np.zeros((1500, 1500), np.float32)
    stripes[:, ::20] = stripes[:, 1::20] = 1
    _check_lattice(from_ink_map(stripes))
    scribble = Ink([np.random.default_rng(0).uniform(0, 1000, (20_000, 2))])
    [line] = from_strokes(scribble)
    assert len(line.words) == 1


def test_a_full_page() -> None:
    page: Page = compose(replace(LAYOUTS["60 characters"], lines=(16, 16), height_px=30, pen_px=3), 0)
    found = from_ink_map(page.ink_map())
    _check_lattice(found)
    assert len(found) == 16
    assert sum(len(word.spans) for line in found for word in line.words) < 6 * len(page.chars)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=6), min_size=1, max_size=12
    )
)
def test_any_strokes_give_a_lattice_with_all_of_them(strokes: list[list[tuple[float, float]]]) -> None:
    ink = Ink([[list(point) for point in stroke] for stroke in strokes])
    found = from_strokes(ink)
    _check_lattice(found)
    points = np.concatenate(ink.strokes)
    boxes = np.array([[b.left, b.top, b.right, b.bottom] for b in (line.box for line in found)])
    around = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    np.testing.assert_allclose(around, np.concatenate([points.min(axis=0), points.max(axis=0)]), atol=1e-6)


def test_opencv_is_loaded_only_for_images() -> None:
    script = "import sys, penread.lines; assert not {'cv2', 'scipy', 'torch'} & set(sys.modules), 'loaded'"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    assert lines_module.MAX_PARTS >= 3000

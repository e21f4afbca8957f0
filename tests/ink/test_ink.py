"""Ink drawn as glyphs: the same character, however large, wherever, however many points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penread import Ink, InputError
from tests.conftest import STROKES_L

coordinates = st.floats(-1000, 1000, allow_nan=False)
polylines = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=12)


def ink_box(glyph: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((glyph > 127).any(axis=1)), np.flatnonzero((glyph > 127).any(axis=0))
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def circle(points: int) -> list[list[float]]:
    return [[math.cos(angle), math.sin(angle)] for angle in np.linspace(0, 2 * math.pi, points)]


def test_an_l_is_upright() -> None:
    glyph = Ink(STROKES_L).glyph()
    assert glyph.shape == (28, 28)
    assert glyph.dtype == np.uint8
    assert glyph[14, 14] == 0  # the open corner
    top, bottom, left, right = ink_box(glyph)
    assert glyph[top + 2, left + 1] > 200
    assert glyph[bottom - 1, right - 2] > 200
    assert glyph[top + 2, right - 2] == 0


@given(st.lists(polylines, min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_the_box_is_emnists(strokes: list[list[tuple[float, float]]]) -> None:
    points = np.concatenate([np.array(stroke) for stroke in strokes])
    extent = np.ptp(points, axis=0).max()
    glyph = Ink(strokes).glyph()
    top, bottom, left, right = ink_box(glyph)
    assert glyph.max() == 255
    # 22 or 23 of 28 on the longer side and centred, as EMNIST's; a dot is a dot.
    longer = max(bottom - top, right - left) + 1
    assert longer in ((22, 23) if extent > 1e-9 else (2, 3, 4))
    assert abs((top + bottom) - 27) <= 1
    assert abs((left + right) - 27) <= 1
    assert glyph[0].max() < 30


@given(st.lists(polylines, min_size=1, max_size=4), st.sampled_from([0.01, 0.5, 3, 250]), coordinates, coordinates)
@settings(max_examples=60, deadline=None)
def test_size_and_place_do_not_matter(strokes: Any, scale: float, dx: float, dy: float) -> None:
    rounded = [np.round(np.array(stroke)) for stroke in strokes]
    moved = [stroke * scale + (dx, dy) for stroke in rounded]
    difference = Ink(rounded).glyph().astype(int) - Ink(moved).glyph().astype(int)
    # The pen comes down on a grid of eighths of a pixel, and rounding may take the next one: 12 levels of 255.
    assert np.abs(difference).max() <= 12


def test_coarse_and_fine_points_draw_the_same_line() -> None:
    coarse = Ink([[[0, 0], [100, 50]]]).glyph().astype(int)
    fine = Ink([[[i, i / 2] for i in np.linspace(0, 100, 5000)]]).glyph().astype(int)
    assert np.abs(coarse - fine).max() <= 12


def test_a_line_gone_over_again_and_again_stays_as_wide() -> None:
    once = Ink([circle(100)]).glyph().astype(int)
    often = Ink([circle(100)] * 200).glyph().astype(int)
    assert np.abs(once - often).max() <= 12


@pytest.mark.parametrize("extent", [5e-324, 1e-320, 1e-200, 1e-12])
def test_what_has_next_to_no_extent_is_a_dot(extent: float) -> None:
    dot = Ink([[[0, 0]]]).glyph()
    np.testing.assert_array_equal(Ink([[[0.0, 0.0], [extent, 0.0]]]).glyph(), dot)
    assert 4 <= (dot > 127).sum() <= 12


def test_no_strokes_are_a_blank_glyph() -> None:
    assert Ink([]).glyph().max() == 0
    assert Ink([[], []]).glyph().max() == 0


def test_arrays_tuples_and_lists_are_taken() -> None:
    stroke: Any
    for stroke in (np.array(STROKES_L[0], dtype=np.float32), tuple(map(tuple, STROKES_L[0])), STROKES_L[0]):
        np.testing.assert_array_equal(Ink([stroke]).glyph(), Ink(STROKES_L).glyph())


@pytest.mark.parametrize(
    "strokes",
    [
        [[1, 2, 3]],
        [[[1, 2, 3]]],
        [[["a", "b"]]],
        [[[1, 2], [3]]],
        [[[0, float("nan")]]],
        [[[0, float("inf")]]],
        [[[0, 1e300]]],
        [[[0, 10**400]]],
        [5],
        [None],
    ],
)
def test_what_is_no_ink_is_told(strokes: Any) -> None:
    with pytest.raises(InputError, match="Stroke 0"):
        Ink(strokes)

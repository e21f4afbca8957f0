"""Glyphs of strokes, drawn by the page's own modules: those that Python draws."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from penread import Ink
from penread import glyph as glyphs
from penread import ink as inks
from tests.device.conftest import Caller, varied
from tests.golden.test_golden import INK, decoded

if TYPE_CHECKING:
    from playwright.sync_api import Page


def assert_alike(glyph: list[int], wanted: np.ndarray) -> None:
    # A grey level is left for other ways of rounding.
    assert np.abs(np.array(glyph) - wanted.ravel().astype(int)).max() <= 1


def test_the_golden_glyphs_in_node(in_node: Caller) -> None:
    drawn = in_node("device/ink.js", "drawGlyph", [[case["strokes"]] for case in INK])
    for case, each in zip(INK, drawn, strict=True):
        assert_alike(each["value"], decoded(case["glyph"]))


def test_the_golden_glyphs_in_the_browser(site: Page) -> None:
    drawn = site.evaluate(
        """async (all) => {
            const { drawGlyph } = await import("/static/device/ink.js");
            return all.map((strokes) => Array.from(drawGlyph(strokes)));
        }""",
        [case["strokes"] for case in INK],
    )
    for case, glyph in zip(INK, drawn, strict=True):
        assert_alike(glyph, decoded(case["glyph"]))


def test_drawings(in_node: Caller, drawings: list[dict[str, Any]]) -> None:
    taken = varied(drawings, 300, seed=1)
    drawn = in_node("device/ink.js", "drawGlyph", [[strokes] for strokes in taken])
    for strokes, each in zip(taken, drawn, strict=True):
        assert_alike(each["value"], Ink(strokes).glyph())


@pytest.mark.parametrize("strokes", [[], [[]], [[], []]])
def test_no_ink(in_node: Caller, strokes: list[Any]) -> None:
    [drawn] = in_node("device/ink.js", "drawGlyph", [[strokes]])
    assert drawn["value"] == [0] * 784


@pytest.mark.parametrize("strokes", [[[[0, 2e6]]], [[[0, 0], [None, "a"]]], [[[0]]]])
def test_what_is_no_ink_is_refused(in_node: Caller, strokes: list[Any]) -> None:
    [drawn] = in_node("device/ink.js", "drawGlyph", [[strokes]])
    assert drawn["error"]["kind"] == "InputError"


def test_the_numbers_are_pythons(site: Page) -> None:
    names = ["GLYPH_PX", "GRID_PX", "LONG_SIDE_PX", "PEN_PX", "BLUR_PX"]
    script = "(file) => import(file).then((module) => JSON.stringify(module))"
    of_glyphs = json.loads(site.evaluate(script, "/static/device/glyph.js"))
    assert of_glyphs == {name: getattr(glyphs, name) for name in names}
    assert json.loads(site.evaluate(script, "/static/device/ink.js")) == {"MAX_COORDINATE": inks.MAX_COORDINATE}


def test_the_two_shapes_of_l(site: Page, drawings: list[dict[str, Any]]) -> None:
    odd: list[Any] = [[], [[[0, 0], [0, 50]]], [[[5, 0], [5, 40], [30, 40]]], [[[3, 4]]]]
    taken = [*odd, *varied(drawings, 100, seed=2)]
    drawn = np.stack([Ink(strokes).glyph() for strokes in taken])
    found = site.evaluate(
        """async (all) => {
            const { logCaseOfL } = await import("/static/device/glyph.js");
            return all.map((glyph) => logCaseOfL(Uint8Array.from(glyph)));
        }""",
        drawn.reshape(-1, 784).tolist(),
    )
    assert np.array(found) == pytest.approx(glyphs.log_case_of_l(drawn), abs=1e-6)

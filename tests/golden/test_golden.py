"""Glyphs of inputs that are kept here: a change of normalisation shows, whether it was meant or not."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from penread import Ink, to_glyph
from tests.golden.make import HERE

INK = json.loads((HERE / "ink.json").read_text("utf-8"))
IMAGES = json.loads((HERE / "images.json").read_text("utf-8"))


def decoded(glyph: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(glyph), np.uint8).reshape(28, 28).astype(int)


@pytest.mark.parametrize("case", INK, ids=lambda case: case["name"])
def test_ink(case) -> None:
    # A grey level is left for other ways of rounding.
    assert np.abs(Ink(case["strokes"]).glyph() - decoded(case["glyph"])).max() <= 1


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str) -> None:
    # Other releases of the libraries that decode, scale and blur may differ a little more.
    difference = np.abs(to_glyph(HERE / name) - decoded(IMAGES[name]))
    assert difference.mean() <= 0.5
    assert difference.max() <= 24


def test_every_picture_has_its_glyph() -> None:
    assert {path.name for path in HERE.glob("*.png")} == set(IMAGES)

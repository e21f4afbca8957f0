"""Draws the golden inputs and writes them with their glyphs: for a change of normalisation that is meant.

    python -m tests.golden.make

``ink.json`` is a list of {"name", "strokes", "glyph"}, the glyph as base64 of its 784 bytes, row by row. The pictures
lie beside ``images.json``, which gives their glyphs by file name.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from penread import Ink, to_glyph
from tests.glyph import test_paper as paper
from tests.made import drawn

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
# As large as shows what there is to see.
PICTURE_PX = 120


def ink_cases() -> dict[str, list[list[list[float]]]]:
    """Names and strokes: characters, and what is unusual about strokes."""
    cases = {each["label"]: each["strokes"] for each in drawn()}
    turns = np.linspace(0, 6 * np.pi, 3000)
    cases |= {
        "dot": [[[3, 4]]],
        "i with a tap for its dot": [[[10, 30], [10, 80]], [[11, 12]]],
        "level line": [[[0, 0], [50, 0]]],
        "two corners only": [[[0, 0], [40, 90]], [[40, 0], [0, 90]]],
        "tiny": [[[0, 0], [3e-6, 5e-6], [6e-6, 0]]],
        "huge": [[[-9e5, -9e5], [0, 9e5], [9e5, -9e5]]],
        "far away": [[[999_000, 999_000], [999_050, 999_100]]],
        "gone over ten times": [[[0, 0], [30, 90], [0, 0]] * 10],
        "thousands of points": [np.stack([turns * np.cos(turns), turns * np.sin(turns)], 1).round(4).tolist()],
    }
    return cases


def pictures() -> dict[str, Image.Image]:
    """File names and pictures of characters on paper of many kinds."""
    strokes = {each["label"]: each["strokes"] for each in drawn()}
    changes: dict[str, tuple[str, Callable[[Image.Image], Image.Image], dict[str, Any]]] = {
        "plain.png": ("R", lambda image: image, {}),
        "inverted.png": ("K", lambda image: Image.eval(image, lambda level: 255 - level), {}),
        "lamp.png": ("3", paper.lamp, {}),
        "shadow.png": ("W", paper.shadow, {}),
        "ruled.png": ("E", paper.ruled, {}),
        "squared.png": ("7", paper.squared, {}),
        "boxed.png": ("e", paper.boxed, {}),
        "specks.png": ("A", paper.specks, {}),
        "neighbours.png": ("B", paper.neighbours, {}),
        "pencil.png": ("M", lambda image: image, {"pen": 5, "ink": (150, 150, 150)}),
        "marker.png": ("C", lambda image: image, {"pen": 34}),
        "red on green.png": ("P", lambda image: image, {"ink": (235, 40, 40), "paper": (20, 130, 30)}),
    }
    return {
        name: change(paper.drawing(strokes[label], **pen)).resize((PICTURE_PX, PICTURE_PX), Image.Resampling.BOX)
        for name, (label, change, pen) in changes.items()
    }


def encoded(glyph: np.ndarray) -> str:
    return base64.b64encode(glyph.tobytes()).decode("ascii")


def main() -> None:
    ink = [
        {"name": name, "strokes": strokes, "glyph": encoded(Ink(strokes).glyph())}
        for name, strokes in ink_cases().items()
    ]
    (HERE / "ink.json").write_text("[\n" + ",\n".join(json.dumps(each) for each in ink) + "\n]\n", "utf-8")
    glyphs = {}
    for name, image in pictures().items():
        image.quantize(64, dither=Image.Dither.NONE).save(HERE / name, optimize=True)
        glyphs[name] = encoded(to_glyph(HERE / name))
    (HERE / "images.json").write_text(json.dumps(glyphs, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()

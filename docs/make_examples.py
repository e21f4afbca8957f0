"""Writes the page's examples, src/penread/web/examples.json: strokes as a hand would draw them on the canvas.

python docs/make_examples.py

Each character is a few points that a pen goes through, below; a smooth line is laid through them, leant, and shaken a
little, so that no two are the same. tests/page/test_examples.py checks that the examples are read as they are meant.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

if TYPE_CHECKING:
    from numpy.typing import NDArray

_EXAMPLES = Path(__file__).parents[1] / "src" / "penread" / "web" / "examples.json"

# The points x,y that the pen goes through, stroke by stroke, y downward: capitals stand between 0 and 100, small
# letters begin at about 40. Before a bar the pen turns sharply, elsewhere it goes round.
_POINTS = {
    "0": "34,1 14,12 4,44 8,82 27,100 47,84 54,48 46,12 28,0 24,3",
    "2": "5,24 11,8 28,0 46,9 47,31 32,59 14,83 3,97 | 27,95 55,98",
    "5": "13,3 11,22 8,45 | 28,37 47,48 52,70 40,92 19,99 2,89 / 12,5 30,3 51,0",
    "6": "43,1 24,18 9,47 5,75 17,97 37,98 50,81 42,60 25,56 8,72",
    "7": "3,7 24,4 54,5 | 43,34 31,66 23,101",
    "A": "2,101 12,69 22,36 31,0 | 39,30 49,67 60,99 / 13,65 30,61 51,63",
    "B": "6,3 4,34 5,68 4,99 / 2,6 22,-1 43,8 44,29 28,43 9,49 | 34,50 52,65 48,87 26,99 1,98",
    "E": "7,3 5,36 4,68 6,98 | 26,98 49,95 / 6,4 25,4 47,0 / 6,50 22,49 41,47",
    "H": "6,2 4,36 5,68 4,100 / 53,0 51,34 52,66 50,99 / 5,53 28,49 51,51",
    "L": "7,1 5,34 4,66 5,97 | 25,99 50,95",
    "O": "44,1 17,8 1,36 6,74 32,99 63,92 80,60 75,24 52,3 36,3",
    "R": "7,4 5,36 6,68 4,101 / 1,9 20,0 43,5 49,24 37,42 9,52 | 28,66 44,84 60,100",
    "a": "44,47 28,39 11,50 4,74 14,96 31,91 43,68 46,44 | 44,70 48,92 59,97",
    "d": "42,53 25,41 9,53 4,78 16,97 33,91 43,70 47,34 49,0 | 46,38 45,74 50,94 58,97",
    "e": "7,72 26,69 44,60 40,43 23,40 8,56 5,80 20,98 38,95 52,84",
    "g": "44,47 28,38 11,47 4,70 13,90 30,88 42,67 46,42 | 45,78 42,112 28,130 11,127 4,113",
    "r": "8,42 9,68 8,98 | 10,64 21,46 38,43",
    # No character: a pen that was tried out.
    "": "10,40 30,5 52,62 20,80 12,30 60,18 75,70 38,96 28,44 70,36 96,64 62,92 44,30",
}


class Example(NamedTuple):
    """What is drawn, and where.

    Attributes:
        kind: What it is to show; the page has words for each kind.
        text: What is written; empty for a scribble.
        height: The height of a capital, in units of the canvas's side.
        middle: Where the middle of the drawing is.
        seed: The hand that writes it.
    """

    kind: str
    text: str
    height: float
    middle: tuple[float, float]
    seed: int


_LIST = [
    Example("letter", "A", 0.62, (0.5, 0.48), 1),
    Example("digit", "7", 0.6, (0.5, 0.48), 2),
    Example("letter", "g", 0.55, (0.5, 0.5), 3),
    Example("letter", "R", 0.6, (0.5, 0.48), 4),
    Example("alike", "O", 0.52, (0.5, 0.48), 5),
    Example("small", "5", 0.17, (0.82, 0.17), 6),
    Example("word", "HELLO", 0.23, (0.5, 0.48), 7),
    Example("number", "2026", 0.3, (0.5, 0.48), 8),
    Example("word", "read", 0.36, (0.5, 0.45), 9),
    Example("code", "B2", 0.46, (0.5, 0.48), 10),
    Example("scribble", "", 0.6, (0.5, 0.48), 11),
]

# Of a capital's height: how far apart characters stand, how much the hand leans, how unsteady it is.
_GAP, _LEAN, _TREMOR = 0.2, 0.13, 0.012
# The points of a stroke are at least so far apart, as a part of a capital's height, and of the canvas's side.
_STEP, _STEP_ON_CANVAS = 0.065, 0.026


def _smooth(points: str, step: float) -> NDArray[np.float64]:
    """Lays a line through the points of a stroke, in units of a capital's height: smooth between sharp turns."""
    pieces: list[NDArray[np.float64]] = []
    turn = np.zeros((0, 2))
    for smooth in points.split("|"):
        path = np.concatenate([turn, np.array([xy.split(",") for xy in smooth.split()], dtype=np.float64) / 100])
        turn = path[-1:]
        # Centripetal: the line neither loops nor overshoots where points lie close together.
        knots = np.concatenate([[0.0], np.sqrt(np.hypot(*np.diff(path, axis=0).T)).cumsum()])
        dense = CubicSpline(knots, path, bc_type="natural")(np.linspace(0, knots[-1], 400))
        along = np.concatenate([[0.0], np.hypot(*np.diff(dense, axis=0).T).cumsum()])
        steps = np.linspace(0, along[-1], max(round(along[-1] / step), 1) + 1)[min(len(pieces), 1) :]
        pieces.append(np.stack([np.interp(steps, along, dense[:, axis]) for axis in (0, 1)], axis=1))
    return np.concatenate(pieces)


def _shaken(stroke: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Moves points as an unsteady hand does: neighbours nearly alike."""
    weights = np.exp(-0.5 * (np.arange(-6, 7) / 2.5) ** 2)
    weights /= np.sqrt((weights**2).sum())
    noise = rng.normal(0, _TREMOR, (len(stroke) + 12, 2))
    shakes = np.stack([np.convolve(noise[:, axis], weights, "valid") for axis in (0, 1)], axis=1)
    return np.asarray(stroke + shakes)


def _written(text: str, step: float, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Writes characters side by side, in units of a capital's height; scribbles where there are none."""
    strokes: list[NDArray[np.float64]] = []
    right = 0.0
    for char in text or [""]:
        turn, size, lift = rng.normal(0, (0.03, 0.03, 0.02))
        grown = (1 + size) * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        leant = grown @ np.array([[1.0, 0.0], [-_LEAN, 1.0]])
        drawn = [_shaken(_smooth(points, step), rng) @ leant for points in _POINTS[char].split("/")]
        left = min(stroke[:, 0].min() for stroke in drawn) + _LEAN / 2
        strokes += [stroke + np.array([right - left, lift]) for stroke in drawn]
        right = max(stroke[:, 0].max() for stroke in strokes) + _GAP
    return strokes


def _placed(strokes: list[NDArray[np.float64]], example: Example) -> list[list[list[float]]]:
    """Puts a drawing on the canvas, in units of its side."""
    points = np.concatenate(strokes)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    placed = [(stroke - middle) * example.height + example.middle for stroke in strokes]
    return [[[round(float(x), 3), round(float(y), 3)] for x, y in stroke] for stroke in placed]


def make() -> list[dict[str, Any]]:
    """Draws all examples: ``kind``, ``text`` and ``strokes`` in units of the canvas's side."""
    made = []
    for example in _LIST:
        step = max(_STEP, _STEP_ON_CANVAS / example.height)
        strokes = _written(example.text, step, np.random.default_rng(example.seed))
        made.append({"kind": example.kind, "text": example.text, "strokes": _placed(strokes, example)})
    return made


def main() -> None:
    """Writes the file, an example a line."""
    rows = [json.dumps(example, separators=(",", ":")) for example in make()]
    _EXAMPLES.write_text("[\n" + ",\n".join(rows) + "\n]\n")
    print(f"{len(rows)} examples, {_EXAMPLES.stat().st_size:,} bytes, in {_EXAMPLES}")


if __name__ == "__main__":
    main()

"""Ways of writing that EMNIST's writers seldom use, drawn for this project: the crossed 7, the 1 with an upstroke, ...

EMNIST's forms were filled in by Americans, with pens. Who draws on a screen elsewhere writes other shapes, with lines
of one width. From the drawings below any number of different ones is made, each bent, slanted and loosely joined
in its own way, through the very ink that draws a user's strokes. Characters that only a context could tell apart when
drawn so plainly (0 and O, the bare strokes of 1, I and l) are left out: EMNIST knows better how people write them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline

from penread.charset import stands_for
from penread.ink import Ink
from penread.training.data import Subset

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Strokes are parted by "|", points are x,y on a grid about 6 wide and 10 high, y downward; "~" marks a smooth stroke.
_DRAWINGS: list[tuple[str, str]] = [
    ("0", "~3,0 0.5,2 0,5 0.8,8.5 3,10 5.3,8.3 6,5 5.4,1.8 3,0 | 5.2,1 1,9"),
    ("1", "0.5,3 3,0 3,10"),
    ("1", "-1,4.5 3,0 3,10"),
    ("1", "-0.5,5.2 3,0 2.7,10"),
    ("1", "1,2.5 3,0 3,10 | 0.5,10 5.5,10"),
    ("1", "0,4 3,0 3,10 | 0.8,10 5,10"),
    ("2", "~0.3,2.2 1.2,0.5 3,0 5,0.8 5.4,2.8 4.2,5.2 2,7.8 0,10 | 0,10 6,10"),
    ("2", "~0.5,1.5 3,0 5,1.5 4.5,4.5 2,8 0.5,9.3 0.3,8.4 1.4,8 3,9 6,9.6"),
    ("3", "~0.5,1 2.5,0 5,1 4.5,3.5 2.3,4.7 | ~2.3,4.7 5,5.3 5.6,7.5 4,9.7 1.8,10 0,8.8"),
    ("3", "0.3,0 5.3,0 2.5,3.8 | ~2.5,3.8 5,4.8 5.6,7.3 4,9.7 1.8,10 0,9"),
    ("3", "~1,0.9 2.6,0 3.8,1.2 3.4,3.6 2.2,4.6 | ~2.2,4.6 3.9,5.6 4,8.6 2.8,10 1,9.4"),
    ("4", "4.2,0 0,6.7 6,6.7 | 4.2,0 4.2,10"),
    ("4", "1,0 0.6,5.5 5.8,5.5 | 5,1 4.6,10"),
    ("4", "~1.5,0 0.8,3.5 1.5,5.3 5.5,5 | 5,2 4.3,10"),
    ("4", "3,0 0,6.5 6,6.2 | 4,3.8 3.8,10"),
    ("5", "5,0 1,0 0.7,4.2 | ~0.7,4.2 3,3.6 5.3,5 5.3,8 3.3,10 0.3,9.2"),
    ("5", "1,0 0.8,4.3 | ~0.8,4.3 3,3.7 5.2,5.2 5.2,8 3,10 0.2,9 | 1,0 5.4,-0.2"),
    ("6", "~4.5,0 1.8,2.5 0.3,6 1,9.3 3.2,10 5.3,8.3 4.8,5.8 2.6,5.2 0.6,7"),
    ("6", "~3.5,0 1.4,3.5 0.6,7 1,9.3 2.6,10 3.8,8.6 3.2,6.9 1.8,6.9 0.8,8"),
    ("7", "0,0.2 5.8,0 2.2,10 | 1.2,5 5.4,4.8"),
    ("7", "0.2,1.6 0.4,0 5.8,0 2.5,10 | 1.5,5 5,5"),
    ("7", "~0,1.5 1.5,0 5,0.6 5,2.5 2.2,9.5 1.2,8.2 1.8,5.6 5.8,5.2"),
    ("7", "0,0.8 5.4,0 2.6,9.8 1.4,7.4 | 1.4,7.4 2.2,5.8 6,5"),
    ("7", "~0,0.8 1.5,0.2 5.5,0.3 | ~5.5,0.3 3.6,4.5 2.6,10 | 1.4,5.2 5.2,5"),
    ("7", "0,0 5.8,0 2.2,10"),
    ("8", "~3,0 0.9,1.2 1.2,3.4 3,4.8 5.2,6.8 4.6,9.2 3,10 1,9.2 0.7,7 2.8,4.9 4.9,3.2 4.9,1 3,0"),
    ("8", "~5,1.3 3,0 1,1.2 1.3,3.5 4.7,6 5,8.8 3,10 0.9,8.8 1.2,6.3 4.6,3.6 5,1.3"),
    ("8", "~3,0 1.2,1.2 1.4,3.6 3,4.5 4.7,3.4 4.7,1.1 3,0 | ~3,4.5 0.8,6 0.8,8.8 3,10 5.3,8.8 5.2,6 3,4.5"),
    ("9", "~5,2.5 3.4,0.1 0.9,1 0.7,3.8 2.8,5 5,2.5 5,7 4,9.7 2,10 0.5,9"),
    ("9", "~5,1.5 3,0 0.8,1.5 1,4 3,4.8 5,2.5 | 5,0.8 5,10"),
    ("9", "~4.6,2 3,0 1.2,1.2 1.4,3.4 3,4 4.6,2 | ~4.6,2 4.8,6 4,9 2.4,10 0.4,9.8"),
    ("9", "~4.8,1 2.6,0 1,1.4 1.6,3 3.6,2.6 4.8,1.2 | ~4.8,1.2 5.2,6 4,9.4 1.6,10 -1,9.2"),
    ("A", "0,10 3,0 6,10 | 1.2,6.5 4.9,6.5"),
    ("A", "~0,10 0.6,3 3,0 5.4,3 6,10 | 0.4,6 5.7,6"),
    ("B", "0.3,0 0.3,10 | ~0.3,0 4,0.4 4.6,2.5 3.3,4.5 0.4,4.8 | ~0.4,4.8 4.6,5.3 5.4,7.6 4,9.8 0.3,10"),
    ("C", "~5.5,1.5 3.5,0 1,1.5 0,5 1,8.7 3.5,10 5.6,8.6"),
    ("D", "0.3,0 0.3,10 | ~0.3,0 3.6,0.6 5.7,3.4 5.5,7 3.2,9.5 0.3,10"),
    ("E", "5,0 0.3,0 0.3,10 5.2,10 | 0.3,4.8 4.3,4.8"),
    ("E", "~5,1 3,0 1,1 1.2,3.6 3.2,4.6 | ~3.2,4.6 0.8,5.6 0.4,8.5 2.6,10 5.2,9"),
    ("F", "5.2,0 0.3,0 0.3,10 | 0.3,4.8 4.2,4.8"),
    ("G", "~5.4,1.6 3.4,0 1,1.5 0,5 1,8.7 3.4,10 5.2,8.8 5.5,6 | 3.2,5.8 5.7,5.8"),
    ("G", "~5.4,1.6 3.4,0 1,1.5 0,5 1,8.7 3.4,10 5.4,8.6 | 3.4,5.6 5.6,5.6 5.6,10.2"),
    ("H", "0.3,0 0.3,10 | 5.5,0 5.5,10 | 0.3,5 5.5,5"),
    ("I", "3,0 3,10 | 0.8,0 5.2,0 | 0.8,10 5.2,10"),
    ("i", "2,3.5 2,10 | 2,0 2.2,0.5"),
    ("J", "~4.5,0 4.6,6 4,9.3 2.3,10 0.5,8.7"),
    ("J", "~4.5,0 4.6,6 4,9.3 2.3,10 0.5,8.7 | 2,0 6.5,0"),
    ("j", "~3,3.5 3,10.5 1.5,12.5 -0.5,11.5 | 3,0 3.1,0.5"),
    ("K", "0.3,0 0.3,10 | 5.3,0 0.4,5.6 | 2,4.4 5.6,10"),
    ("k", "0.3,0 0.3,10 | 4.2,4 0.5,7.2 | 1.7,6.3 4.6,10"),
    ("L", "0.3,0 0.3,10 5.2,10"),
    ("l", "~0.5,9 3,4.5 3.5,1 2.3,0 1.2,2 1.2,8 2.2,10 4,9"),
    ("M", "0,10 0.6,0 3.2,6.5 5.8,0 6.4,10"),
    ("M", "0,10 0,0 3.2,5 6.4,0 6.4,10"),
    ("m", "0.2,3 0.2,10 | ~0.2,5 1.6,3.2 2.9,4.2 3,10 | ~3,5 4.5,3.2 5.9,4.2 6,10"),
    ("N", "0.2,10 0.2,0 5.5,10 5.5,0"),
    ("P", "0.3,0 0.3,10 | ~0.3,0 4,0.2 5.2,2.3 4.2,4.8 0.4,5.2"),
    ("p", "0.5,3 0.5,13 | ~0.5,4.5 2.5,3 4.8,4.2 4.8,7 2.8,8.6 0.6,7.4"),
    ("Q", "~3,0 0.3,2.2 0,5.5 1.2,9 3.2,10 5.7,8 6,4.5 4.9,1.2 3,0 | 3.6,7 6.2,10.6"),
    ("R", "0.3,0 0.3,10 | ~0.3,0 4,0.2 5.2,2.3 4.2,4.8 0.4,5.2 | 2.4,5.2 5.6,10"),
    ("S", "~5.2,1.4 3.4,0 1,0.8 0.8,3.4 3,4.8 5.2,6.4 5,9 2.7,10 0.2,8.8"),
    ("T", "0,0 6,0 | 3,0 3,10"),
    ("U", "~0.2,0 0.3,6.5 1.5,9.6 3.3,10 5,8.8 5.4,5 5.5,0"),
    ("u", "~0.2,3 0.3,7.5 1.5,9.7 3.3,9.5 4.8,7.5 | 4.9,3 5,8.8 5.8,10"),
    ("V", "0,0 3,10 6,0"),
    ("W", "0,0 1.6,10 3.3,3 5,10 6.8,0"),
    ("W", "~0,0 0.6,7.5 2,9.9 3.3,7 3.5,3.5 3.7,7 5.1,9.9 6.4,7 6.8,0"),
    ("X", "0,0 5.6,10 | 5.6,0 0,10"),
    ("x", "~0,0.5 1.8,0.5 2.8,5 3.8,9.5 5.6,9.5 | 5.4,0.3 0.2,9.7"),
    ("Y", "0,0 3,4.8 6,0 | 3,4.8 3,10"),
    ("y", "0,3 2.8,8 | 5.5,3 1.6,12.5"),
    ("y", "~0.2,3 0.5,6.8 2.4,7.8 4.6,6 5,3 | ~5,3 4.9,9.5 3.2,12.3 0.8,11.5"),
    ("Z", "0,0 5.6,0 0,10 5.8,10 | 1,5 4.8,5"),
    ("Z", "0,0 5.6,0 0,10 5.8,10"),
    ("a", "~5,3.8 3,3 0.8,4.3 0.4,7.5 2,9.6 4.3,8.3 5,5 | ~5,3.2 5,7.5 6,9.8"),
    ("a", "~0.8,4 2.8,3 4.6,4.2 4.8,9.9 | ~4.7,6 2,6.2 0.4,8 1.6,9.9 3.6,9.4 4.7,7.6"),
    ("b", "0.3,0 0.3,10 | ~0.3,6 2.4,4.4 4.8,5.6 5,8.5 3,10 0.4,9"),
    ("d", "~5,5.6 3,4.4 0.8,5.6 0.4,8.2 2.2,10 4.6,8.8 | 5,0 5,10"),
    ("e", "0.4,6.6 5,6.3 | ~5,6.3 4.3,4 2.4,3.6 0.6,5.2 0.4,8 2.2,10 5,9"),
    ("e", "~0.6,7 4.2,6.4 4.6,4.4 2.8,3.6 0.6,5.4 0.6,8.4 2.8,10 5.2,8.8"),
    ("f", "~5,0.8 3.6,0 2.4,1.2 2.2,4 2.2,10 | 0.3,4 4.6,4"),
    ("f", "~2,7 4.2,2.5 3.8,0.3 2.6,1.5 2.4,6 2.4,11.5 1.2,12.8 | 0.8,6 4.4,5.6"),
    ("g", "~5,4 3,3 0.8,4.2 0.5,6.8 2.4,8.2 4.8,6.2 | ~5,3.2 5,9.5 4,12 2,12.4 0.5,11.2"),
    ("h", "0.3,0 0.3,10 | ~0.3,6.3 2.4,4.4 4.4,5.4 4.6,10"),
    ("n", "0.3,3.3 0.3,10 | ~0.3,5.6 2.4,3.4 4.4,4.4 4.6,10"),
    ("q", "~4.8,4 2.8,3 0.6,4.3 0.4,7 2.3,8.4 4.6,6.6 | 4.9,3.2 4.9,12.8 6.2,11.4"),
    ("r", "0.3,3.2 0.3,10 | ~0.3,6 1.6,3.8 3.8,3.4"),
    ("t", "~2.4,0 2.3,8 3.4,10 5,9.2 | 0,3 5,3"),
    ("t", "2.5,0 2.5,10 | 0,3 5,3"),
]
_STEPS = 12


def drawn(chars: str, per_drawing: int, seed: int) -> Subset:
    """Draws variants of the drawings above.

    Args:
        chars: The class table to label them by; drawings of characters that it has no class for are left out.
        per_drawing: Variants of each.
        seed: Of their shapes.

    Returns:
        Glyphs and labels, variants of a drawing one after the other.
    """
    label_of = {char: label for label, both in enumerate(stands_for(chars)) for char in both}
    samples = [(label_of[char], strokes) for char, strokes in drawn_strokes(per_drawing, seed) if char in label_of]
    glyphs = [Ink(strokes).glyph() for _, strokes in samples]
    labels = np.array([label for label, _ in samples], np.int64)
    return Subset(np.stack(glyphs), labels, chars, "drawn", "train")


def drawn_strokes(per_drawing: int, seed: int) -> list[tuple[str, list[NDArray[np.float64]]]]:
    """Draws variants of the drawings above as strokes.

    Args:
        per_drawing: Variants of each.
        seed: Of their shapes.

    Returns:
        Characters with their strokes, each float (points, 2), variants of a drawing one after the other.
    """
    rng = np.random.default_rng(seed)
    return [
        (char, _vary(strokes, rng))
        for char, strokes in ((char, _parse(drawing)) for char, drawing in _DRAWINGS)
        for _ in range(per_drawing)
    ]


def _parse(drawing: str) -> list[NDArray[np.float64]]:
    """Gives the strokes of a drawing as dense points, float (N, 2) each."""
    strokes = []
    for stroke in drawing.split("|"):
        corners = np.array([[float(number) for number in point.split(",")] for point in stroke.strip(" ~").split()])
        places = np.arange(len(corners))
        dense = np.linspace(0, len(corners) - 1, _STEPS * (len(corners) - 1) + 1)
        if stroke.strip().startswith("~"):
            strokes.append(np.asarray(CubicSpline(places, corners)(dense)))
        else:
            strokes.append(np.stack([np.interp(dense, places, corners[:, axis]) for axis in (0, 1)], axis=1))
    return strokes


def _vary(strokes: list[NDArray[np.float64]], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Joins strokes loosely, makes them longer or shorter, bends, slants, stretches and turns the whole."""
    loose = [
        _lengthened((stroke - stroke.mean(axis=0)) * rng.normal(1, 0.06, 2) + stroke.mean(axis=0), rng)
        + rng.normal(0, 0.25, 2)
        for stroke in strokes
    ]
    angle, slant = rng.normal(0, math.radians(6)), rng.normal(0.1, 0.18)
    width, height = np.exp(rng.normal(0, 0.2, 2))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    shape = turn @ np.array([[width, -slant], [0, height]])
    waves = rng.normal(0, 0.16, (2, 3, 3))
    phases = rng.uniform(0, 2 * math.pi, (2, 3, 3))
    varied = []
    for stroke in loose:
        bent = stroke.copy()
        for axis in (0, 1):
            for across in range(3):
                for down in range(3):
                    turns = 2 * math.pi * (across * stroke[:, 0] / 16 + down * stroke[:, 1] / 16)
                    bent[:, axis] += waves[axis, across, down] * np.sin(turns + phases[axis, across, down])
        varied.append(bent @ shape.T)
    return varied


def _lengthened(stroke: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Goes on beyond the ends of a stroke, or stops short of them."""
    cut = rng.integers(0, 3, 2)
    stroke = stroke[cut[0] : len(stroke) - cut[1]]
    beyond = np.maximum(rng.normal(0, 1.5, 2), 0)
    first = stroke[0] + beyond[0] * (stroke[0] - stroke[1])
    last = stroke[-1] + beyond[1] * (stroke[-1] - stroke[-2])
    return np.concatenate([first[None], stroke, last[None]])

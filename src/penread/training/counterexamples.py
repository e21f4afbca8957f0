"""Ink of all kinds for the rejection head to learn from: one character, several, and what is no character at all.

Nothing here is collected: characters are EMNIST's training images and this project's drawings, all else is made from
them, from strokes at random, and from the scripts and symbols of the DejaVu fonts, which come with matplotlib. Each
kind comes in both looks that a glyph can have, EMNIST's (as a scan gives it) and drawn ink's (a line of one width), so
that the look tells nothing.

Most things are made as a *line*: points float (N, 2) less than a pixel of the grid apart, x and y, in no order. The
line of an image is its thinned ink. A line can be bent, cut, put beside another, and drawn with any pen.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import matplotlib as mpl
import numpy as np
import torch
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import cKDTree

from penread.glyph import GRID_PX, LONG_SIDE_PX, PEN_PX, from_coverage
from penread.training.augment import augment
from penread.training.styles import drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from penread.training.data import Subset

    Line = NDArray[np.float64]

#: The source of the examples that are one character.
CHARACTERS = "character"
# Parts of a mixture: how it is made, and its share of the examples.
_SHARES = {
    CHARACTERS: 0.4,
    "side by side": 0.24,
    "scribble": 0.06,
    "doodle": 0.04,
    "script": 0.09,
    "composed": 0.08,
    "recombined": 0.03,
    "turned": 0.02,
    "half": 0.02,
    "damaged": 0.02,
}
_KIND_OF = {CHARACTERS: 0, "side by side": 1}
# Pixels drawn for one of the grid, in each direction.
_FINE = 4
# Pens of the image look, in pixels of the grid: EMNIST's widths, and the thin line of what was written large.
_PENS_PX = (2.6, 8.5)
_MOST_PER_DRAWING = 12


@dataclass(frozen=True)
class Examples:
    """Labelled ink.

    Attributes:
        glyphs: uint8 (N, 28, 28).
        kinds: int64 (N,), indices into ``penread.bundle.KINDS``.
        sources: How each was made.
    """

    glyphs: NDArray[np.uint8]
    kinds: NDArray[np.int64]
    sources: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.kinds)


def examples(characters: Subset, count: int, seed: int) -> Examples:
    """Makes examples of every kind.

    Args:
        characters: Real characters to make them from, not of a test.
        count: About how many.
        seed: Of all that is random.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    pool = _Pool(characters, count, rng)
    made: list[NDArray[np.uint8]] = []
    sources: list[str] = []
    for source, share in _SHARES.items():
        glyphs = _MAKERS[source](pool, round(share * count), rng)
        made.append(glyphs)
        sources += [source] * len(glyphs)
    return Examples(
        np.concatenate(made), np.array([_KIND_OF.get(source, 2) for source in sources], np.int64), np.array(sources)
    )


class _Pool:
    """Characters to make things from: images, each class as often, and the lines of some of them.

    Args:
        characters: Real ones.
        count: How many examples will be made of it.
        rng: Chooses.
    """

    def __init__(self, characters: Subset, count: int, rng: np.random.Generator) -> None:
        self.chars = characters.chars
        self.images, self.labels = characters.images, characters.labels
        self._of_class = [np.flatnonzero(self.labels == label) for label in range(len(self.chars))]
        per_drawing = min(max(count // 1000, 2), _MOST_PER_DRAWING)
        drawings = drawn(self.chars, per_drawing, int(rng.integers(2**31)))
        self.drawings = drawings.images
        picked = self.pick(max(400, count // 8), rng)
        self.lines = lines_of(self.images[picked])
        self.line_labels = self.labels[picked]
        self.drawn_lines = lines_of(self.drawings)

    def pick(self, count: int, rng: np.random.Generator, chars: str | None = None) -> NDArray[np.int64]:
        """Picks images, of each class about as many."""
        wanted = [self.chars.index(char) for char in (chars or self.chars) if char in self.chars]
        labels = rng.permutation(np.resize(rng.permutation(wanted), count))
        return np.array([rng.choice(self._of_class[label]) for label in labels], np.int64)

    def line(self, rng: np.random.Generator) -> Line:
        """Picks the line of a character."""
        lines = self.lines if rng.random() < 0.75 else self.drawn_lines
        return lines[rng.integers(len(lines))]


# --- lines: from images, bent, drawn -------------------------------------------------------------------------------


def lines_of(glyphs: NDArray[np.uint8]) -> list[Line]:
    """Thins glyphs to lines.

    Args:
        glyphs: uint8 (N, 28, 28).
    """
    inked = np.stack([cv2.resize(glyph, (GRID_PX, GRID_PX), interpolation=cv2.INTER_CUBIC) > 110 for glyph in glyphs])
    return [_smoothed(np.argwhere(line)[:, ::-1].astype(np.float64) + 0.5) for line in _thinned(inked)]


def _thinned(inked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Takes ink away from the edges until lines one pixel wide are left (T. Zhang, C. Suen 1984)."""
    line = np.pad(inked, ((0, 0), (1, 1), (1, 1)))
    left = np.arange(len(line))
    while len(left):
        before = line[left].sum(axis=(1, 2))
        for side in (0, 1):
            some = line[left]
            around = [
                some[:, 1 + down : GRID_PX + 1 + down, 1 + across : GRID_PX + 1 + across]
                for down, across in ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
            ]
            north, east, south, west = around[::2]
            count = sum(neighbour.astype(np.int8) for neighbour in around)
            changes = sum((~a & b).astype(np.int8) for a, b in zip(around, around[1:] + around[:1], strict=True))
            # One side's edges at a time, so that a line two pixels wide doesn't vanish.
            open_side = ~(east & south & (north | west)) if side == 0 else ~(north & west & (east | south))
            middle = some[:, 1:-1, 1:-1]
            middle &= ~((count >= 2) & (count <= 6) & (changes == 1) & open_side)
            line[left] = some
        left = left[line[left].sum(axis=(1, 2)) < before]
    return line[:, 1:-1, 1:-1]


def _smoothed(line: Line) -> Line:
    """Moves each point to the middle of those near it: thinning leaves steps and spurs."""
    if len(line) == 0:
        return np.full((1, 2), GRID_PX / 2)
    tree = cKDTree(line)
    pairs = tree.query_pairs(2.6, output_type="ndarray")
    total, near = line.copy(), np.ones(len(line))
    for one, other in ((0, 1), (1, 0)):
        np.add.at(total, pairs[:, one], line[pairs[:, other]])
        np.add.at(near, pairs[:, one], 1)
    return np.asarray(total / near[:, None])


def line_along(strokes: Sequence[Line]) -> Line:
    """Puts points along polylines: the line of strokes, its long side 40 pixels of the grid."""
    corners = np.concatenate(strokes)
    scale = 40 / max(float(np.ptp(corners, axis=0).max()), 1e-6)
    parts = []
    for stroke in strokes:
        scaled = stroke * scale
        steps = np.hypot(*np.diff(scaled, axis=0).T) if len(scaled) > 1 else np.zeros(0)
        at = np.concatenate([[0], np.cumsum(steps)])
        dense = np.linspace(0, at[-1], max(2, int(at[-1] / 0.6) + 1))
        parts.append(np.stack([np.interp(dense, at, scaled[:, axis]) for axis in (0, 1)], axis=1))
    return np.concatenate(parts)


def _bent(line: Line, rng: np.random.Generator, strength: float = 1.0) -> Line:
    """Turns, slants, stretches and bends a line."""
    low, high = line.min(axis=0), line.max(axis=0)
    side = max(float((high - low).max()), 1e-6)
    centred = (line - (low + high) / 2) / side
    angle, slant = rng.normal(0, math.radians(6) * strength), rng.normal(0, 0.15 * strength)
    width, height = np.exp(rng.normal(0, 0.12 * strength, 2))
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = centred @ (turn @ np.array([[width, slant], [0, height]])).T
    waves = rng.normal(0, 0.018 * strength, (2, 4))
    turns = rng.normal(0, 5, (4, 2))
    phases = rng.uniform(0, 2 * math.pi, (2, 4))
    for axis in (0, 1):
        moved[:, axis] += np.sin(centred @ turns.T + phases[axis]) @ waves[axis]
    return np.asarray(moved * side)


def draw(line: Line, pen_px: float = PEN_PX) -> NDArray[np.uint8]:
    """Draws a line as a glyph.

    Args:
        line: Points in any unit; they are scaled until the character fills the glyph, as ink is.
        pen_px: Width of the pen on the grid of 56 pixels.
    """
    low, high = line.min(axis=0), line.max(axis=0)
    side = float((high - low).max())
    scale = (LONG_SIDE_PX - pen_px) / side if side > 1e-6 else 0.0
    places = ((line - (low + high) / 2) * scale + GRID_PX / 2) * _FINE
    paper = np.ones((GRID_PX * _FINE, GRID_PX * _FINE), np.uint8)
    columns, rows = np.clip(places, 0, GRID_PX * _FINE - 1).astype(np.int64).T
    paper[rows, columns] = 0
    distance = cv2.distanceTransform(paper, cv2.DIST_L2, 3)
    fine = np.clip(pen_px * _FINE / 2 - distance + 0.5, 0, 1)
    coverage = cv2.resize(fine, (GRID_PX, GRID_PX), interpolation=cv2.INTER_AREA)
    return from_coverage(np.asarray(coverage, np.float64))


def _both_looks(lines: Sequence[Line], rng: np.random.Generator, *, bend: float = 1.0) -> NDArray[np.uint8]:
    """Draws lines, bent: half as ink is drawn, half with all kinds of pens and as scans look."""
    if not lines:
        return np.zeros((0, 28, 28), np.uint8)
    as_ink = rng.random(len(lines)) < 0.5
    glyphs = np.stack(
        [
            draw(_bent(line, rng, bend), PEN_PX if ink else float(rng.uniform(*_PENS_PX)))
            for line, ink in zip(lines, as_ink, strict=True)
        ]
    )
    glyphs[~as_ink] = _distorted(glyphs[~as_ink], 0.5)
    return glyphs


def _distorted(glyphs: NDArray[np.uint8], untouched: float) -> NDArray[np.uint8]:
    """Distorts glyphs as in training."""
    if len(glyphs) == 0:
        return glyphs
    changed = augment(torch.from_numpy(glyphs), untouched).round().clamp(0, 255).to(torch.uint8)
    return np.asarray(changed.numpy())


# --- one character ---------------------------------------------------------------------------------------------------


def _characters(pool: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Real characters: as they are, distorted, and their lines drawn anew; and drawn ones."""
    images = pool.images[pool.pick(round(0.45 * count), rng)]
    lines = [pool.lines[index] for index in rng.integers(len(pool.lines), size=round(0.35 * count))]
    drawings = pool.drawings[rng.integers(len(pool.drawings), size=round(0.12 * count))]
    drawn_lines = [pool.drawn_lines[index] for index in rng.integers(len(pool.drawn_lines), size=round(0.08 * count))]
    return np.concatenate([_distorted(images, 0.5), _both_looks(lines, rng), drawings, _both_looks(drawn_lines, rng)])


# --- several characters ----------------------------------------------------------------------------------------------


def _side_by_side(pool: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Two to four characters: from apart to overlapping, as lines and as images."""
    of_images = round(0.4 * count)
    glyphs = np.stack([_images_together(pool, rng) for _ in range(of_images)])
    lines = [_lines_together([pool.line(rng) for _ in range(_how_many(rng))], rng) for _ in range(count - of_images)]
    return np.concatenate([_distorted(glyphs, 0.5), _both_looks(lines, rng, bend=0.5)])


def _how_many(rng: np.random.Generator) -> int:
    return int(rng.choice([2, 3, 4], p=[0.75, 0.2, 0.05]))


def _gap(rng: np.random.Generator) -> float:
    """Draws a gap, in heights of a character: below 0 where they overlap."""
    return float(rng.uniform(-0.1, 0.1) if rng.random() < 0.5 else rng.uniform(0, 0.5))


def _lines_together(lines: Sequence[Line], rng: np.random.Generator) -> Line:
    """Puts lines beside each other, seldom below each other; some joined by a stroke."""
    downward = rng.random() < 0.06
    parts: list[Line] = []
    end = 0.0
    for line in lines:
        bent = _bent(line, rng)
        bent = bent * rng.uniform(0.65, 1.2)
        if downward:
            bent = bent[:, ::-1]
        low, high = bent.min(axis=0), bent.max(axis=0)
        # They stand on one line, more or less.
        moved = bent - [low[0], high[1] + rng.normal(0, 5)]
        gap = _gap(rng) * 40
        moved[:, 0] += end + gap if parts else 0
        if parts and gap > 0 and rng.random() < 0.2:
            before, after = parts[-1], moved
            parts.append(line_between(before[before[:, 0].argmax()], after[after[:, 0].argmin()]))
        end = float(moved[:, 0].max())
        parts.append(moved)
    together = np.concatenate(parts)
    return together[:, ::-1] if downward else together


def line_between(start: Line, end: Line) -> Line:
    """Gives the points of a straight stroke."""
    steps = max(2, int(np.hypot(*(end - start)) / 0.6))
    return np.asarray(start + (end - start) * np.linspace(0, 1, steps)[:, None])


def _images_together(pool: _Pool, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pastes images beside each other and makes a glyph of all."""
    parts = []
    for index in pool.pick(_how_many(rng), rng):
        inked = pool.images[index]
        rows, columns = np.flatnonzero((inked > 60).any(axis=1)), np.flatnonzero((inked > 60).any(axis=0))
        cut = inked[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = 3 * rng.uniform(0.65, 1.2)
        size = (max(2, round(cut.shape[1] * scale)), max(2, round(cut.shape[0] * scale)))
        parts.append(np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_CUBIC), np.uint8))
    page = np.zeros((200, 600), np.uint8)
    left = 10
    for part in parts:
        bottom = int(np.clip(130 + rng.normal(0, 6), part.shape[0], 199))
        place = page[bottom - part.shape[0] : bottom, left : left + part.shape[1]]
        np.maximum(place, part[:, : place.shape[1]], out=place)
        left = max(0, left + part.shape[1] + round(_gap(rng) * 66))
    return _fitted(page, rng)


def _fitted(page: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Makes a glyph of the ink on a page; a line that came out thin is mostly made as wide as EMNIST's."""
    rows, columns = np.flatnonzero((page > 110).any(axis=1)), np.flatnonzero((page > 110).any(axis=0))
    middle_x, middle_y = (columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2
    scale = LONG_SIDE_PX * 2 / max(np.ptp(columns) + 1, np.ptp(rows) + 1)
    move = np.array([[scale, 0, GRID_PX - scale * middle_x], [0, scale, GRID_PX - scale * middle_y]])
    shrunk = cv2.warpAffine(page, move, (2 * GRID_PX, 2 * GRID_PX), flags=cv2.INTER_AREA)
    inked = np.asarray(shrunk > 110, np.uint8)
    # The mean distance to the edge is a quarter of a line's width.
    inside = cv2.distanceTransform(np.pad(inked, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    width = 4 * float(inside[inked > 0].mean()) if inked.any() else 0.0
    more = 2 * float(rng.uniform(*_PENS_PX)) - width
    if more > 1 and rng.random() < 0.7:
        size = round(more) + 1
        pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        inked = np.asarray(cv2.dilate(inked, pen), np.uint8)
    coverage = cv2.resize(inked.astype(np.float32), (GRID_PX, GRID_PX), interpolation=cv2.INTER_AREA)
    return from_coverage(np.asarray(coverage, np.float64))


# --- strokes at random -----------------------------------------------------------------------------------------------


def _curve(corners: Line, steps: int = 14) -> Line:
    """Rounds a polyline: a uniform Catmull-Rom spline through its points."""
    if len(corners) < 3:
        return corners
    padded = np.concatenate([2 * corners[:1] - corners[1:2], corners, 2 * corners[-1:] - corners[-2:-1]])
    before, start, end, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    points = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    return np.concatenate([points.transpose(1, 0, 2).reshape(-1, 2), corners[-1:]])


def _zigzag(rng: np.random.Generator) -> list[Line]:
    turns = int(rng.integers(6, 16))
    x = np.cumsum(rng.uniform(0.4, 1, turns)) * rng.uniform(0.08, 0.5)
    y = np.where(np.arange(turns) % 2, 1, 0) + rng.normal(0, 0.15, turns)
    corners = np.stack([x, y], axis=1)
    return [_curve(corners) if rng.random() < 0.5 else corners]


def _spiral(rng: np.random.Generator) -> list[Line]:
    angle = np.linspace(0, 2 * math.pi * rng.uniform(2.2, 5), 160) * rng.choice([-1, 1])
    radius = np.linspace(rng.uniform(0, 0.2), 1, 160) ** rng.uniform(0.7, 1.3)
    start, flat = rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 1)
    return [np.stack([radius * np.cos(angle + start), flat * radius * np.sin(angle + start)], axis=1)]


def _coil(rng: np.random.Generator) -> list[Line]:
    loops = rng.uniform(3, 9)
    angle = np.linspace(0, 2 * math.pi * loops, 240)
    forward = rng.uniform(0.03, 0.35)
    wobble = 1 + 0.25 * np.sin(angle * rng.uniform(0.1, 0.7) + rng.uniform(0, 6))
    return [np.stack([forward * angle + 0.8 * wobble * np.cos(angle), wobble * np.sin(angle)], axis=1)]


def _walk(rng: np.random.Generator) -> list[Line]:
    steps = int(rng.integers(9, 30))
    turning = np.cumsum(rng.normal(0, rng.uniform(0.5, 1.5), steps))
    corners = np.cumsum(np.stack([np.cos(turning), np.sin(turning)], axis=1) * rng.uniform(0.3, 1, (steps, 1)), axis=0)
    return [_curve(corners)]


def _tangle(rng: np.random.Generator) -> list[Line]:
    return [_curve(rng.uniform(0, 1, (int(rng.integers(6, 20)), 2)))]


def _crossed_out(rng: np.random.Generator) -> list[Line]:
    turns = int(rng.integers(5, 14))
    y = np.linspace(0, rng.uniform(0.1, 0.7), turns) + rng.normal(0, 0.04, turns)
    x = np.where(np.arange(turns) % 2, 1, 0) + rng.normal(0, 0.08, turns)
    corners = np.stack([x, y], axis=1)
    return [_curve(corners) if rng.random() < 0.6 else corners]


def _hatching(rng: np.random.Generator) -> list[Line]:
    strokes: list[Line] = []
    for _ in range(int(rng.integers(1, 3))):
        angle, lines = rng.uniform(0, math.pi), int(rng.integers(4, 9))
        along, across = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
        for offset in np.linspace(-0.5, 0.5, lines):
            ends = rng.normal([-0.5, 0.5], 0.06)
            strokes.append(np.stack([across * (offset + rng.normal(0, 0.02)) + along * end for end in ends]))
    return strokes


def _strewn(rng: np.random.Generator) -> list[Line]:
    """Short strokes all over the place."""
    strokes = []
    for _ in range(int(rng.integers(5, 14))):
        start, reach = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.7)
        corners = start + np.cumsum(rng.normal(0, reach / 2, (int(rng.integers(2, 5)), 2)), axis=0)
        strokes.append(_curve(corners))
    return strokes


def _wave(rng: np.random.Generator) -> list[Line]:
    x = np.linspace(0, rng.uniform(3, 7), 120)
    return [np.stack([x * rng.uniform(0.3, 0.8), rng.uniform(0.3, 1) * np.sin(2 * math.pi * x)], axis=1)]


def _gone_over(rng: np.random.Generator) -> list[Line]:
    """A round that is gone over and over."""
    angle = np.linspace(0, 2 * math.pi * rng.uniform(3, 8), 300)
    drift = np.stack([np.interp(angle, np.linspace(0, angle[-1], 8), rng.normal(0, 0.25, 8)) for _ in range(2)], axis=1)
    flat = rng.uniform(0.4, 1)
    return [np.stack([np.cos(angle), flat * np.sin(angle)], axis=1) + drift]


_SCRIBBLES: list[Callable[[np.random.Generator], list[Line]]] = [
    _zigzag, _spiral, _coil, _walk, _tangle, _crossed_out, _hatching, _strewn, _wave, _gone_over,
]  # fmt: skip


def _scribbles(_: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    lines = []
    for number in range(count):
        strokes = _SCRIBBLES[number % len(_SCRIBBLES)](rng)
        # One in five is of two kinds.
        if rng.random() < 0.2:
            other = _SCRIBBLES[rng.integers(len(_SCRIBBLES))](rng)
            strokes = [*_unit(strokes), *(stroke + rng.normal(0, 0.4, 2) for stroke in _unit(other))]
        line = line_along(strokes)
        # Scribbled flat it would be a thick bar, which many a 1 is.
        flat = np.ptp(line, axis=0)
        line = line * np.maximum(1, rng.uniform(0.3, 0.6) * flat.max() / np.maximum(flat, 1e-6))
        lines.append(_turned(line, rng.uniform(0, 2 * math.pi)))
    return _both_looks(lines, rng)


def _unit(strokes: Sequence[Line]) -> list[Line]:
    """Scales strokes to a long side of 1, from 0."""
    corners = np.concatenate(strokes)
    low = corners.min(axis=0)
    return [(stroke - low) / max(float(np.ptp(corners, axis=0).max()), 1e-6) for stroke in strokes]


def _turned(line: Line, angle: float) -> Line:
    return np.asarray(line @ np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]))


# --- drawings --------------------------------------------------------------------------------------------------------


def _arc(x: float, y: float, radius: float, first: float = 0.0, last: float = 1.0, flat: float = 1.0) -> Line:
    """Gives the points of an arc, from and to parts of a turn."""
    angle = np.linspace(2 * math.pi * first, 2 * math.pi * last, 40)
    return np.stack([x + radius * np.cos(angle), y + flat * radius * np.sin(angle)], axis=1)


def _path(*numbers: float) -> Line:
    return np.array(numbers, float).reshape(-1, 2)


def _star(rng: np.random.Generator) -> list[Line]:
    points = int(rng.choice([5, 6, 7, 8]))
    if rng.random() < 0.5:
        angle = 2 * math.pi * np.arange(points + 1) * (2 if points % 2 else 1) / points - math.pi / 2
        return [np.stack([np.cos(angle), np.sin(angle)], axis=1)] if points % 2 else _star(rng)
    angle = math.pi * np.arange(2 * points + 1) / points - math.pi / 2
    radius = np.where(np.arange(2 * points + 1) % 2, rng.uniform(0.35, 0.6), 1)
    return [np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)]


def _heart(rng: np.random.Generator) -> list[Line]:
    t = np.linspace(0, 2 * math.pi, 80)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    strokes = [np.stack([x, y], axis=1)]
    return [*strokes, _path(-20, 10, 22, -14)] if rng.random() < 0.3 else strokes


def _house(rng: np.random.Generator) -> list[Line]:
    roof = rng.uniform(0.4, 1)
    strokes = [_path(0, 0, 0, 1, 1.2, 1, 1.2, 0, 0, 0), _path(-0.1, 0, 0.6, -roof, 1.3, 0)]
    if rng.random() < 0.6:
        strokes.append(_path(0.45, 1, 0.45, 0.5, 0.75, 0.5, 0.75, 1))
    if rng.random() < 0.4:
        strokes.append(_path(0.15, 0.2, 0.4, 0.2, 0.4, 0.45, 0.15, 0.45, 0.15, 0.2))
    return strokes


def _face(rng: np.random.Generator) -> list[Line]:
    mouth = _arc(0, 0.1, 0.5, 0.07, 0.43) if rng.random() < 0.6 else _arc(0, 0.7, 0.4, 0.57, 0.93)
    strokes = [_arc(0, 0, 1, flat=float(rng.uniform(0.85, 1.2))), mouth]
    size = rng.uniform(0.02, 0.15)
    strokes += [_arc(-0.35, -0.3, size), _arc(0.35, -0.3, size)]
    return [*strokes, _path(0, -0.1, 0, 0.2)] if rng.random() < 0.4 else strokes


def _arrow(rng: np.random.Generator) -> list[Line]:
    head = rng.uniform(0.2, 0.45)
    strokes = [_path(0, 0, 1, 0), _path(1 - head, -head, 1, 0, 1 - head, head)]
    if rng.random() < 0.4:
        strokes.append(_path(head, -head, 0, 0, head, head))
    angle = rng.choice([0, 0.5, 1, 1.5]) * math.pi + rng.normal(0, 0.3)
    return [_turned(stroke, angle) for stroke in strokes]


def _sun(rng: np.random.Generator) -> list[Line]:
    rays = int(rng.integers(6, 12))
    angles = 2 * math.pi * np.arange(rays) / rays
    return [_arc(0, 0, 0.5)] + [
        np.outer([0.6, rng.uniform(0.85, 1.1)], [math.cos(angle), math.sin(angle)]) for angle in angles
    ]


def _flower(rng: np.random.Generator) -> list[Line]:
    petals = int(rng.integers(4, 8))
    t = np.linspace(0, 2 * math.pi, 160)
    radius = 0.7 + rng.uniform(0.2, 0.4) * np.cos(petals * t)
    strokes = [np.stack([radius * np.cos(t), radius * np.sin(t)], axis=1)]
    if rng.random() < 0.5:
        strokes.append(_arc(0, 0, 0.25))
    if rng.random() < 0.5:
        strokes.append(_path(0, 1, 0.1, 2.4))
    return strokes


def _man(rng: np.random.Generator) -> list[Line]:
    arms = rng.uniform(-0.5, 0.5)
    return [
        _arc(0, 0, 0.35), _path(0, 0.35, 0, 1.3), _path(-0.6, 0.8 + arms, 0, 0.6, 0.6, 0.8 + arms),
        _path(-0.5, 2.1, 0, 1.3, 0.5, 2.1),
    ]  # fmt: skip


def _tree(rng: np.random.Generator) -> list[Line]:
    if rng.random() < 0.5:
        bumps = _arc(0, 0, 1)
        bumps *= (1 + 0.12 * np.sin(np.linspace(0, 14 * math.pi, len(bumps))))[:, None]
        return [bumps, _path(-0.15, 1, -0.15, 2.2), _path(0.2, 1, 0.2, 2.2)]
    return [_path(0, 0, -1, 1, 1, 1, 0, 0), _path(0, 0.8, -1.2, 2, 1.2, 2, 0, 0.8), _path(-0.2, 2, -0.2, 2.6, 0.2, 2.6)]


def _boxes(rng: np.random.Generator) -> list[Line]:
    """A box with something in it, or a lattice."""
    wide = rng.uniform(0.7, 1.6)
    box = _path(0, 0, wide, 0, wide, 1, 0, 1, 0, 0)
    inside = [
        [_path(0, 0, wide, 1), _path(wide, 0, 0, 1)],
        [_path(wide / 2, 0, wide / 2, 1), _path(0, 0.5, wide, 0.5)],
        [_arc(wide / 2, 0.5, 0.3)],
        [_path(0, 0, wide / 2, 0.6, wide, 0)],
        [_path(0.25 * wide, 0.5, 0.45 * wide, 0.8, 0.9 * wide, -0.2)],
        [_path(wide * t, 0, wide * t, 1) for t in (0.25, 0.5, 0.75)],
        [box * 0.5 + [wide / 4, 0.25]],
        [_path(0, 0, 0.4, -0.4, 0.4 + wide, -0.4, wide, 0), _path(0.4 + wide, -0.4, 0.4 + wide, 0.6, wide, 1)],
    ]
    if rng.random() < 0.2:
        return [_path(a, 0, a, 1) for a in (0.33, 0.66)] + [_path(0, a, 1, a) for a in (0.33, 0.66)]
    return [box, *inside[rng.integers(len(inside))]]


def _rounds(rng: np.random.Generator) -> list[Line]:
    """A circle with something in it or by it."""
    more = [
        [_path(-0.7, -0.7, 0.7, 0.7), _path(0.7, -0.7, -0.7, 0.7)],
        [_path(-1, 0, 1, 0), _path(0, -1, 0, 1)],
        [_arc(0, 0, rng.uniform(0.35, 0.7))],
        [_arc(0, 0, 0.66), _arc(0, 0, 0.33)],
        [_path(0, 0, 0, -0.6), _path(0, 0, 0.45, 0.1)],
        [_arc(1.3, 0, 0.9), _arc(0.65, 1.1, 0.9)],
        [_path(1, 0, 1.8, -0.6, 1.8, 0.6, 1, 0), _arc(-0.5, -0.2, 0.06)],
        [_arc(-0.75, -0.9, 0.4), _arc(0.75, -0.9, 0.4)],
    ]
    return [_arc(0, 0, 1), *more[rng.integers(len(more))]]


def _cloud(rng: np.random.Generator) -> list[Line]:
    bumps = int(rng.integers(5, 9))
    t = np.linspace(0, 2 * math.pi, 200)
    radius = 1 + 0.25 * np.abs(np.sin(bumps * t / 2 + rng.uniform(0, 3)))
    strokes = [np.stack([1.5 * radius * np.cos(t), radius * np.sin(t)], axis=1)]
    return strokes + [_path(x, 1.6, x - 0.2, 2.2) for x in (-0.8, 0, 0.8)] if rng.random() < 0.4 else strokes


def _umbrella(rng: np.random.Generator) -> list[Line]:
    hook = float(rng.uniform(0.15, 0.3))
    ribs = [_arc(x, 0, 0.33, 0.5, 1) for x in (-0.67, 0, 0.67)]
    return [_arc(0, 0, 1, 0.5, 1), *ribs, _path(0, -1, 0, 1), _arc(-hook, 1, hook, 0, 0.5)]


def _animal(rng: np.random.Generator) -> list[Line]:
    strokes = [_arc(0, 0, 1, flat=0.5), _arc(1.2, -0.5, 0.4), _path(-1, 0, -1.4, -0.5)]
    strokes += [_path(x, 0.4, x + rng.normal(0, 0.1), 1.2) for x in (-0.6, -0.3, 0.3, 0.6)]
    return [*strokes, _path(1, -0.8, 1, -1.2, 1.2, -0.9, 1.4, -1.2, 1.4, -0.8)]


_DOODLES: list[Callable[[np.random.Generator], list[Line]]] = [
    _star, _heart, _house, _face, _arrow, _sun, _flower, _man, _tree, _boxes, _rounds, _cloud, _umbrella, _animal,
]  # fmt: skip


def _doodles(_: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Little pictures. What people also write for a character is left out: circle, box, cross, tick, triangle, moon."""
    lines = [
        line_along([stroke * rng.normal(1, 0.06, 2) for stroke in _DOODLES[number % len(_DOODLES)](rng)])
        for number in range(count)
    ]
    return _both_looks(lines, rng, bend=1.4)


# --- scripts ---------------------------------------------------------------------------------------------------------

# What a character's name in Unicode begins with. Latin look-alikes among them are found by their shape.
_SCRIPTS = (
    "ARABIC LETTER", "ARABIC-INDIC", "ARMENIAN", "CANADIAN", "COPTIC", "CYRILLIC", "GEORGIAN", "GREEK", "HEBREW LETTER",
    "LAO", "NKO LETTER", "NKO DIGIT", "TIFINAGH LETTER", "OGHAM LETTER", "OLD ITALIC", "TETRAGRAM", "TRIGRAM",
)  # fmt: skip
_SYMBOLS = (
    "&#@%*?$§¶£€¥©®±÷√∑∏∫∞∂∇∈∉∋∩≈≠≡≤≥⊂⊃⊆⊕⊗←↑→↓↔↕⇒⇔↺↻⌘⌂⌛☀☁☂☃☎☕☘☠☢☣☮☯☹"
    "☺♀♂♈♉♊♋♌♍♎♏♐♑♒♓♔♕♖♗♘♙♠♡♢♣♤♥♧♪♫♭♯⚀⚁⚂⚃⚄⚅⚐⚔⚖⚙⚛⚜✂✆✈✉✌✍✎✓✗✠✡✢✰✿❀❂❄❖❤"
)
_FONT_PX = 110
# Correlation of two drawn glyphs above which the one looks like the other.
_ALIKE = 0.75


def _scripts(_: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Characters of other scripts, and symbols, written with a pen."""
    lines = foreign_lines()
    return _both_looks([lines[index] for index in rng.integers(len(lines), size=count)], rng, bend=1.4)


@cache
def foreign_lines() -> list[Line]:
    """Gives the lines of the fonts' foreign characters and symbols, without those that look like one of ours."""
    folder = Path(mpl.get_data_path(), "fonts", "ttf")
    paths = [folder / name for name in ("DejaVuSans.ttf", "DejaVuSerif-Italic.ttf")]
    latin = [char for char in map(chr, range(48, 123)) if char.isalnum()]
    fonts = [ImageFont.truetype(str(path), _FONT_PX) for path in paths]
    known = _profile(np.stack([draw(line) for font in fonts for line in _typed(latin, font)]))
    lines = []
    for path, font in zip(paths, fonts, strict=True):
        charmap = FT2Font(path).get_charmap()
        chars = [char for char in map(chr, sorted(charmap)) if char in _SYMBOLS or is_foreign(char)]
        typed = _typed(chars, font)
        alike = (_profile(np.stack([draw(line) for line in typed])) @ known.T).max(axis=1)
        lines += [line for line, most in zip(typed, alike, strict=True) if most < _ALIKE]
    return lines


def is_foreign(char: str) -> bool:
    """Tells whether a character belongs to one of the foreign scripts."""
    name = unicodedata.name(char, "")
    return name.startswith(_SCRIPTS) and unicodedata.category(char)[0] in "LNS"


def _typed(chars: Sequence[str], font: ImageFont.FreeTypeFont) -> list[Line]:
    """Gives the thinned line of each character in a font."""
    inked = []
    for char in chars:
        left, top, right, bottom = (int(edge) for edge in font.getbbox(char))
        picture = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
        ImageDraw.Draw(picture).text((-left, -top), char, fill=255, font=font)
        scale = LONG_SIDE_PX / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        paper = Image.new("L", (GRID_PX, GRID_PX))
        paper.paste(picture.resize(size, Image.Resampling.BOX), ((GRID_PX - size[0]) // 2, (GRID_PX - size[1]) // 2))
        inked.append(np.asarray(paper) > 110)
    return [_smoothed(np.argwhere(line)[:, ::-1].astype(np.float64) + 0.5) for line in _thinned(np.stack(inked))]


def _profile(glyphs: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Blurs glyphs and brings them to mean 0 and length 1, float (N, 784): their products are correlations."""
    blurred = np.stack([cv2.GaussianBlur(glyph, (0, 0), 1.5) for glyph in glyphs]).reshape(len(glyphs), -1)
    centred = blurred - blurred.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9))


# --- characters that no one has written ------------------------------------------------------------------------------


def _composed(_: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Invented characters: strokes on a grid, in blocks, as syllables and ideographs are built."""
    return _both_looks([line_along(_block(rng, 0)) for _ in range(count)], rng, bend=1.2)


def _block(rng: np.random.Generator, depth: int) -> list[Line]:
    """Fills a unit square: with a part, or with two blocks beside, below or around each other."""
    if depth == 2 or rng.random() < (0.35 if depth == 0 else 0.55):
        return _part(rng, 3 if depth == 0 else 1, 8 if depth == 0 else 4)
    split = rng.uniform(0.35, 0.65)
    one, other = _block(rng, depth + 1), _block(rng, depth + 1)
    space = rng.uniform(0, 0.12)
    how = rng.random()
    if how < 0.4:
        return [stroke * [split - space, 1] for stroke in one] + [
            stroke * [1 - split, 1] + [split, 0] for stroke in other
        ]
    if how < 0.8:
        return [stroke * [1, split - space] for stroke in one] + [
            stroke * [1, 1 - split] + [0, split] for stroke in other
        ]
    frames = [
        _path(0, 1, 0, 0, 1, 0, 1, 1),
        _path(0, 0, 0, 1, 1, 1),
        _path(0, 0, 1, 0),
        _path(0, 0, 1, 0, 1, 1, 0, 1, 0, 0),
    ]
    return [frames[rng.integers(len(frames))], *(stroke * 0.6 + 0.2 for stroke in one)]


def _part(rng: np.random.Generator, fewest: int, most: int) -> list[Line]:
    """Gives a few strokes between places of a grid: straight, bent, hooked, round."""
    places = np.array([0, 0.25, 0.5, 0.75, 1.0])
    strokes: list[Line] = []
    for _ in range(int(rng.integers(fewest, most + 1))):
        x, y = rng.choice(places, 2)
        end_x, end_y = rng.choice(places, 2)
        how = rng.random()
        if how < 0.22:
            strokes.append(_path(0 if rng.random() < 0.5 else x, y, 1, y))
        elif how < 0.42:
            strokes.append(_path(x, 0 if rng.random() < 0.5 else y, x, 1))
        elif how < 0.54:
            strokes.append(_path(x, y, end_x, end_y) if (x, y) != (end_x, end_y) else _path(x, y, x + 0.15, y + 0.15))
        elif how < 0.72:
            middle = [end_x, y] if rng.random() < 0.5 else [x, end_y]
            strokes.append(np.array([[x, y], middle, [end_x, end_y]]))
        elif how < 0.84:
            bow = np.array([x + end_x, y + end_y]) / 2 + rng.normal(0, 0.25, 2)
            strokes.append(_curve(np.array([[x, y], bow, [end_x, end_y]])))
        elif how < 0.92:
            strokes.append(_arc(x, y, float(rng.uniform(0.1, 0.4)), 0, float(rng.choice([0.5, 1]))))
        elif how < 0.97:
            strokes.append(_path(x, y, x + 0.12, y + 0.14))
        else:
            strokes.append(np.array([[x, y], [end_x, y], [x, end_y], [end_x, end_y]]))
    if np.ptp(np.concatenate(strokes), axis=0).max() < 0.2:
        strokes.append(_path(0, 0.5, 1, 0.5))
    return [stroke + rng.normal(0, 0.03, 2) for stroke in strokes]


def _halves(pool: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Halves of characters. Those that are characters themselves the network sees more often whole."""
    lines = []
    for _ in range(count):
        line = pool.line(rng)
        axis = int(rng.random() < 0.25)
        low, high = line[:, axis].min(), line[:, axis].max()
        before = line[:, axis] < rng.uniform(low + 0.35 * (high - low), high - 0.35 * (high - low))
        lines.append(line[before if rng.random() < 0.5 and before.any() else ~before])
    return _both_looks(lines, rng)


def _recombined(pool: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pieces of several characters laid over each other."""
    lines = []
    for _ in range(count):
        pieces = []
        for _ in range(int(rng.integers(2, 5))):
            line = pool.line(rng)
            angle = rng.uniform(0, 2 * math.pi)
            side = (line - line.mean(axis=0)) @ [math.cos(angle), math.sin(angle)]
            kept = line[side > np.quantile(side, rng.uniform(0.1, 0.6))]
            turned = _turned(kept - kept.mean(axis=0), rng.choice([0, 0.5, 1, 1.5]) * math.pi)
            pieces.append(turned * rng.uniform(0.5, 1.1) + rng.normal(0, 9, 2))
        lines.append(np.concatenate(pieces))
    return _both_looks(lines, rng)


# Turned in these ways, these characters are none.
_MIRRORED, _UPSIDE_DOWN, _LYING = "FGKR4Qae", "AFGKRTQ4eta", "ABFGKPQR4aeg"


def _turned_characters(pool: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Real characters mirrored, upside down or lying."""
    third = -(-count // 3)
    mirrored = pool.images[pool.pick(third, rng, _MIRRORED)][:, :, ::-1]
    upside_down = pool.images[pool.pick(third, rng, _UPSIDE_DOWN)][:, ::-1, ::-1]
    lying = np.rot90(pool.images[pool.pick(third, rng, _LYING)], axes=(1, 2))
    together = np.concatenate([mirrored, upside_down, lying])[:count]
    lines = lines_of(together[: count // 2])
    return np.concatenate([_both_looks(lines, rng), _distorted(np.ascontiguousarray(together[count // 2 :]), 0.5)])


def _damaged(pool: _Pool, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Characters blotted, melted, in blocks, shuffled, drowned in noise."""
    glyphs = pool.images[pool.pick(count, rng)].copy()
    for number, glyph in enumerate(glyphs):
        how = number % 5
        if how == 0:
            for _ in range(int(rng.integers(1, 4))):
                centre = tuple(int(place) for place in rng.integers(6, 22, 2))
                axes = tuple(int(reach) for reach in rng.integers(4, 10, 2))
                cv2.ellipse(glyph, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
        elif how == 1:
            size = int(rng.integers(5, 9))
            glyph[:] = cv2.GaussianBlur(cv2.dilate(glyph, np.ones((size, size), np.uint8)), (0, 0), 2)
        elif how == 2:
            size = int(rng.integers(3, 6))
            coarse = cv2.resize(glyph, (size, size), interpolation=cv2.INTER_AREA) > rng.uniform(20, 60)
            glyph[:] = cv2.resize(coarse.astype(np.uint8) * 255, (28, 28), interpolation=cv2.INTER_NEAREST)
        elif how == 3:
            rows, columns = rng.permutation(4), rng.permutation(4)
            tiles = glyph.reshape(4, 7, 4, 7)[rows][:, :, columns]
            glyph[:] = tiles.reshape(28, 28)
        else:
            specks = (rng.random((28, 28)) < rng.uniform(0.15, 0.4)).astype(np.uint8) * 255
            glyph[:] = np.maximum(glyph // int(rng.integers(1, 4)), specks)
    return glyphs


_MAKERS: dict[str, Callable[[_Pool, int, np.random.Generator], NDArray[np.uint8]]] = {
    CHARACTERS: _characters,
    "side by side": _side_by_side,
    "scribble": _scribbles,
    "doodle": _doodles,
    "script": _scripts,
    "composed": _composed,
    "recombined": _recombined,
    "turned": _turned_characters,
    "half": _halves,
    "damaged": _damaged,
}

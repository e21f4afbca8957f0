"""Lines and pages made of drawn characters, as strokes and as a map of ink, with the truth about them.

Characters are those of ``penread.training.styles``, each bent and stretched in its own way. A layout says how they are
set: gaps, spaces, line distance, slopes, slant, touching and broken strokes, specks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from penread.ink import Ink
from penread.lattice import Line, Span, Word
from penread.training.styles import drawn_strokes

# Ten variants of each drawing, by character.
_VARIANTS: dict[str, list[list[np.ndarray]]] = {}
for _char, _strokes in drawn_strokes(10, 1):
    _VARIANTS.setdefault(_char, []).append(_strokes)
CAPITALS = "".join(char for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" if char in _VARIANTS)
SMALL = "".join(char for char in "abdefghijklmnpqrtuxy" if char in _VARIANTS)
_BELOW_THE_LINE = "gjpqy"


@dataclass(frozen=True)
class Layout:
    """How characters are set; lengths are in heights of a capital, angles in degrees.

    Attributes:
        chars: What is written.
        lines: How many lines.
        words: The fewest and most words in a line.
        letters: The fewest and most characters in a word.
        gap: The narrowest and widest gap between characters.
        space: The narrowest and widest space, which comes instead of the gap.
        pitch: From line to line.
        skew: The page is turned by this.
        slopes: Each line is turned by up to this in addition.
        slant: Writing leans by this.
        touching: The part of characters that is moved to touch the one before.
        broken: The part of strokes that is broken in two.
        specks: How many specks lie on the page; on maps only.
        height_px: Height of a capital on maps.
        pen_px: Width of the pen on maps.
    """

    chars: str = CAPITALS
    lines: tuple[int, int] = (3, 6)
    words: tuple[int, int] = (1, 5)
    letters: tuple[int, int] = (1, 8)
    gap: tuple[float, float] = (0.12, 0.35)
    space: tuple[float, float] = (0.75, 1.3)
    pitch: float = 1.9
    skew: float = 0.0
    slopes: float = 0.0
    slant: float = 0.0
    touching: float = 0.0
    broken: float = 0.0
    specks: int = 0
    height_px: float = 60.0
    pen_px: float = 5.0


LAYOUTS: dict[str, Layout] = {
    "capitals": Layout(),
    "small letters": Layout(chars=SMALL, pitch=2.0),
    "mixed, many lines": Layout(chars=CAPITALS + SMALL, lines=(12, 16), height_px=36, pen_px=3.5),
    "fine pen": Layout(pen_px=2.0, height_px=40),
    "thick pen": Layout(pen_px=9.0, gap=(0.22, 0.4)),
    "wide apart": Layout(words=(1, 1), letters=(8, 14), gap=(1.6, 2.4), pitch=2.2),
    "wide apart, with spaces": Layout(words=(2, 4), letters=(2, 5), gap=(0.7, 1.0), space=(2.0, 2.8), pitch=2.2),
    "lines close": Layout(pitch=1.35),
    "small letters, lines interlock": Layout(chars=SMALL, pitch=1.4),
    "page turned by 8°": Layout(skew=8.0),
    "page turned by -10°": Layout(skew=-10.0, words=(4, 7)),
    "lines at their own slopes": Layout(slopes=4.0, pitch=2.6),
    "slanted by 25°": Layout(slant=25.0),
    "touching": Layout(touching=0.3),
    "broken strokes": Layout(broken=0.4),
    "specks": Layout(specks=300),
    "one word": Layout(lines=(1, 1), words=(1, 1), letters=(2, 10)),
    "two words": Layout(lines=(1, 1), words=(2, 2), letters=(1, 6)),
    "one character": Layout(lines=(1, 1), words=(1, 1), letters=(1, 1), chars=CAPITALS + SMALL),
    "60 characters": Layout(lines=(2, 2), words=(10, 12), letters=(4, 7), height_px=40, pitch=2.5),
}


@dataclass(frozen=True, eq=False)
class Char:
    """A character on the page: its strokes, in heights of a capital."""

    char: str
    strokes: list[np.ndarray]

    def box(self, pen: float) -> np.ndarray:
        points = np.concatenate(self.strokes)
        return np.concatenate([points.min(axis=0) - pen / 2, points.max(axis=0) + pen / 2])


@dataclass(frozen=True, eq=False)
class Page:
    """What was set: lines of words of characters; the layout; a page's width and height in heights of a capital."""

    lines: list[list[list[Char]]]
    layout: Layout
    size: tuple[float, float]
    seed: int

    @property
    def chars(self) -> list[Char]:
        return [char for line in self.lines for word in line for char in word]

    def ink(self, *, shuffled: bool = False) -> Ink:
        """Gives the strokes, in units of which a capital has 100, one character after the other or in any order."""
        strokes = [stroke * 100 for char in self.chars for stroke in char.strokes]
        if shuffled:
            strokes = [strokes[place] for place in np.random.default_rng(self.seed).permutation(len(strokes))]
        return Ink(strokes)

    def ink_map(self) -> np.ndarray:
        """Draws the page as a map of ink, float32 (H, W)."""
        import cv2

        layout, rng = self.layout, np.random.default_rng(self.seed)
        scale = layout.height_px
        width, height = (int(np.ceil(side * scale)) for side in self.size)
        # Drawn at twice the size and halved, for soft edges.
        canvas = np.zeros((2 * height, 2 * width), np.uint8)
        for char in self.chars:
            for stroke in char.strokes:
                points = np.round(stroke * scale * 2 * 16).astype(np.int32)
                cv2.polylines(canvas, [points[:, None]], False, 255, max(round(2 * layout.pen_px), 1), cv2.LINE_AA, 4)
        for _ in range(layout.specks):
            x, y = rng.uniform(0, 2 * width), rng.uniform(0, 2 * height)
            cv2.circle(canvas, (int(x), int(y)), int(rng.integers(1, max(int(layout.pen_px * 0.5), 2))), 255, -1)
        return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def compose(layout: Layout, seed: int) -> Page:
    """Sets a page of random text."""
    rng = np.random.default_rng(seed)
    lines = []
    for number in range(rng.integers(layout.lines[0], layout.lines[1] + 1)):
        words: list[list[Char]] = []
        right = 0.0
        for place in range(rng.integers(layout.words[0], layout.words[1] + 1)):
            word: list[Char] = []
            for letter in range(rng.integers(layout.letters[0], layout.letters[1] + 1)):
                char = _draw(layout.chars[rng.integers(len(layout.chars))], layout, rng)
                span = layout.space if place and letter == 0 else layout.gap
                away = rng.uniform(*span) if place or letter else 0.0
                previous = words[-1] if place and letter == 0 else word
                left = right + away - char.box(0)[0] if not previous else _set_beside(previous[-1], char, away)
                if letter and rng.random() < layout.touching:
                    left -= away + rng.uniform(0, 0.04)
                moved = [stroke + np.array([left, 0.0]) for stroke in char.strokes]
                word.append(replace(char, strokes=moved))
                right = float(word[-1].box(0)[2])
            words.append(word)
        angle = np.radians(rng.uniform(-layout.slopes, layout.slopes))
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        base = (rng.uniform(0, 0.5), number * layout.pitch)
        lines.append(
            [[replace(char, strokes=[s @ turned.T + base for s in char.strokes]) for char in word] for word in words]
        )
    angle = np.radians(layout.skew)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    every = [stroke @ turned.T for line in lines for word in line for char in word for stroke in char.strokes]
    low, high = np.concatenate(every).min(axis=0) - 0.5, np.concatenate(every).max(axis=0) + 0.5
    lines = [
        [[replace(char, strokes=[s @ turned.T - low for s in char.strokes]) for char in word] for word in line]
        for line in lines
    ]
    width, height = (high - low).tolist()
    return Page(lines, layout, (width, height), seed)


def _draw(char: str, layout: Layout, rng: np.random.Generator) -> Char:
    """Draws a character, a capital about 1 high, with the line of writing at y = 1."""
    strokes = _VARIANTS[char][rng.integers(len(_VARIANTS[char]))]
    bottom = max(stroke[:, 1].max() for stroke in strokes)
    line = 12.6 if char in _BELOW_THE_LINE else 10
    down = np.array([0.0, line - bottom + rng.normal(0, 0.4)])
    strokes = [(stroke + down) / 10 for stroke in strokes]
    shear = np.tan(np.radians(layout.slant))
    strokes = [stroke + np.outer(1 - stroke[:, 1], [shear, 0]) for stroke in strokes]
    return Char(char, [part for stroke in strokes for part in _broken(stroke, layout, rng)])


def _broken(stroke: np.ndarray, layout: Layout, rng: np.random.Generator) -> list[np.ndarray]:
    steps = np.hypot(*np.diff(stroke, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    if rng.random() >= layout.broken or along[-1] < 0.5:
        return [stroke]
    # A hole that the pen doesn't close.
    middle, hole = rng.uniform(0.25, 0.75) * along[-1], (layout.pen_px / layout.height_px) + rng.uniform(0.03, 0.08)
    parts = [stroke[along < middle - hole / 2], stroke[along > middle + hole / 2]]
    return [part for part in parts if len(part) >= 2]


def _set_beside(previous: Char, char: Char, away: float) -> float:
    """Gives how far to move a character for its ink to keep this distance from the one before, at any height."""
    edges = np.arange(-0.5, 2.0, 0.1)
    right = np.full(len(edges), -np.inf)
    left = np.full(len(edges), np.inf)
    for strokes, side, of in ((previous.strokes, right, np.maximum), (char.strokes, left, np.minimum)):
        points = np.concatenate(strokes)
        rows = np.clip(np.searchsorted(edges, points[:, 1]), 0, len(edges) - 1)
        for shift in (-1, 0, 1):
            of.at(side, np.clip(rows + shift, 0, len(edges) - 1), points[:, 0])
    needed = float(np.max(right - left)) if np.isfinite(right - left).any() else -np.inf
    boxed = float(previous.box(0)[2] - char.box(0)[0])
    # At the same height where both have ink; but not so far below a neighbour that reading order gets lost.
    return max(needed, boxed - 0.3) + away


# ---------------------------------------------------------------------------------------------------------------------
# Comparison


@dataclass
class Score:
    """What was found of what was set; sums over pages."""

    pages: int = 0
    lines: int = 0
    lines_found: int = 0
    lines_extra: int = 0
    spaces: int = 0
    spaces_found: int = 0
    spaces_extra: int = 0
    chars: int = 0
    chars_offered: int = 0
    chars_best: int = 0
    words: int = 0
    word_paths: int = 0
    spans: int = 0


def score(page: Page, found: list[Line], unit: float, pen: float, into: Score) -> None:
    """Adds to a score what was found of a page.

    Args:
        page: What was set.
        found: The lines found.
        unit: A capital's height in the unit of the boxes.
        pen: The pen's width there; 0 where boxes are of strokes without a width.
        into: The score.
    """
    tolerance = 0.12 * unit
    into.pages += 1
    into.lines += len(page.lines)
    into.spans += sum(len(word.spans) for line in found for word in line.words)
    into.chars += len(page.chars)
    into.words += sum(len(line) for line in page.lines)
    into.lines_extra += max(len(found) - len(page.lines), 0)
    # Lines in order: a line set is the line found that covers its middle.
    for number, line in enumerate(page.lines):
        truth = [[char.box(pen / unit) * unit for char in word] for word in line]
        into.spaces += len(line) - 1
        if number >= len(found):
            continue
        whole = np.concatenate([np.concatenate([np.array(word) for word in truth])])
        want = np.concatenate([whole[:, :2].min(axis=0), whole[:, 2:].max(axis=0)])
        box = found[number].box
        into.lines_found += bool(np.abs(np.array([box.left, box.top, box.right, box.bottom]) - want).max() < tolerance)
        starts = {round(float(word[0][0]), 1) for word in truth[1:]}
        guessed = [min(span.box.left for span in word.spans) for word in found[number].words[1:]]
        hits = sum(any(abs(start - guess) < 0.3 * unit for guess in guessed) for start in starts)
        into.spaces_found += hits
        into.spaces_extra += len(guessed) - hits
        spans = [
            (w, span.first, span.last, np.array([span.box.left, span.box.top, span.box.right, span.box.bottom]))
            for w, word in enumerate(found[number].words)
            for span in word.spans
        ]
        boxes = np.array([span[3] for span in spans])
        chosen = [
            np.array([span.box.left, span.box.top, span.box.right, span.box.bottom])
            for word in found[number].words
            for span in best_path(word)
        ]
        for word in truth:
            reachable: set[tuple[int, int]] | None = None
            for char in word:
                near = np.flatnonzero(np.abs(boxes - char).max(axis=1) < tolerance)
                into.chars_offered += len(near) > 0
                into.chars_best += any(np.abs(each - char).max() < tolerance for each in chosen)
                if reachable is None:
                    reachable = {(spans[i][0], spans[i][2]) for i in near}
                else:
                    reachable = {(spans[i][0], spans[i][2]) for i in near if (spans[i][0], spans[i][1]) in reachable}
            into.word_paths += bool(reachable)


def best_path(word: Word) -> list[Span]:
    """Gives the spans of the path with the highest sum of log priors."""
    best: list[tuple[float, list[Span]]] = [(0.0 if place == 0 else -np.inf, []) for place in range(word.pieces + 1)]
    for span in sorted(word.spans, key=lambda each: each.first):
        total = best[span.first][0] + span.log_prior
        if total > best[span.last][0]:
            best[span.last] = (total, [*best[span.first][1], span])
    return best[-1][1]

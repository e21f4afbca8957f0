"""Words set from images of single characters, at the sizes of handwriting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from penread import Box, Ink
from penread.charset import SPLIT_CHARS, stands_for
from penread.context import Read, decode
from penread.lattice import Line, Span, Word
from penread.training.data import Subset
from penread.training.styles import drawn
from tests.made import arc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penread import Recognizer

X_HEIGHT, DESCENT = 0.6, 0.35


def extent(char: str) -> tuple[float, float]:
    """Top and bottom of a character on its line, where a capital has 1 and 0."""
    top = X_HEIGHT if char in "acemnorsuvwxzgpqy" else 0.85 if char in "itj" else 1.0
    return top, -DESCENT if char in "gpqyj" else 0.0


def drawn_images(per_drawing: int, seed: int, name: Literal["train", "test"]) -> Subset:
    """The characters that penread draws to train with, and the O that it leaves to EMNIST."""
    made = drawn(SPLIT_CHARS["pool47"], per_drawing, seed)
    rng = np.random.default_rng(seed)
    rings = [
        Ink([arc(0, 0, 30 * rng.uniform(0.7, 1), 40, start, start + 3.95)]).glyph()
        for start in rng.uniform(-1.3, -0.7, 2 * per_drawing)
    ]
    labels = np.concatenate([made.labels, np.full(len(rings), made.chars.index("O"))])
    return Subset(np.concatenate([made.images, np.stack(rings)]), labels, made.chars, "pool47", name)


class Pen:
    """Writes with images of characters, sizes varying a little.

    ``logits`` are what the recogniser says to the images. Clear ones are those that it reads as they are labelled, the
    surer half of each class.
    """

    def __init__(self, images: Subset, logits: np.ndarray, *, clear: bool = True) -> None:
        self.label_of = {c: label for label, both in enumerate(stands_for(images.chars)) for c in both}
        self.images = images.images
        self.rng = np.random.default_rng(7)
        log_probs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        self.of_class = []
        for label in range(len(images.chars)):
            own = np.flatnonzero(images.labels == label)
            if clear:
                read = own[log_probs[own].argmax(axis=1) == label]
                own = read if len(read) else own
                own = own[np.argsort(-log_probs[own, label], kind="stable")][: (len(own) + 1) // 2]
            self.of_class.append(own)

    def glyph(self, char: str) -> np.ndarray:
        among = self.of_class[self.label_of[char]]
        return np.asarray(self.images[among[self.rng.integers(len(among))]])

    def word(
        self,
        text: str,
        *,
        layout: str = "written",
        height: float = 40,
        left: float = 0,
        noise: float = 0.05,
        glyphs: Sequence[np.ndarray] | None = None,
    ) -> Word:
        """A word of one span a character; ``glyphs`` stand in for those that the pen would write."""
        spans = []
        for number, char in enumerate(text):
            top, below = extent(char)
            tall = height * (top - below) * float(np.exp(self.rng.normal(0, noise)))
            bottom = {"written": -below * height, "standing": 0.0, "hanging": tall}[layout]
            box = Box(left, bottom - tall, left + 0.6 * tall, bottom)
            glyph = glyphs[number] if glyphs is not None else self.glyph(char)
            spans.append(Span(number, number + 1, box, glyph))
            left = box.right + 4
        return Word(len(text), spans)

    def line(self, text: str, **options: object) -> Line:
        words, left = [], 0.0
        for each in text.split():
            words.append(self.word(each, left=left, **options))  # type: ignore[arg-type]
            left = words[-1].spans[-1].box.right + 40
        return around(words)


def around(words: list[Word]) -> Line:
    boxes = [span.box for word in words for span in word.spans]
    return Line(
        words,
        Box(
            min(box.left for box in boxes),
            min(box.top for box in boxes),
            max(box.right for box in boxes),
            max(box.bottom for box in boxes),
        ),
    )


@dataclass
class Reader:
    """Decodes lines as a recogniser does."""

    recognizer: Recognizer
    chars: str = field(init=False)

    def __post_init__(self) -> None:
        self.chars = self.recognizer.info.chars

    def decode(
        self,
        lines: Sequence[Line],
        charset: str | Sequence[str | None] | None = None,
        *,
        log_kinds: np.ndarray | None = None,
        context: bool = True,
        top_k: int = 5,
    ) -> list[list[list[Read]]]:
        glyphs = [span.glyph for line in lines for word in line.words for span in word.spans]
        logits = self.recognizer.logits(np.array(glyphs, np.uint8).reshape(-1, 28, 28))
        if log_kinds is None:
            log_kinds = np.zeros((len(glyphs), 3))
        return decode(lines, logits, log_kinds, self.chars, charset, context=context, top_k=top_k)

    def texts(
        self, lines: Sequence[Line], charset: str | Sequence[str | None] | None = None, **options: object
    ) -> list[str]:
        read = self.decode(lines, charset, **options)  # type: ignore[arg-type]
        return [" ".join("".join(each.char for each in word) for word in line) for line in read]

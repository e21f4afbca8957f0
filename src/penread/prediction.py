"""What is answered: the prediction of one character, and the reading of a page, line by line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Why there is no answer: ``"empty"``, there is no ink; ``"speck"``, too little of it; ``"solid"``, too much;
#: ``"several"``, more than one character; ``"unknown"``, no character that the model knows.
Reason = Literal["empty", "speck", "solid", "several", "unknown"]

#: Stands in a text for a character that was rejected.
REJECTED_CHAR = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Candidate:
    """One possible answer.

    Attributes:
        char: The character.
        confidence: Its probability, 0 to 1, among the characters that the charset allows.
    """

    char: str
    confidence: float


@dataclass(frozen=True)
class Prediction:
    """What was read.

    Attributes:
        char: The best candidate's character; None where ``rejected`` is set.
        confidence: The best candidate's confidence; where it is unclear, times the probability of its being one
            character at all; 0 for a blank.
        candidates: The likeliest answers, best first; empty only for a blank.
        rejected: None, ``"blank"`` (there is no ink) or ``"unclear"`` (the model can't tell what it is).
        reason: Why it was rejected, see ``Reason``; None where it wasn't.
    """

    char: str | None
    confidence: float
    candidates: list[Candidate]
    rejected: Literal["blank", "unclear"] | None
    reason: Reason | None = None


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a character was read, or might have been.

    Attributes:
        char: The character that is spoken for.
        confidence: Its probability, 0 to 1, among the characters that the charset allows.
        glyph: What the model saw, uint8 (28, 28).
        importance: What the ink at each pixel is worth to the character, nats of its log-odds, float (28, 28):
            positive where it speaks for the character, negative where it speaks against it, 0 where there is no ink.
    """

    char: str
    confidence: float
    glyph: NDArray[np.uint8]
    importance: NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """A rectangle on the page, y downward: pixels of the upright image, or the unit of the ink.

    Attributes:
        left: Its left edge.
        top: Its upper edge.
        right: Its right edge, outside.
        bottom: Its lower edge, outside.
    """

    left: float
    top: float
    right: float
    bottom: float

    def scaled(self, factor_x: float, factor_y: float) -> Box:
        """Gives the box in another unit.

        Args:
            factor_x: How many of the new unit are one of the old, along x.
            factor_y: The same along y.
        """
        return Box(self.left * factor_x, self.top * factor_y, self.right * factor_x, self.bottom * factor_y)


@dataclass(frozen=True)
class Character(Prediction):
    """A character of a line: a prediction with its place.

    Attributes:
        box: Where its ink is.
    """

    box: Box = Box(0, 0, 0, 0)


@dataclass(frozen=True)
class TextLine:
    """A line of a page.

    Attributes:
        text: Its characters in reading order, words parted by one space; ``REJECTED_CHAR`` for what was rejected.
        box: Where its ink is.
        characters: Its characters; spaces aren't among them.
    """

    text: str
    box: Box
    characters: list[Character]


@dataclass(frozen=True)
class Reading:
    """What was read on a page, or of strokes side by side.

    Attributes:
        lines: The lines from top to bottom; none where there is no ink.
        width: Width of the page, in the unit of the boxes.
        height: Height of the page.
    """

    lines: list[TextLine]
    width: float
    height: float

    @property
    def text(self) -> str:
        """The lines' texts, one below the other."""
        return "\n".join(line.text for line in self.lines)

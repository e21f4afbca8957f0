"""The ways to cut a word into characters: pieces of ink in reading order, and the spans of them that may be one.

Lines and pieces come from ``penread.lines``; which spans are the word is decided by ``penread.context``, from what the
network says to each span's glyph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from penread.prediction import Box


@dataclass(frozen=True, eq=False)
class Span:
    """Consecutive pieces of a word that may be one character.

    Attributes:
        first: Its first piece.
        last: One past its last piece.
        box: Where its ink is, on the page.
        glyph: Its ink alone, uint8 (28, 28).
        log_prior: How well it is shaped for one character by geometry alone (gaps between its pieces, its width beside
            the line's), a log-likelihood ratio in nats: 0 for no opinion, below 0 against.
    """

    first: int
    last: int
    box: Box
    glyph: NDArray[np.uint8]
    log_prior: float = 0.0


@dataclass(frozen=True, eq=False)
class Word:
    """Pieces without a space between them.

    Attributes:
        pieces: How many there are, in reading order. Every reading of the word is a path of spans from piece 0 to the
            end; there is always one.
        spans: The candidates for characters.
    """

    pieces: int
    spans: list[Span]


@dataclass(frozen=True, eq=False)
class Line:
    """A line of a page.

    Attributes:
        words: Its words, in reading order.
        box: Where its ink is.
        slope: How the line runs: y grows by this much for each unit of x. Baselines are judged after taking it away.
    """

    words: list[Word]
    box: Box
    slope: float = 0.0

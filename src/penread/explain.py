"""Why a character was read: how much each part of its ink speaks for it, by covering the parts one after the other.

Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901): a window is moved over the glyph, the ink under it is taken away, and
what the odds of the character lose is what that ink was worth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from penread.glyph import GLYPH_PX

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The window is twice as wide as a stroke: it cuts one through, and leaves its neighbours alone.
_WINDOW_PX = 6
_STEP_PX = 2


def covered(glyph: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Takes the ink out of each window of a glyph in turn.

    Args:
        glyph: uint8 (28, 28).

    Returns:
        The glyphs that are left, uint8 (N, 28, 28), of the windows that have ink; and the windows, bool (N, 28, 28).
    """
    places = range(0, GLYPH_PX - _WINDOW_PX + 1, _STEP_PX)
    windows = np.zeros((len(places) ** 2, GLYPH_PX, GLYPH_PX), np.bool_)
    for number, (top, left) in enumerate((top, left) for top in places for left in places):
        windows[number, top : top + _WINDOW_PX, left : left + _WINDOW_PX] = True
    windows = windows[(windows & (glyph > 0)).any(axis=(1, 2))]
    return np.where(windows, np.uint8(0), glyph), windows


def log_odds(log_probs: NDArray[np.float64], column: int) -> NDArray[np.float64]:
    """Gives the odds of one character against all others: they tell sure from very sure, as probabilities don't.

    Args:
        log_probs: Log-probabilities, float (N, characters).
        column: Which character.

    Returns:
        The logarithms of the odds, nats, float (N,); where only one character is allowed, zeros.
    """
    others = np.delete(log_probs, column, axis=1)
    if others.shape[1] == 0:
        return np.zeros(len(log_probs))
    return np.asarray(log_probs[:, column] - np.logaddexp.reduce(others, axis=1))


def importance(glyph: NDArray[np.uint8], windows: NDArray[np.bool_], lost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Maps what the windows were worth onto the ink.

    Args:
        glyph: uint8 (28, 28).
        windows: bool (N, 28, 28).
        lost: What the character lost under each, nats, float (N,); negative where it gained.

    Returns:
        The mean over the windows that a pixel lies in, times how much of it is ink, nats, float (28, 28).
    """
    count = windows.sum(axis=0)
    total = np.einsum("n,nyx->yx", lost, windows)
    return np.asarray(total / np.maximum(count, 1) * (glyph / 255))

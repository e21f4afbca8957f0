"""What is known of words: how likely a letter is after the three before it, and which words are common.

``english.npz`` was made by ``python -m penread.training.language`` from texts in the public domain; see there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Letters a model looks at: the letter and those before it.
ORDER = 4
#: Number of symbols: 0 is the edge of a word, 1 to 26 are a to z.
SYMBOLS = 27
#: A file has ``round(-log p / STEP)``, at most 255, p in nats.
STEP = 0.05


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Words of one length.

    Attributes:
        letters: Their letters, a as 0, int64 (words, length).
        log_probs: Log-probability of each among words of all lengths, nats, float32 (words,).
    """

    letters: NDArray[np.int64]
    log_probs: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Language:
    """A language's words.

    Attributes:
        letters: Log-probabilities in nats, float32 (27, 27, 27, 27): of the last symbol after the first three.
            Before a word there are edges, and an edge ends it.
        words: Common words, by length.
    """

    letters: NDArray[np.float32]
    words: dict[int, Vocabulary]


@lru_cache(maxsize=1)
def english() -> Language:
    """Gives what is known of English words; loaded once."""
    with as_file(files(__name__) / "english.npz") as path:
        return load(path)


def load(path: Path) -> Language:
    """Loads a file that ``penread.training.language`` made.

    Args:
        path: The file.
    """
    with np.load(path, allow_pickle=False) as archive:
        letters = archive["model"].astype(np.float32) * np.float32(-STEP)
        words = archive["words"].tobytes().decode("ascii").split("\n")
        log_probs = archive["word_costs"].astype(np.float32) * np.float32(-STEP)
    letters.flags.writeable = False
    lengths = np.array([len(word) for word in words])
    vocabularies = {}
    for length in np.unique(lengths).tolist():
        picked = np.flatnonzero(lengths == length)
        joined = "".join(words[at] for at in picked).encode("ascii")
        spelled = (np.frombuffer(joined, np.uint8) - ord("a")).reshape(-1, length).astype(np.int64)
        vocabularies[length] = Vocabulary(spelled, log_probs[picked])
    return Language(letters, vocabularies)

"""Makes the character model of English words, ``penread/language/english.npz``, from texts in the public domain.

Debian has all of them: ``web2``, the words of Webster's Second International Dictionary of 1934 (package miscfiles),
the King James Bible (bible-kjv), Bierce's Devil's Dictionary (dict-devil) and the Jargon File 4.4.7 (dict-jargon).
Their copyright files say that they are in the public domain. ``everyday.txt``, words of offices, kitchens and maps
that none of these has or uses enough, was written for this project.

    apt-get install miscfiles bible-kjv dict-devil dict-jargon
    echo gen1:1-rev22:21 | bible > kjv.txt
    python -m penread.training.language english.npz /usr/share/dict/web2 kjv.txt \
        /usr/share/dictd/devil.dict.dz /usr/share/dictd/jargon.dict.dz
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from importlib.resources import files
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console

from penread.errors import DataError
from penread.files import file_sha256, replacing
from penread.language import ORDER, STEP, SYMBOLS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A word that stands alone: no part of a hyphenated or elided one, of a name with digits, or of an address.
_WORD = re.compile(r"(?<![\w'’.@/-])[A-Za-z]+(?![\w'’@/-])")
# A word that a text has n times counts as n to this power: between each word once and each as often as it is
# written. Chosen, as the next, by the bits a letter of words held back.
_POWER = 0.3
# What a word counts that is in the dictionary and in none of the texts.
_UNUSED = 0.1
# How often an everyday word is written, as if it stood in a text.
_EVERYDAY = 20
# A text's words that the dictionary hasn't count from so many on: fewer are misprints, or talk of hackers.
_MIN_NEW = 3
# Smoothing: the shorter context weighs this much for each letter that was seen after the longer one.
_BACKOFF = 1.0


def main(
    out: Annotated[Path, typer.Argument(help="The file to write, .npz.")],
    dictionary: Annotated[Path, typer.Argument(help="A list of words, one a line.")],
    texts: Annotated[
        list[Path], typer.Argument(help="Texts; compressed by gzip or dictzip where they end in gz or dz.")
    ],
) -> None:
    """Makes the character model, and prints what it predicts of words held back."""
    console = Console()
    weights, used = word_weights(_read(dictionary), [_read(text) for text in texts], everyday())
    held_back = {word: weight for word, weight in weights.items() if zlib.crc32(word.encode()) % 10 == 0}
    rest = {word: weight for word, weight in weights.items() if word not in held_back}
    common = [word for word in held_back if word in used]
    for order in range(2, ORDER + 2):
        bits = bits_a_letter(character_model(rest, order), common)
        console.print(f"order {order}: {bits:.3f} bits a letter of {len(common):,} words held back")
    save(out, character_model(weights), {word: weights[word] for word in used})
    console.print(f"{out}: {out.stat().st_size:,} bytes, {len(used):,} words, SHA-256 {file_sha256(out)}")


def everyday() -> list[str]:
    """Gives the words of everyday life that ship with penread."""
    return (files("penread.language") / "everyday.txt").read_text("ascii").split()


def word_weights(dictionary: str, texts: list[str], everyday: list[str]) -> tuple[dict[str, float], list[str]]:
    """Weighs words.

    Args:
        dictionary: A list of words, one a line.
        texts: Running text.
        everyday: Words that are common whatever the texts say.

    Returns:
        A weight for each lower-case word, and which of them the texts and the everyday words have, sorted.
    """
    known = {word.lower() for word in dictionary.split() if word.isascii() and word.isalpha()}
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word.lower() for word in _WORD.findall(text))
    for word in everyday:
        counts[word] += _EVERYDAY
    known.update(everyday)
    used = sorted(
        word
        for word, count in counts.items()
        if (word in known or count >= _MIN_NEW) and (len(word) > 1 or word in {"a", "i"})
    )
    weights = dict.fromkeys(sorted(word for word in known if len(word) > 1), _UNUSED)
    weights.update((word, _UNUSED + counts[word] ** _POWER) for word in used)
    return weights, used


def character_model(weights: dict[str, float], order: int = ORDER) -> NDArray[np.float64]:
    """Counts the letters of words and smooths: each context is mixed with the one that is a letter shorter.

    Args:
        weights: How much each word counts.
        order: Letters a probability looks at, the predicted one among them.

    Returns:
        Probabilities, float (27,) * order: of the last symbol after the others; 0 is the edge of a word.
    """
    index, count = _grams(weights, order)
    probs = np.full((1, SYMBOLS), 1 / SYMBOLS)
    for length in range(1, order + 1):
        seen = np.bincount(index % SYMBOLS**length, count, SYMBOLS**length).reshape(-1, SYMBOLS)
        shorter = np.tile(probs, (len(seen) // len(probs), 1))
        # Witten and Bell's measure of how much a context is worth: it grows with what was seen after it.
        weight = _BACKOFF * (seen > 0).sum(axis=1, keepdims=True) + 1e-3
        probs = (seen + weight * shorter) / (seen.sum(axis=1, keepdims=True) + weight)
    return probs.reshape((SYMBOLS,) * order)


def bits_a_letter(model: NDArray[np.float64], words: list[str]) -> float:
    """Measures how well a model predicts words: bits a letter, the end of a word counted as one.

    Args:
        model: As ``character_model`` gives it.
        words: Lower-case words.
    """
    index, count = _grams(dict.fromkeys(words, 1.0), model.ndim)
    return float(-(np.log2(model.ravel()[index]) * count).sum() / count.sum())


def save(out: Path, model: NDArray[np.float64], words: dict[str, float]) -> None:
    """Writes the file that ``penread.language`` reads.

    Args:
        out: The file.
        model: Probabilities, float (27, 27, 27, 27).
        words: Words to know whole, with their weights.
    """
    total = sum(words.values())
    with replacing(out) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            model=_quantised(model),
            words=np.frombuffer("\n".join(words).encode("ascii"), np.uint8),
            word_costs=_quantised(np.array([weight / total for weight in words.values()])),
        )


def _quantised(probs: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(-np.log(probs) / STEP), 0, 255).astype(np.uint8)


def _grams(weights: dict[str, float], order: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Lists every symbol of every word with those before it, as one number in base 27, and the word's weight."""
    edges = "`" * (order - 1)  # the character before a
    symbols = np.frombuffer("".join(f"{edges}{word}`" for word in weights).encode("ascii"), np.uint8).astype(np.int64)
    symbols -= ord("`")
    index = np.zeros(len(symbols), np.int64)
    for back in range(order):
        index[back:] += symbols[: len(symbols) - back] * SYMBOLS**back
    lengths = np.array([len(word) + order for word in weights])
    starts = np.cumsum(lengths) - lengths
    within = np.arange(len(symbols)) - np.repeat(starts, lengths)
    predicted = within >= order - 1
    return index[predicted], np.repeat(np.array(list(weights.values())), lengths)[predicted]


def _read(path: Path) -> str:
    try:
        content = path.read_bytes()
        # dictzip is gzip with an index.
        raw = gzip.decompress(content) if path.suffix in {".gz", ".dz"} else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} can't be read ({error}). Get it again from its package.") from error
    return raw.decode("utf-8", errors="replace")


if __name__ == "__main__":
    typer.run(main)

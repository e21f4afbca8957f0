"""Measures what context does: words composed of one person's characters at the sizes they were written.

    python benchmarks/context.py chars74k_hnd.json
    python benchmarks/context.py data/emnist

A file of drawings has writers, and each writes numbers, codes, capital words and lower-case words, out of their own 62
characters. EMNIST's images have no sizes and no writers: from a folder with pool47, hands are made up, each with one
image of the validation subset for each character, and sizes such as people write. That is what the weights of context
were chosen on; drawings chose nothing.

Each word is a line and a page of its own, no charset is given, and where a character ends is known. The data have no
baseline, so there are three layouts: all boxes standing on a line, all hanging from one, and standing with descenders
lowered. A character counts as right where its case is right, too.
"""

from __future__ import annotations

import json
import string
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from penread import Box, Ink, Recognizer
from penread.charset import stands_for
from penread.context import decode
from penread.lattice import Line, Span, Word
from penread.training.data import load_training

if TYPE_CHECKING:
    from numpy.typing import NDArray

LAYOUTS = ("standing", "hanging", "descenders lowered")
KINDS = ("numbers", "codes", "capital words", "lower-case words")
WORDS_A_KIND = 6
HANDS = 60

# Ordinary words, some names, some words that are not English.
_WORDS = """
about always animal bicycle bottle bridge bring broken camera carpet center change church circle copper corner cotton
country dinner doctor engine excuse family figure flower forest garden ground guitar hammer happen honest hotel island
jacket journal kitchen language letter listen liquid magic market measure mirror monkey morning museum nothing number
object office orange packet paper pencil people picture piece pocket police potato quality question quick railway ribbon
river rocket school season second shadow silver simple square street summer system teacher ticket travel tunnel uncle
valley village violin visit voice water weather window winter wonder yellow zebra zipper
oliver sophie martin wolfgang francois giuseppe ivanova kowalski nakamura okonkwo svensson fernandez
strasse bahnhof rechnung straat calle jardin fenetre piazza domani skola gracias schnell
"""
_CAPITALS = string.ascii_uppercase
_SMALL, _DESCENDERS = "acegmnopqrsuvwxyz", "gjpqy"
_DESCENT = 0.35


@dataclass(frozen=True)
class Hand:
    """How one person writes.

    Attributes:
        logits: What the network says to each character, by character, float (classes,).
        size: Width and height of each character, by character.
    """

    logits: dict[str, NDArray[np.float64]]
    size: dict[str, tuple[float, float]]


def main() -> None:
    """Prints a row a kind and layout."""
    source = Path(sys.argv[1])
    recognizer = Recognizer()
    hands = _of_validation(source, recognizer) if source.is_dir() else _of_drawings(source, recognizer)
    rng = np.random.default_rng(2003)
    texts = [(kind, text, hand) for hand in hands for kind in KINDS for text in _texts(kind, set(hand.size), rng)]
    table = Table("layout", "kind", "words", "characters", "each alone", "in context", "words right")
    right: dict[bool, list[bool]] = {False: [], True: []}
    confidences: list[float] = []
    took_s = 0.0
    for layout in LAYOUTS:
        for kind in KINDS:
            of_kind: dict[bool, list[bool]] = {False: [], True: []}
            words = []
            for text, hand in ((text, hand) for its_kind, text, hand in texts if its_kind == kind):
                line = _line(text, hand, layout)
                logits = np.stack([hand.logits[char] for char in text])
                for context in (False, True):
                    start_s = time.perf_counter()
                    [[read]] = decode([line], logits, np.zeros((len(text), 3)), recognizer.info.chars, context=context)
                    took_s += (time.perf_counter() - start_s) * context
                    of_kind[context] += [each.char == char for each, char in zip(read, text, strict=True)]
                confidences += [each.confidence for each in read]
                words.append("".join(each.char for each in read) == text)
            if not words:
                continue
            shares = [f"{np.mean(of_kind[context]):.2%}" for context in (False, True)]
            table.add_row(layout, kind, f"{len(words):,}", f"{len(of_kind[True]):,}", *shares, f"{np.mean(words):.2%}")
            for context in (False, True):
                right[context] += of_kind[context]
    shares = [f"{np.mean(right[context]):.2%}" for context in (False, True)]
    table.add_row("all", "all", "", f"{len(right[True]):,}", *shares, "")
    console = Console(width=120)
    console.print(table)
    ece = _ece(np.array(confidences), np.array(right[True]))
    console.print(f"ece in context {ece:.4f}; {took_s / len(right[True]) * 1000:.2f} ms a character, one word a call")


def _of_drawings(path: Path, recognizer: Recognizer) -> list[Hand]:
    """Gives a hand for each writer."""
    drawings = json.loads(path.read_text("utf-8"))
    logits = recognizer.logits(np.stack([Ink(drawing["strokes"]).glyph() for drawing in drawings]))
    hands: dict[str, Hand] = defaultdict(lambda: Hand({}, {}))
    for drawing, row in zip(drawings, logits, strict=True):
        hand, points = hands[drawing["writer"]], np.concatenate([np.asarray(stroke) for stroke in drawing["strokes"]])
        hand.logits[drawing["label"]] = row
        width, height = np.ptp(points, axis=0).tolist()
        hand.size[drawing["label"]] = (width, height)
    return list(hands.values())


def _of_validation(data_dir: Path, recognizer: Recognizer) -> list[Hand]:
    """Makes hands up, from images of the validation subset."""
    _, val = load_training(data_dir, "pool47")
    logits = recognizer.logits(val.images)
    rng = np.random.default_rng(1996)
    hands = []
    for _ in range(HANDS):
        hand, x_height, spread = Hand({}, {}), rng.uniform(0.5, 0.85), rng.uniform(0.05, 0.25)
        for label, both in enumerate(stands_for(val.chars)):
            for char in both:
                row = int(rng.choice(np.flatnonzero(val.labels == label)))
                top = x_height if char in _SMALL else 1.0
                height = 100 * (top + _DESCENT * (char in _DESCENDERS)) * float(np.exp(rng.normal(0, spread)))
                inked = val.images[row] > 127
                aspect = np.count_nonzero(inked.any(axis=0)) / np.count_nonzero(inked.any(axis=1))
                hand.logits[char] = logits[row]
                hand.size[char] = (height * aspect, height)
        hands.append(hand)
    return hands


def _texts(kind: str, characters: set[str], rng: np.random.Generator) -> list[str]:
    """Makes up what a writer of these characters writes; nothing where they don't suffice."""
    digits, capitals = ([char for char in among if char in characters] for among in (string.digits, _CAPITALS))
    if kind in {"numbers", "codes"}:
        if not digits or not capitals:
            return []
        make = _number if kind == "numbers" else _code
        return [make(digits, capitals, rng) for _ in range(WORDS_A_KIND)]
    words = [word.upper() if kind == "capital words" else word for word in _WORDS.split()]
    possible = [word for word in words if set(word) <= characters]
    return rng.choice(possible, WORDS_A_KIND).tolist() if possible else []


def _number(digits: list[str], _: list[str], rng: np.random.Generator) -> str:
    return "".join(rng.choice(digits, rng.integers(3, 11)))


def _code(digits: list[str], capitals: list[str], rng: np.random.Generator) -> str:
    """A serial number, a plate, a short alternating code, or anything."""
    parts = {
        0: [(capitals, 1), (digits, 9)],
        1: [(capitals, 2), (digits, 2), (capitals, 3)],
        2: [(capitals, 1), (digits, 1), (capitals, 1), (digits, 1)],
        3: [(digits + capitals, 8)],
    }[int(rng.integers(4))]
    return "".join("".join(rng.choice(among, count)) for among, count in parts)


def _line(text: str, hand: Hand, layout: str) -> Line:
    """Sets a hand's characters side by side."""
    spans, right = [], 0.0
    for number, char in enumerate(text):
        width, height = hand.size[char]
        bottom = height if layout == "hanging" else 0.0
        if layout == "descenders lowered" and char in _DESCENDERS:
            bottom = _DESCENT * height
        box = Box(right, bottom - height, right + width, bottom)
        spans.append(Span(number, number + 1, box, np.zeros((28, 28), np.uint8)))
        right += width + 10
    top, bottom = min(span.box.top for span in spans), max(span.box.bottom for span in spans)
    return Line([Word(len(spans), spans)], Box(0, top, right, bottom))


def _ece(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error over 15 bins."""
    bins = np.minimum((confidence * 15).astype(np.int64), 14)
    return float(
        sum(
            abs(confidence[bins == each].mean() - right[bins == each].mean()) * np.mean(bins == each)
            for each in np.unique(bins)
        )
    )


if __name__ == "__main__":
    main()

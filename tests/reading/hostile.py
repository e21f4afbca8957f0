"""What is no writing: noise, patterns, ink without end. Reads one of them by itself, and tells what that took.

    python -m tests.reading.hostile "a thousand scribbles"

From the root of the repository. A process of its own knows the most memory that it has had at a time.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from penread import Ink, InputError, Recognizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from penread.prediction import Reading


def nested_boxes() -> Image.Image:
    image = Image.new("L", (2000, 2000), 255)
    for inset in range(4, 990, 8):
        ImageDraw.Draw(image).rectangle((inset, inset, 1999 - inset, 1999 - inset), outline=0, width=2)
    return image


HOSTILE: dict[str, Callable[[], Image.Image | np.ndarray | Ink]] = {
    "noise": lambda: np.random.default_rng(1).integers(0, 256, (1500, 2000), dtype=np.uint8),
    "black and white noise": lambda: np.random.default_rng(1).choice(np.array([0, 255], np.uint8), (1500, 2000)),
    "checkers": lambda: (np.indices((1500, 2000)) // 8).sum(axis=0).astype(np.uint8) % 2 * 255,
    "stripes": lambda: np.tile(np.arange(2000) // 5 % 2 * 255, (1500, 1)).astype(np.uint8),
    "a block": lambda: np.pad(np.zeros((600, 600), np.uint8), 300, constant_values=255),
    "very wide": lambda: np.pad(np.zeros((2, 9000), np.uint8), ((20, 20), (0, 0)), constant_values=255),
    "boxes within boxes": nested_boxes,
    "a cloud of dots": lambda: Ink(list(np.random.default_rng(1).uniform(0, 1e6, (1000, 1, 2)))),
    "a thousand scribbles": lambda: Ink(list(np.random.default_rng(1).uniform(-1e6, 1e6, (1000, 20, 2)))),
    "one long scribble": lambda: Ink([np.random.default_rng(1).uniform(-1e6, 1e6, (20_000, 2))]),
    "tiny and huge": lambda: Ink([[[0.0, 0.0], [1e-9, 1e-9]], [[-1e6, -1e6], [1e6, 1e6]]]),
}


def most_bytes() -> int:
    """The most memory that this process has had at a time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Prints how many characters were found and accepted, and how much more memory that took, as JSON."""
    recognizer = Recognizer()
    # What the first picture loads is no part of it.
    recognizer.read(np.full((300, 400), 255, np.uint8))
    source = HOSTILE[sys.argv[1]]()
    before_bytes = most_bytes()
    read: list[Reading] = []
    try:
        read.append(recognizer.read(source))
    except InputError as error:
        print(error, file=sys.stderr)
    characters = [each for reading in read for line in reading.lines for each in line.characters]
    told = {
        "total": len(characters),
        "accepted": sum(each.char is not None for each in characters),
        "more_bytes": most_bytes() - before_bytes,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()

"""Small data that the tests make themselves: EMNIST-like files, from real images where they lie at hand, else
from type set in several fonts and distorted.
"""

from __future__ import annotations

import functools
import gzip
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from penread.charset import SPLIT_CHARS
from penread.glyph import from_image
from penread.training.data import Subset, load

# Two of the family, for display, have no letters.
_FONTS = [
    path
    for path in sorted(Path(matplotlib.get_data_path(), "fonts", "ttf").glob("DejaVuS*.ttf"))
    if "Display" not in path.name
]


def typeset(char: str, rng: np.random.Generator) -> np.ndarray:
    """Draws a character in a random font, a little sheared, as a glyph: uint8 (28, 28)."""
    font = ImageFont.truetype(str(_FONTS[rng.integers(len(_FONTS))]), 90)
    picture = Image.new("L", (160, 160), 255)
    ImageDraw.Draw(picture).text((80, 80), char, fill=0, font=font, anchor="mm")
    shear, squeeze = rng.uniform(-0.2, 0.2), rng.uniform(0.85, 1.15)
    affine = (squeeze, shear, 80 - 80 * squeeze - 80 * shear, 0, 1, 0)
    glyph = from_image(picture.transform(picture.size, Image.Transform.AFFINE, affine, fillcolor=255))
    # A little noise on the ink: no two images are the same, as no two are in EMNIST.
    noise = rng.integers(-12, 13, glyph.shape) * (glyph > 0)
    return np.asarray(np.clip(glyph + noise, 0, 255), dtype=np.uint8)


@functools.cache
def typeset_subset(split: str, per_class: int, seed: int, name: str) -> Subset:
    """Makes a subset of type, ``per_class`` images of each class."""
    rng = np.random.default_rng(seed)
    chars = SPLIT_CHARS[split]
    labels = rng.permutation(np.repeat(np.arange(len(chars)), per_class))
    images = np.stack([typeset(chars[label], rng) for label in labels])
    return Subset(images, labels, chars, split, name)  # type: ignore[arg-type]


def real_subset(data_dir: Path, split: str, per_class: int, seed: int, name: str) -> Subset:
    """Takes ``per_class`` real images of each class."""
    whole = load(data_dir, split, name)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    picked = [rng.permutation(np.flatnonzero(whole.labels == label))[:per_class] for label in range(len(whole.chars))]
    return whole.take(rng.permutation(np.concatenate(picked)))


def write_split(data_dir: Path, train: Subset, test: Subset, *, compress: bool = True) -> None:
    """Writes two subsets as EMNIST's files of their split."""
    data_dir.mkdir(parents=True, exist_ok=True)
    first = 1 if train.split == "letters" else 0
    mapping = "".join(f"{label + first} {ord(char)}\n" for label, char in enumerate(train.chars))
    (data_dir / f"emnist-{train.split}-mapping.txt").write_text(mapping)
    for subset in (train, test):
        stem = data_dir / f"emnist-{subset.split}-{subset.name}"
        images = np.ascontiguousarray(subset.images.transpose(0, 2, 1)).tobytes()
        count = len(subset).to_bytes(4, "big")
        side = (28).to_bytes(4, "big")
        for kind, content in (
            ("images-idx3", b"\0\0\x08\x03" + count + side + side + images),
            ("labels-idx1", b"\0\0\x08\x01" + count + (subset.labels + first).astype(np.uint8).tobytes()),
        ):
            path = Path(f"{stem}-{kind}-ubyte{'.gz' if compress else ''}")
            path.write_bytes(gzip.compress(content, 1, mtime=0) if compress else content)


def arc(x: float, y: float, radius_x: float, radius_y: float, start: float, end: float) -> list[list[float]]:
    """Points on an arc of an ellipse; angles in quarter turns, clockwise from the right."""
    angles = np.linspace(start, end, 24) * np.pi / 2
    return [[float(x + radius_x * np.cos(a)), float(y + radius_y * np.sin(a))] for a in angles]


# Characters drawn in a box of 60 by 100.
_DRAWN: dict[str, list[list[list[float]]]] = {
    "A": [[[0, 100], [30, 0], [60, 100]], [[12, 62], [48, 62]]],
    "B": [[[0, 0], [0, 100]], [[0, 0], *arc(28, 24, 24, 24, -1, 1), [0, 48], *arc(30, 74, 28, 26, -1, 1), [0, 100]]],
    "C": [arc(40, 50, 40, 50, -0.6, -3.4)],
    "E": [[[55, 0], [0, 0], [0, 100], [58, 100]], [[0, 48], [45, 48]]],
    "H": [[[0, 0], [0, 100]], [[60, 0], [60, 100]], [[0, 50], [60, 50]]],
    "K": [[[0, 0], [0, 100]], [[58, 0], [0, 55], [60, 100]]],
    "M": [[[0, 100], [5, 0], [38, 60], [70, 0], [76, 100]]],
    "N": [[[0, 100], [0, 0], [60, 100], [60, 0]]],
    "P": [[[0, 100], [0, 0], *arc(28, 26, 28, 26, -1, 1), [0, 52]]],
    "R": [[[0, 100], [0, 0], *arc(28, 25, 28, 25, -1, 1), [0, 50], [20, 50], [58, 100]]],
    "T": [[[0, 0], [70, 0]], [[35, 0], [35, 100]]],
    "W": [[[0, 0], [20, 100], [40, 30], [60, 100], [80, 0]]],
    "X": [[[0, 0], [65, 100]], [[65, 0], [0, 100]]],
    "3": [[*arc(28, 25, 28, 25, -1.7, 1), *arc(28, 74, 32, 26, -1, 1.8)]],
    "7": [[[0, 0], [60, 0], [25, 100]]],
    "e": [[[4, 50], [60, 50], *arc(32, 50, 30, 42, 0, -3.4)]],
}


def drawn() -> list[dict[str, Any]]:
    """Drawings of a few characters, with labels, in the form of ``drawings/``."""
    return [{"label": label, "writer": "tests", "strokes": strokes} for label, strokes in _DRAWN.items()]

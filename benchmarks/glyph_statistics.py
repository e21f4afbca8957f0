"""Compares glyphs drawn from strokes with EMNIST's own: how much ink, how large, how wide the pen.

    python benchmarks/glyph_statistics.py data/emnist drawings/chars74k_hnd.json

The middle column is what the constants in ``penread.glyph`` and ``penread.ink`` were set by; the images are those of
the validation subset. Drawings are a list of {"label": "A", "strokes": [[[x, y], ...], ...]}.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy.ndimage import distance_transform_edt, maximum_filter

from penread import Ink
from penread.training.data import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_ENLARGED = 8


def stroke_width_px(glyph: NDArray[np.uint8]) -> float:
    """Measures the width of a glyph's strokes: twice the distance of their middles from paper, in glyph pixels."""
    side = glyph.shape[0] * _ENLARGED
    ink = np.asarray(Image.fromarray(glyph).resize((side, side), Image.Resampling.BICUBIC)) > 127
    distance = distance_transform_edt(np.pad(ink, 1))
    middles = (distance == maximum_filter(distance, size=5)) & (distance > 1)
    return float(2 * np.median(distance[middles]) / _ENLARGED) if middles.any() else float("nan")


def long_side_px(glyph: NDArray[np.uint8], level: int) -> int:
    """Measures the longer side of the box around all pixels above a level."""
    ink = glyph > level
    if not ink.any():
        return 0
    return max(int(np.ptp(np.flatnonzero(ink.any(axis=axis)))) + 1 for axis in (0, 1))


def main() -> None:
    """Prints the comparison."""
    data_dir, drawings_file = map(Path, sys.argv[1:3])
    emnist = load(data_dir, "pool47", "val").images
    drawings = json.loads(drawings_file.read_text("utf-8"))
    drawn = np.stack([Ink(drawing["strokes"]).glyph() for drawing in drawings])
    measures: list[tuple[str, Callable[[NDArray[np.uint8]], float]]] = [
        ("share of pixels above 127, mean", lambda all_: float((all_ > 127).mean())),
        ("long side above 0, mean, px", lambda all_: float(np.mean([long_side_px(one, 0) for one in all_]))),
        ("long side above 10, mean, px", lambda all_: float(np.mean([long_side_px(one, 10) for one in all_]))),
        ("long side above 127, mean, px", lambda all_: float(np.mean([long_side_px(one, 127) for one in all_]))),
        ("stroke width, median, px", lambda all_: float(np.nanmedian([stroke_width_px(one) for one in all_[::3]]))),
    ]
    table = Table("measure", f"EMNIST ({len(emnist):,})", f"drawn ({len(drawn):,})")
    for name, measure in measures:
        table.add_row(name, f"{measure(emnist):.3f}", f"{measure(drawn):.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()

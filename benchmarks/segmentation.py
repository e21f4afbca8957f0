"""Measures how well lines, spaces and characters are found on composed pages, as images and as strokes.

    python benchmarks/segmentation.py [pages]

For each layout so many pages (20 if none are named) of random characters are set, with the drawings of
``penread.training.styles``; none of them is test data. **lines**: found with the very box. **spaces**: found, and how
many more were found where none is. **offered**: characters that are among the spans. **paths**: words whose true
characters are a path through the lattice. **best**: characters on the path that geometry alone prefers. **spans**: a
character, on average. **ms**: a page.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from penread.lines import from_ink_map, from_strokes

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.lines.composed import LAYOUTS, Score, compose, score


def main() -> None:
    """Prints a row a layout and kind of ink."""
    pages = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    table = Table("layout", "ink", "lines", "more", "spaces", "more", "offered", "paths", "best", "spans", "ms")
    for name, layout in LAYOUTS.items():
        for kind in ("image", "strokes"):
            total, spent_s = Score(), 0.0
            for seed in range(pages):
                page = compose(layout, seed)
                if kind == "image":
                    ink_map, start = page.ink_map(), time.perf_counter()
                    found = from_ink_map(ink_map)
                else:
                    ink, start = page.ink(shuffled=True), time.perf_counter()
                    found = from_strokes(ink)
                spent_s += time.perf_counter() - start
                unit, pen = (layout.height_px, layout.pen_px) if kind == "image" else (100.0, 0.0)
                score(page, found, unit, pen, total)
            table.add_row(
                name,
                kind,
                f"{total.lines_found / total.lines:.1%}",
                str(total.lines_extra),
                f"{total.spaces_found / total.spaces:.1%}" if total.spaces else "",
                str(total.spaces_extra),
                f"{total.chars_offered / total.chars:.1%}",
                f"{total.word_paths / total.words:.1%}",
                f"{total.chars_best / total.chars:.1%}",
                f"{total.spans / total.chars:.1f}",
                f"{1000 * spent_s / pages:.0f}",
            )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()

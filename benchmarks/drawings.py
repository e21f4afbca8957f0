"""Scores the shipped bundles on files of drawings: strokes with labels, none of them seen in training.

    python benchmarks/drawings.py chars74k_hnd.json omniglot_latin_mouse.json=lower pendigits.json=digits

What follows the ``=`` is the charset. A label counts as its class of EMNIST Balanced. The second figure takes
look-alikes as equal.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from penread import Ink, Recognizer
from penread.bundle import shipped
from penread.charset import look_alikes_of, stands_for


def main() -> None:
    """Prints a row a file and bundle."""
    table = Table("drawings", "charset", "count", "bundle", "top-1", "look-alikes folded")
    for argument in sys.argv[1:]:
        name, _, charset = argument.partition("=")
        drawings = json.loads(Path(name).read_text("utf-8"))
        glyphs = [Ink(drawing["strokes"]).glyph() for drawing in drawings]
        for bundle in shipped():
            recognizer = Recognizer(bundle)
            class_of = {char: both[0] for both in stands_for(recognizer.info.chars) for char in both}
            labels = [class_of[drawing["label"]] for drawing in drawings]
            read = [class_of.get(each.char or "") for each in recognizer.predict_many(glyphs, charset=charset or None)]
            exact = sum(label == char for label, char in zip(labels, read, strict=True)) / len(labels)
            folded = sum(
                char is not None and look_alikes_of(label) == look_alikes_of(char)
                for label, char in zip(labels, read, strict=True)
            ) / len(labels)
            table.add_row(Path(name).stem, charset, f"{len(labels):,}", bundle, f"{exact:.2%}", f"{folded:.2%}")
    Console().print(table)


if __name__ == "__main__":
    main()

"""Scores a bundle on files of drawings: strokes with labels, none of them seen in training.

    python benchmarks/drawings.py drawings/*.json

A label counts as its class of EMNIST Balanced. The second figure takes look-alikes as equal.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from penread import Ink, Recognizer
from penread.charset import look_alikes_of, stands_for


def main() -> None:
    """Prints a row a file."""
    recognizer = Recognizer()
    class_of = {char: both[0] for both in stands_for(recognizer.info.chars) for char in both}
    table = Table("drawings", "count", "top-1", "look-alikes folded", title=f"{recognizer.info.name}")
    for name in sys.argv[1:]:
        drawings = json.loads(Path(name).read_text("utf-8"))
        labels = [class_of[drawing["label"]] for drawing in drawings]
        predictions = recognizer.predict_many([Ink(drawing["strokes"]) for drawing in drawings])
        pairs = [(label, prediction.char or "") for label, prediction in zip(labels, predictions, strict=True)]
        exact = sum(label == read for label, read in pairs)
        folded = sum(look_alikes_of(label) == look_alikes_of(read) for label, read in pairs)
        table.add_row(Path(name).stem, f"{len(pairs):,}", f"{exact / len(pairs):.2%}", f"{folded / len(pairs):.2%}")
    Console().print(table)


if __name__ == "__main__":
    main()

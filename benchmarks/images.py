"""Scores what comes as an image against what comes as a glyph or as strokes.

    python benchmarks/images.py pictures data/emnist --subset val
    python benchmarks/images.py strokes drawings/chars74k_hnd.json
    python benchmarks/images.py photos photos/chars/labels.csv
    python benchmarks/images.py pages photos/pages/truth.csv

``pictures`` shows EMNIST's images as pictures: in both polarities, enlarged, off-centre on a larger sheet. ``strokes``
draws strokes as images of many sizes with pens of many widths. ``photos`` reads files that a table lists with labels,
``pages`` whole pages that a table lists with their text.
Everything was set with the validation subset and drawings of this project (``strokes`` without a file).
"""

from __future__ import annotations

import csv
import json
import time
from difflib import SequenceMatcher
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from penread import Ink, Recognizer, to_glyph
from penread.charset import look_alikes_of, stands_for
from penread.training.data import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

app = typer.Typer(help=__doc__, add_completion=False)
_SIDES_PX = (100, 200, 280, 500, 1000)
_PENS = (0.01, 0.02, 0.04, 0.06, 0.08)


def sheet_with(glyph: NDArray[np.uint8], scale: float, *, dark_ink: bool, rng: np.random.Generator) -> Image.Image:
    """Shows a glyph as a picture, enlarged, somewhere on a sheet up to three times its size."""
    side = round(28 * scale)
    sheet_px = rng.integers(side, 3 * side, 2)
    sheet = Image.new("L", (int(sheet_px[0]), int(sheet_px[1])), 0)
    corner = rng.integers(0, sheet_px - side + 1)
    sheet.paste(Image.fromarray(glyph).resize((side, side), Image.Resampling.BICUBIC), (int(corner[0]), int(corner[1])))
    return Image.eval(sheet, lambda level: 255 - level) if dark_ink else sheet


def image_of(strokes: list[NDArray[np.float64]], side_px: int, pen: float, rng: np.random.Generator) -> Image.Image:
    """Draws strokes somewhere on a square image with a round pen, its width a part of the image's side."""
    points = np.concatenate(strokes)
    low, extent = points.min(axis=0), float(np.ptp(points, axis=0).max())
    pen_px = max(pen * side_px, 1.0)
    size = rng.uniform(0.45, 0.85) * side_px
    scale = size / max(extent, 1e-9)
    room = side_px - pen_px * 2 - np.ptp(points, axis=0) * scale
    offset = pen_px + rng.uniform(0, 1, 2) * np.maximum(room, 0)
    fine = 4 if side_px < 400 else 2
    image = Image.new("L", (side_px * fine, side_px * fine), 255)
    draw = ImageDraw.Draw(image)
    radius = pen_px * fine / 2
    for stroke in strokes:
        path = ((stroke - low) * scale + offset) * fine
        draw.line([tuple(point) for point in path], fill=0, width=max(round(2 * radius), 1), joint="curve")
        for x, y in path:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return image.resize((side_px, side_px), Image.Resampling.BOX)


@app.command()
def pictures(data_dir: Path, subset: Annotated[str, typer.Option()] = "test", split: str = "pool47") -> None:
    """EMNIST's images as pictures, against the images themselves."""
    data = load(data_dir, split, subset)  # type: ignore[arg-type]
    recognizer = Recognizer(threads=0)
    rng = np.random.default_rng(1)
    table = Table("shown as", "accuracy", "points lost", title=f"{split} {subset}, {len(data):,} images")

    def add(name: str, glyphs: NDArray[np.uint8], direct: float | None) -> float:
        accuracy = float((recognizer.logits(glyphs).argmax(axis=1) == data.labels).mean())
        table.add_row(name, f"{accuracy:.2%}", "" if direct is None else f"{100 * (direct - accuracy):.2f}")
        return accuracy

    direct = add("glyphs", data.images, None)
    for dark_ink in (True, False):
        for scale in (2, 3.3, 5, 10):
            glyphs = np.stack([to_glyph(sheet_with(each, scale, dark_ink=dark_ink, rng=rng)) for each in data.images])
            add(f"{'dark on light' if dark_ink else 'light on dark'}, {scale:g} times", glyphs, direct)
    Console().print(table)


@app.command()
def strokes(drawings: Annotated[Path | None, typer.Argument()] = None, count: int = 700) -> None:
    """Strokes drawn as images, against the same strokes read as ink."""
    recognizer = Recognizer(threads=0)
    if drawings is None:
        from penread.training.styles import drawn_strokes  # noqa: PLC0415 - needs the train extra

        samples = drawn_strokes(8, 3)
    else:
        loaded: list[dict[str, Any]] = json.loads(drawings.read_text("utf-8"))
        samples = [
            (each["label"], [np.asarray(stroke, np.float64) for stroke in each["strokes"]])
            for each in loaded[:: max(len(loaded) // count, 1)]
        ]
    class_of = {char: both[0] for both in stands_for(recognizer.info.chars) for char in both}
    labels = np.array([recognizer.info.chars.index(class_of[label]) for label, _ in samples])
    ink_glyphs = np.stack([Ink(each).glyph() for _, each in samples])
    direct = float((recognizer.logits(ink_glyphs).argmax(axis=1) == labels).mean())
    table = Table("pen", *(f"{side} px" for side in _SIDES_PX), title=f"{len(samples):,} drawings, as ink {direct:.2%}")
    for pen in _PENS:
        row = []
        for side in _SIDES_PX:
            rng = np.random.default_rng(1)
            glyphs = np.stack([to_glyph(image_of(each, side, pen, rng)) for _, each in samples])
            accuracy = float((recognizer.logits(glyphs).argmax(axis=1) == labels).mean())
            difference = float(np.abs(glyphs.astype(int) - ink_glyphs).mean())
            row.append(f"{100 * (accuracy - direct):+.2f} ({difference:.1f})")
        table.add_row(f"{pen:.0%}", *row)
    Console().print(table)
    Console().print("Points of accuracy gained; in brackets the mean difference of the glyphs, of 255.")


@app.command()
def photos(labels: Path) -> None:
    """Files with labels, read one by one."""
    with labels.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    recognizer = Recognizer(threads=0)
    class_of = {char: both[0] for both in stands_for(recognizer.info.chars) for char in both}
    read = recognizer.predict_many([labels.parent / row["file"] for row in rows], top_k=3)
    right = folded = rejected = first = 0
    for row, prediction in zip(rows, read, strict=True):
        label, char = class_of[row["label"]], class_of.get(prediction.char or "", "")
        rejected += prediction.char is None
        right += label == char
        first += bool(prediction.candidates) and class_of[prediction.candidates[0].char] == label
        folded += bool(char) and look_alikes_of(label) == look_alikes_of(char)
        if label != char:
            guesses = " ".join(f"{each.char} {each.confidence:.0%}" for each in prediction.candidates)
            Console().print(f"{row['file']}: {row['label']} read as {prediction.char or prediction.reason} ({guesses})")
    Console().print(
        f"{right} of {len(rows)} right ({right / len(rows):.2%}), look-alikes folded {folded} "
        f"({folded / len(rows):.2%}), rejected {rejected}; the first candidate, rejected or not, is right in {first} "
        f"({first / len(rows):.2%})"
    )


@app.command()
def pages(truth: Path) -> None:
    """Whole pages, against their text, with the charset of the page's characters and without."""
    with truth.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    recognizer = Recognizer(threads=0)
    table = Table("page", "charset", "characters", "edits", "right", "lines and spaces", "time")
    for row in rows:
        text = row["text"]
        fitting = "digits" if "".join(text.split()).isdigit() else "upper"
        for charset, context in ((fitting, True), (None, True), (None, False)):
            started_s = time.perf_counter()
            reading = recognizer.read(truth.parent / row["file"], charset=charset, context=context)
            spent_s = time.perf_counter() - started_s
            changes = SequenceMatcher(None, text, reading.text, autojunk=False).get_opcodes()
            edits = sum(max(to - at, end - start) for tag, at, to, start, end in changes if tag != "equal")
            layout = [line.count(" ") for line in reading.text.splitlines()]
            same = layout == [line.count(" ") for line in text.splitlines()]
            table.add_row(
                row["file"],
                charset or ("none" if context else "none, no context"),
                str(len(text)),
                str(edits),
                f"{1 - edits / len(text):.2%}",
                "all" if same else "not all",
                f"{spent_s:.2f} s",
            )
    Console().print(table)


if __name__ == "__main__":
    app()

r"""Reads single characters with what one would take instead, Tesseract, RapidOCR and ddddocr, beside penread.

They live in an environment of their own, as penread needs none of them. In a clone:

    python -m venv .venv-peers && .venv-peers/bin/pip install . --requirement benchmarks/peers_requirements.txt
    .venv-peers/bin/python benchmarks/peers.py choose data/emnist
    .venv-peers/bin/python benchmarks/peers.py compare drawings/chars74k_hnd.json \
        drawings/omniglot_latin_mouse.json=lower drawings/pendigits.json=digits photos/chars/labels.csv \
        --chart docs/peers.png

``choose`` looks for the settings with which each reader reads EMNIST's validation subset best: how large the picture
is, how wide its margin and the pen, and the reader's own options. What it prints last is written down as ``DRAWN`` and
``FOUND``. ``compare`` uses them on drawings, and on pictures that a table lists with labels. What follows the ``=`` is
the charset, alnum where there is none; readers that can keep to a charset are given it. Each character is shown to all
readers in turn, in an order of its own, on one thread; penread reads each reader's pictures, too.

An answer is what is left of it without all that is no Latin letter or digit; of several characters the first counts.
Letters are compared without their case.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import statistics
import sys
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cv2
import numpy as np
import onnxruntime
import typer
from PIL import Image, ImageDraw, ImageOps
from rich.console import Console
from rich.progress import track
from rich.table import Table

from images import sheet_with
from penread import Ink, Recognizer
from penread.charset import NAMED_CHARSETS, SPLIT_CHARS, look_alikes_of, stands_for
from penread.errors import PenreadError
from penread.files import replacing
from penread.training.data import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

#: Reads a picture of one character, given the characters that are possible; answers with any text, or none.
Reader = Callable[[Image.Image, str], str]

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)

_ALNUM = NAMED_CHARSETS["alnum"]
_CLASS_OF = {char: both[0] for both in stands_for(SPLIT_CHARS["balanced"]) for char in both}
# Drawings and thinned glyphs are drawn so many times as large, then averaged.
_FINE = 4
# Glyphs are enlarged so many times before they are thinned: the skeleton's steps are then finer than any pen.
_THIN = 6


@dataclass(frozen=True)
class Settings:
    """How a picture is made for a reader, and the reader's own options.

    Attributes:
        side_px: The character's longer side, ink included; None shows a picture that was found as it is.
        margin: Paper on each side, a part of the longer side.
        pen: The pen's width, a part of the longer side, where the picture is drawn.
        option: Which of the reader's own options.
    """

    side_px: int | None = 64
    margin: float = 0.3
    pen: float = 0.08
    option: str = ""


#: What is tried, setting by setting, in this order; the pen for drawn pictures, as they are for found ones.
SIDES_PX = (32, 48, 64, 96)
MARGINS = (0.1, 0.3, 0.6, 1.0)
PENS = (0.05, 0.08, 0.12)


def _import(name: str) -> Any:  # noqa: ANN401 - peers aren't there where types are checked
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise SystemExit(
            f"{name} can't be imported ({error}). Make an environment for the peers and run this with its Python: "
            "python -m venv .venv-peers && .venv-peers/bin/pip install . -r benchmarks/peers_requirements.txt"
        ) from error


def tesseract(option: str, *, whitelist: bool) -> Reader:
    """Makes Tesseract read.

    Args:
        option: Engine and page segmentation mode, parted by a space, by the names of its C++ interface.
        whitelist: Whether it is given the charset.
    """
    tesserocr = _import("tesserocr")
    data_dir = Path(sys.prefix) / "share" / "tessdata"
    if not (data_dir / "eng.traineddata").exists():
        raise SystemExit(f"Tesseract's English is not in {data_dir}: install benchmarks/peers_requirements.txt.")
    engine, mode = (option or "LSTM_ONLY SINGLE_CHAR").split()
    api = tesserocr.PyTessBaseAPI(
        path=str(data_dir), lang="eng", oem=getattr(tesserocr.OEM, engine), psm=getattr(tesserocr.PSM, mode)
    )
    # It tells of each picture that it has no resolution.
    api.SetVariable("debug_file", os.devnull)

    def read(picture: Image.Image, charset: str) -> str:
        api.SetVariable("tessedit_char_whitelist", charset if whitelist else "")
        api.SetImage(picture)
        text = str(api.GetUTF8Text())
        # The old engine learns from what it reads; a picture is to be read as the first one is.
        api.ClearAdaptiveClassifier()
        return text

    return read


def rapidocr(option: str, *, detect: bool) -> Reader:
    """Makes RapidOCR read; it can't keep to a charset.

    Args:
        option: A parameter and its value as JSON, parted by ``=``.
        detect: Whether it looks for the text first, its whole pipeline, or takes the picture for a line.
    """
    parameters = {
        "Global.log_level": "critical",
        # What it isn't sure of is an answer, too.
        "Global.text_score": 0.0,
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    if option:
        name, _, value = option.partition("=")
        parameters[name] = json.loads(value)
    engine = _import("rapidocr").RapidOCR(params=parameters)

    def read(picture: Image.Image, charset: str) -> str:
        del charset
        # The characters are upright: it needn't look for those on their heads.
        result = engine(np.asarray(picture.convert("RGB")), use_det=detect, use_cls=False, use_rec=True)
        return "".join(result.txts or ())

    return read


def ddddocr(option: str, *, charset_range: bool) -> Reader:
    """Makes ddddocr read.

    Args:
        option: ``old`` or ``beta``, which of its two models.
        charset_range: Whether the likeliest character of the charset is taken, out of the probabilities that it gives.
            Its own ``set_ranges`` only strikes other characters out of the answer.
    """
    package = _import("ddddocr")
    beta = option == "beta"
    engine = package.DdddOcr(show_ad=False, old=not beta, beta=beta)
    threads = onnxruntime.SessionOptions()
    threads.intra_op_num_threads = threads.inter_op_num_threads = 1
    # It has no option for threads.
    engine.ocr_engine.session = onnxruntime.InferenceSession(
        Path(package.__file__).with_name("common.onnx" if beta else "common_old.onnx"),
        threads,
        providers=["CPUExecutionProvider"],
    )
    column_of = {char: column for column, char in enumerate(engine.get_charset())}

    def read(picture: Image.Image, charset: str) -> str:
        if not charset_range:
            return str(engine.classification(picture))
        given = np.asarray(engine.classification(picture, probability=True)["probabilities"])
        allowed = [char for char in charset if char in column_of]
        columns = given.reshape(-1, given.shape[-1])[:, [column_of[char] for char in allowed]]
        return allowed[int(columns.max(axis=0).argmax())]

    return read


def penread(option: str) -> Reader:
    """Makes penread read; it has no options."""
    del option
    recognizer = Recognizer()
    return lambda picture, charset: recognizer.predict(picture, charset=charset).char or ""


@dataclass(frozen=True)
class Kind:
    """A reader that takes part.

    Attributes:
        make: Makes it, with one of its options.
        options: What the option may be; the search begins with the first.
        keeps_charset: Whether it keeps to the charset that it is given.
        every: Its settings are chosen with every so many images; more than 1 where it is slow.
    """

    make: Callable[[str], Reader]
    options: tuple[str, ...] = ("",)
    keeps_charset: bool = False
    every: int = 1


_TESSERACT = tuple(
    f"{engine} {mode}"
    for engine in ("LSTM_ONLY", "TESSERACT_ONLY", "TESSERACT_LSTM_COMBINED")
    for mode in ("SINGLE_CHAR", "SINGLE_WORD")
)
READERS = {
    "tesseract": Kind(lambda option: tesseract(option, whitelist=False), _TESSERACT),
    "tesseract, whitelist": Kind(lambda option: tesseract(option, whitelist=True), _TESSERACT, keeps_charset=True),
    "rapidocr, recognition": Kind(lambda option: rapidocr(option, detect=False), ("", "Rec.rec_img_shape=[3, 48, 96]")),
    "rapidocr, pipeline": Kind(lambda option: rapidocr(option, detect=True), ("Det.limit_side_len=320", ""), every=3),
    "ddddocr": Kind(lambda option: ddddocr(option, charset_range=False), ("old", "beta")),
    "ddddocr, charset": Kind(lambda option: ddddocr(option, charset_range=True), ("old", "beta"), keeps_charset=True),
    "penread": Kind(penread, keeps_charset=True),
}
STROKES = "penread, strokes"

#: What ``choose`` printed: for pictures that are drawn, and for pictures that are found.
DRAWN: dict[str, Settings] = {
    "tesseract": Settings(48, 0.3, 0.12, "LSTM_ONLY SINGLE_WORD"),
    "tesseract, whitelist": Settings(64, 0.3, 0.12, "LSTM_ONLY SINGLE_WORD"),
    "rapidocr, recognition": Settings(96, 0.6, 0.08, ""),
    "rapidocr, pipeline": Settings(64, 0.6, 0.05, "Det.limit_side_len=320"),
    "ddddocr": Settings(32, 0.6, 0.12, "beta"),
    "ddddocr, charset": Settings(48, 1.0, 0.12, "old"),
    "penread": Settings(32, 0.3, 0.05, ""),
}
FOUND: dict[str, Settings] = {
    "tesseract": Settings(32, 0.3, 0.0, "LSTM_ONLY SINGLE_CHAR"),
    "tesseract, whitelist": Settings(32, 0.3, 0.0, "TESSERACT_LSTM_COMBINED SINGLE_WORD"),
    "rapidocr, recognition": Settings(32, 0.3, 0.0, ""),
    "rapidocr, pipeline": Settings(64, 0.3, 0.0, "Det.limit_side_len=320"),
    "ddddocr": Settings(32, 0.6, 0.0, "old"),
    "ddddocr, charset": Settings(48, 0.3, 0.0, "old"),
    "penread": Settings(32, 0.3, 0.0, ""),
}


@dataclass(frozen=True)
class Example:
    """A character to read: strokes to draw with any pen, or a picture.

    Attributes:
        label: What it is.
        strokes: Polylines, float (points, 2), y downward; a point by itself is a dot of the pen.
        picture: Grey or RGB.
    """

    label: str
    strokes: Sequence[NDArray[np.float64]] = ()
    picture: Image.Image | None = None
    _made: dict[Settings, Image.Image] = field(default_factory=dict, repr=False, compare=False)

    def shown(self, settings: Settings) -> Image.Image:
        """Makes the picture that a reader with these settings is given; once for all readers with the same."""
        looks = replace(settings, option="")
        if looks not in self._made:
            picture = drawn(self.strokes, looks) if self.picture is None else prepared(self.picture, looks)
            self._made[looks] = picture
        return self._made[looks]


def drawn(strokes: Sequence[NDArray[np.float64]], settings: Settings) -> Image.Image:
    """Draws strokes black on white with a round pen.

    Args:
        strokes: Polylines, float (points, 2), y downward.
        settings: Sizes and pen.

    Returns:
        A grey picture, as large as the character and its margins.
    """
    side = (settings.side_px or 64) * _FINE
    pen, margin = settings.pen * side, settings.margin * side
    points = np.concatenate(strokes)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = (side - pen) / max(float(extent.max()), 1e-9)
    width, height = (int(np.ceil(part / _FINE)) for part in extent * scale + pen + 2 * margin)
    image = Image.new("L", (width * _FINE, height * _FINE), 255)
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        path = [(float(x), float(y)) for x, y in (stroke - low) * scale + pen / 2 + margin]
        draw.line(path, fill=0, width=max(round(pen), 1))
        for x, y in path:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=0)
    return image.resize((width, height), Image.Resampling.BOX)


def prepared(picture: Image.Image, settings: Settings) -> Image.Image:
    """Prepares a picture as a careful user would: dark on light, cut out by Otsu's threshold, scaled, with a margin.

    Args:
        picture: Grey or RGB, a character anywhere on it.
        settings: Sizes. Without a side the picture is given back as it is.

    Returns:
        A grey picture, or the picture itself.
    """
    if settings.side_px is None:
        return picture
    grey = picture.convert("L")
    levels = np.asarray(grey)
    paper = float(np.median(np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])))
    if paper < 128:
        grey, paper = ImageOps.invert(grey), 255 - paper
    _, ink = cv2.threshold(np.asarray(grey), 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    left, top, width, height = cv2.boundingRect(ink)
    if not width or not height:
        return grey
    cut = grey.crop((left, top, left + width, top + height))
    scale = settings.side_px / max(width, height)
    cut = cut.resize((max(round(width * scale), 1), max(round(height * scale), 1)), Image.Resampling.LANCZOS)
    return ImageOps.expand(cut, round(settings.margin * settings.side_px), fill=round(paper))


def thinned(glyph: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Gives the middle of a glyph's strokes, to be drawn with any pen.

    Args:
        glyph: uint8 (28, 28), ink 255 on 0.

    Returns:
        Dots, float (1, 2) each, closer together than any pen is wide.
    """
    side = glyph.shape[0] * _THIN
    ink = cv2.resize(glyph, (side, side), interpolation=cv2.INTER_CUBIC) > 127
    rows, columns = np.nonzero(_import("skimage.morphology").skeletonize(ink))
    return [np.array([[column, row]], np.float64) for row, column in zip(rows, columns, strict=True)]


def answer_of(text: str) -> str:
    """Gives the first Latin letter or digit of an answer, or nothing where it has none.

    Args:
        text: The answer, as the reader gave it. Full-width letters and the like count as what they stand for.
    """
    return next((char for char in unicodedata.normalize("NFKC", text) if char in _ALNUM), "")


def is_right(label: str, answer: str, *, look_alikes: bool = False) -> bool:
    """Tells whether an answer is right.

    Args:
        label: What it is.
        answer: One character, or nothing.
        look_alikes: Whether a character that looks like it is right, too.
    """
    if answer.casefold() == label.casefold():
        return True
    return look_alikes and bool(answer) and look_alikes_of(_CLASS_OF[label]) == look_alikes_of(_CLASS_OF[answer])


def one_thread() -> None:
    """Keeps OpenCV and Tesseract to one thread; must come before Tesseract is imported."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    cv2.setNumThreads(1)


def _named(readers: Sequence[str] | None) -> list[str]:
    unknown = sorted(set(readers or ()) - set(READERS))
    if unknown:
        raise SystemExit(f"No reader is called {', '.join(map(repr, unknown))}. There are: {'; '.join(READERS)}.")
    return list(readers or READERS)


def search(name: str, examples: Sequence[Example], start: Settings, axes: Mapping[str, Sequence[Any]]) -> Settings:
    """Looks for a reader's best settings, one after the other, until none gets better or for two rounds.

    Args:
        name: The reader.
        examples: What it is to read.
        start: Where to begin.
        axes: The values to try, by the setting's name.

    Returns:
        The settings with the most right answers; of equal ones those that were tried first.
    """
    kind = READERS[name]
    examples = examples[:: kind.every]
    made = {option: kind.make(option) for option in kind.options}
    right: dict[Settings, int] = {}

    def score(settings: Settings) -> int:
        if settings not in right:
            answers = [answer_of(made[settings.option](each.shown(settings), _ALNUM)) for each in examples]
            right[settings] = sum(is_right(each.label, char) for each, char in zip(examples, answers, strict=True))
        return right[settings]

    best = replace(start, option=kind.options[0])
    for _ in range(2):
        before = best
        for axis, values in (*axes.items(), ("option", kind.options)):
            for value in values:
                tried = replace(best, **{axis: value})
                if score(tried) > score(best):
                    best = tried
        if best == before:
            break
    share = score(best) / len(examples)
    Console(stderr=True).print(f"{name}: {share:.1%} of {len(examples)}, {len(right)} settings tried, best: {best}")
    return best


@app.command()
def choose(
    data_dir: Path,
    split: str = "pool47",
    reader: Annotated[list[str] | None, typer.Option(help="One of the readers; may be given again.")] = None,
    per_class: Annotated[int, typer.Option(help="Images of each class.")] = 3,
) -> None:
    """Looks for each reader's best settings on EMNIST's validation subset, and prints them as they are written here."""
    names = _named(reader)
    one_thread()
    subset = load(data_dir, split, "val")
    rng = np.random.default_rng(1)
    picked = [rng.permutation(np.flatnonzero(subset.labels == label))[:per_class] for label in range(len(subset.chars))]
    glyphs = [(subset.chars[subset.labels[index]], subset.images[index]) for index in np.concatenate(picked)]
    strokes = [Example(label, strokes=thinned(glyph)) for label, glyph in glyphs]
    found = [
        Example(label, picture=sheet_with(glyph, 2.0 ** int(rng.integers(4)), dark_ink=bool(rng.integers(2)), rng=rng))
        for label, glyph in glyphs
    ]
    sizes = {"side_px": SIDES_PX, "margin": MARGINS}
    drawn_with = {name: search(name, strokes, Settings(), {**sizes, "pen": PENS}) for name in names}
    as_it_is = {**sizes, "side_px": (None, *SIDES_PX)}
    found_with = {name: search(name, found, replace(drawn_with[name], pen=0.0), as_it_is) for name in names}
    for title, chosen in (("DRAWN", drawn_with), ("FOUND", found_with)):
        print(f"{title}: dict[str, Settings] = {{")
        for name, each in chosen.items():
            option = each.option.replace('"', "'")
            print(f'    "{name}": Settings({each.side_px}, {each.margin}, {each.pen}, "{option}"),')
        print("}")


@dataclass
class Tally:
    """What a reader made of a set.

    Attributes:
        right: Whether each answer is right.
        alike: The same with look-alikes taken as equal.
        none: Whether there was no answer.
        penread: Whether penread is right on the same picture.
        spent_ms: Time for each.
    """

    right: list[bool]
    alike: list[bool]
    none: list[bool]
    penread: list[bool]
    spent_ms: list[float]


def load_examples(path: Path) -> list[Example]:
    """Loads drawings (JSON), or the pictures that a table (CSV) lists with their labels.

    Args:
        path: The file. Pictures are set upright and laid on white paper where they are transparent.

    Raises:
        SystemExit: It can't be read, is empty, or has labels that no reader could be right on.
    """
    try:
        if path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as lines:
                rows = list(csv.DictReader(lines))
            examples = [Example(row["label"], picture=_opened(path.parent / row["file"])) for row in rows]
        else:
            examples = [
                Example(each["label"], [np.asarray(stroke, np.float64) for stroke in each["strokes"]])
                for each in json.loads(path.read_text("utf-8"))
            ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(
            f"{path} can't be read: {error!r}. It must be a JSON list of drawings with label and strokes, or a CSV "
            "with the columns file and label."
        ) from error
    if strange := {each.label for each in examples} - set(_ALNUM):
        raise SystemExit(f"{path} has labels that are no Latin letter or digit: {sorted(strange)}. Leave them out.")
    if not examples:
        raise SystemExit(f"{path} has no characters.")
    return examples


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture if picture.mode == "L" else picture.convert("RGB")


def evenly(examples: Sequence[Example], limit: int, seed: int = 1) -> list[Example]:
    """Picks so many examples at random, as many of each label as of the others, as far as there are any.

    Args:
        examples: To pick from.
        limit: The most to pick; 0 for all.
        seed: Of the choice.
    """
    rng = np.random.default_rng(seed)
    rounds: dict[str, int] = defaultdict(int)
    order: list[tuple[int, int, Example]] = []
    for index in rng.permutation(len(examples)):
        label = examples[index].label
        order.append((rounds[label], len(order), examples[index]))
        rounds[label] += 1
    return [example for _, _, example in sorted(order, key=lambda each: each[:2])][: limit or None]


def tally(examples: Sequence[Example], charset: str, readers: dict[str, Reader], title: str) -> dict[str, Tally]:
    """Shows each example to all readers in turn.

    Args:
        examples: Drawings, or pictures.
        charset: The characters that are possible.
        readers: By name.
        title: Of the progress bar.

    Returns:
        What each made of them; penread's on strokes last, where there are any.
    """
    recognizer = Recognizer()
    tallies: dict[str, Tally] = defaultdict(lambda: Tally([], [], [], [], []))
    settings = DRAWN if examples[0].picture is None else FOUND

    def count(name: str, label: str, text: str, spent_s: float) -> None:
        answer, to = answer_of(text), tallies[name]
        to.right.append(is_right(label, answer))
        to.alike.append(is_right(label, answer, look_alikes=True))
        to.none.append(not answer)
        to.spent_ms.append(spent_s * 1e3)

    rng = np.random.default_rng(1)
    # What is made at the first call isn't counted.
    for name, read in readers.items():
        read(examples[0].shown(settings.get(name, Settings())), charset)
    for example in track(examples, title, console=Console(stderr=True)):
        for name in rng.permutation([*readers, *([STROKES] if example.picture is None else [])]):
            if name == STROKES:
                began = time.perf_counter()
                text = recognizer.predict(Ink(example.strokes), charset=charset).char or ""
                count(name, example.label, text, time.perf_counter() - began)
                continue
            picture = example.shown(settings.get(name, Settings()))
            began = time.perf_counter()
            text = readers[name](picture, charset)
            count(name, example.label, text, time.perf_counter() - began)
            ours = recognizer.predict(picture, charset=charset).char or ""
            tallies[name].penread.append(is_right(example.label, ours))
    return {name: tallies[name] for name in (*readers, STROKES) if name in tallies}


@app.command()
def compare(
    files: Annotated[list[str], typer.Argument(help="Drawings (JSON) or labels of pictures (CSV), =charset.")],
    limit: Annotated[int, typer.Option(min=0, help="The most characters of a file, evenly by label; 0 for all.")] = 620,
    reader: Annotated[list[str] | None, typer.Option(help="One of the readers; may be given again.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Where to draw the figures, PNG.")] = None,
) -> None:
    """Prints and draws what each reader makes of each file."""
    names = _named(reader)
    sets = []
    for argument in files:
        name, _, charset = argument.partition("=")
        examples = evenly(load_examples(Path(name)), limit)
        sets.append((_title(Path(name)), charset or "alnum", examples))
    one_thread()
    options = {(name, chosen.get(name, Settings()).option) for name in names for chosen in (DRAWN, FOUND)}
    made = {(name, option): READERS[name].make(option) for name, option in sorted(options)}
    table = Table(
        "set", "charset", "count", "reader", "keeps to charset", "right", "look-alikes folded", "no answer",
        "penread, same pictures", "ms",
    )  # fmt: skip
    tallies = {}
    for title, charset, examples in sets:
        settings = DRAWN if examples[0].picture is None else FOUND
        readers = {name: made[name, settings.get(name, Settings()).option] for name in names}
        tallies[title] = tally(examples, NAMED_CHARSETS.get(charset, charset), readers, title)
        for row, (name, each) in enumerate(tallies[title].items()):
            table.add_row(
                *((title, charset, f"{len(examples):,}") if row == 0 else ("", "", "")),
                name,
                "yes" if name == STROKES or READERS[name].keeps_charset else "no",
                *(f"{np.mean(values):.1%}" for values in (each.right, each.alike, each.none)),
                f"{np.mean(each.penread):.1%}" if each.penread else "",
                f"{statistics.median(each.spent_ms):.2f}",
            )
    Console().print(table)
    if chart:
        _draw(tallies, chart)


def _title(path: Path) -> str:
    """Names a set by its file, or a table of pictures by its folder."""
    return path.resolve().parent.name if path.suffix == ".csv" else path.stem


def _draw(tallies: dict[str, dict[str, Tally]], path: Path) -> None:
    """Draws a panel a set, a bar a reader: what is right, lighter with look-alikes, and the time at its end."""
    _import("matplotlib")
    from matplotlib.figure import Figure  # noqa: PLC0415 - only where a chart is wanted
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415 - the same

    names = list(dict.fromkeys(name for each in tallies.values() for name in each))
    figure = Figure(figsize=(3.1 * len(tallies) + 2, 0.42 * len(names) + 1.6), layout="constrained")
    panels = figure.subplots(1, len(tallies), sharey=True, squeeze=False)[0]
    for axes, (title, each) in zip(panels, tallies.items(), strict=True):
        for row, name in enumerate(names):
            if name not in each:
                continue
            colour = "tab:blue" if name.startswith("penread") else "tab:gray"
            right, alike = float(np.mean(each[name].right)), float(np.mean(each[name].alike))
            axes.barh(row, alike, color=colour, alpha=0.35)
            axes.barh(row, right, color=colour)
            spent = statistics.median(each[name].spent_ms)
            axes.text(0.02, row, f"{right:.0%}", va="center", color="white", fontsize=9)
            axes.text(1.02, row, f"{spent:.1f} ms", va="center", fontsize=9)
        axes.set_title(title, fontsize=10)
        axes.set_xlim(0, 1.32)
        axes.set_xticks([0, 0.5, 1])
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    figure.suptitle(
        "Right answers without regard to case, lighter: look-alikes folded; median time a character", fontsize=10
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=110)


if __name__ == "__main__":
    try:
        app()
    except PenreadError as error:
        sys.exit(str(error))

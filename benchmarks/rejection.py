"""Measures how well a bundle tells one character from all else, beside simpler ways to tell.

    python benchmarks/rejection.py data [bundle]

``data`` has the folders emnist, drawings and other. Real characters: pool47's validation subset, and drawings of people
who have nothing to do with EMNIST. Not one character: Korean, Katakana and Sanskrit ones (Omniglot), scribbles,
and pairs of the drawings, as ink and as images. Nothing of this but the validation subset has chosen anything;
scribbles and pairs are made here, by other code than the examples of training.

The ways to tell: ``head``, the bundle's own second output; ``softmax``, the largest probability (D. Hendrycks, K.
Gimpel 2017); ``energy``, the logarithm of the summed exponentials of the logits (W. Liu et al. 2020); ``neighbours``,
the distance to the tenth nearest of 9,400 training images in the network's last features (Y. Sun et al. 2022).
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from scipy.spatial import cKDTree
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score

from penread import Ink, Recognizer, to_glyph
from penread.bundle import DEFAULT_BUNDLE, Bundle
from penread.charset import stands_for
from penread.training.data import load_training

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Strokes = list[Floats]

_DRAWINGS = {"chars74k_hnd": None, "omniglot_latin_mouse": "lower", "pendigits": "digits"}
_PER_SET = 1000
_REJECTED_DRAWINGS = 0.03
_NEIGHBOURS, _PER_CLASS = 10, 200


def main() -> None:
    """Prints both tables."""
    data = Path(sys.argv[1])
    bundle = Bundle.load(sys.argv[2] if len(sys.argv) > 2 else DEFAULT_BUNDLE)
    recognizer = Recognizer(bundle)
    train, val = load_training(data / "emnist", bundle.info.split)
    drawings = {name: json.loads((data / "drawings" / f"{name}.json").read_text("utf-8")) for name in _DRAWINGS}
    rng = np.random.default_rng(1)
    tell = _ways_to_tell(bundle, recognizer, _of_each_class(train.images, train.labels, rng))

    _print_cost(bundle, val.images[:1])
    _print_accepted(recognizer, val.images, [val.chars[label] for label in val.labels], drawings)

    real = {name: _glyphs([Ink(each["strokes"]) for each in drawn]) for name, drawn in drawings.items()}
    everyone = [each for drawn in drawings.values() for each in drawn]
    scripts = json.loads((data / "other" / "scripts.json").read_text("utf-8"))
    others = {
        "other scripts": _glyphs([Ink(each["strokes"]) for each in scripts]),
        "scribbles": _glyphs([Ink(scribble(rng)) for _ in range(_PER_SET)]),
        "scribbles, as images": _glyphs([picture(scribble(rng)) for _ in range(_PER_SET)]),
    }
    for whose in ("one writer", "two writers"):
        for how in ("apart", "touching"):
            pairs = [
                pair(everyone, rng, same=whose == "one writer", touching=how == "touching") for _ in range(_PER_SET)
            ]
            others[f"pairs, {whose}, {how}"] = _glyphs([Ink(strokes) for strokes in pairs])
            others[f"pairs, {whose}, {how}, as images"] = _glyphs([picture(strokes) for strokes in pairs])
    _print_rejected(tell, np.concatenate(list(real.values())), val.images, others)


def _print_cost(bundle: Bundle, glyph: NDArray[np.uint8]) -> None:
    """Prints what the head adds to the graph, in bytes and in time."""
    alone = onnx.load_model_from_string(bundle.onnx)
    for field in (alone.graph.node, alone.graph.initializer, alone.graph.output):
        kept = [
            each
            for each in field
            if not any("kinds" in name for name in (each.output if isinstance(each, onnx.NodeProto) else [each.name]))
        ]
        del field[:]
        field.extend(kept)
    graph = alone.SerializeToString()
    both = [Recognizer(Bundle(bundle.info.model_copy(update={"rejection": {}}), each)) for each in (graph, bundle.onnx)]
    times: list[list[float]] = [[], []]
    for _ in range(1000):
        for recognizer, spent in zip(both, times, strict=True):
            started_s = time.perf_counter()
            recognizer.logits(glyph)
            spent.append(1e3 * (time.perf_counter() - started_s))
    before_ms, after_ms = (statistics.median(spent) for spent in times)
    print(
        f"the head of {bundle.info.name}: {(len(bundle.onnx) - len(graph)) / 1000:.0f} kB; one glyph on one thread "
        f"takes {after_ms:.3f} ms with it, {before_ms:.3f} ms without ({after_ms / before_ms - 1:+.0%})"
    )


def _print_accepted(
    recognizer: Recognizer, images: NDArray[np.uint8], labels: list[str], drawings: dict[str, list[dict[str, Any]]]
) -> None:
    """Prints what the bundle's own threshold does to real characters."""
    table = Table("real characters", "count", "rejected", "accuracy of all", "of the accepted")
    class_of = {char: both[0] for both in stands_for(recognizer.info.chars) for char in both}
    sets: list[tuple[str, list[Any], list[str], str | None]] = [("pool47 val", list(images), labels, None)]
    for name, drawn in drawings.items():
        sets.append(
            (name, [Ink(each["strokes"]) for each in drawn], [each["label"] for each in drawn], _DRAWINGS[name])
        )
    for name, sources, chars, charset in sets:
        answers = recognizer.predict_many(sources, charset=charset)
        # The best candidate is the same whether it is rejected or not.
        right = np.array(
            [
                bool(answer.candidates) and class_of[answer.candidates[0].char] == class_of[char]
                for answer, char in zip(answers, chars, strict=True)
            ]
        )
        accepted = np.array([answer.rejected is None for answer in answers])
        table.add_row(
            name,
            f"{len(chars):,}",
            f"{1 - accepted.mean():.2%}",
            f"{right.mean():.2%}",
            f"{right[accepted].mean():.2%}",
        )
    threshold = recognizer.info.rejection["unclear"]
    Console(width=140).print(f"{recognizer.info.name} {recognizer.info.version}, threshold {threshold}:", table)


def _print_rejected(
    tell: dict[str, Callable[[NDArray[np.uint8]], Floats]],
    real: NDArray[np.uint8],
    images: NDArray[np.uint8],
    others: dict[str, NDArray[np.uint8]],
) -> None:
    """Prints what each way rejects where it rejects as many real drawings."""
    table = Table("rejected, and area under the ROC", "count", *tell)
    of_real = {name: score(real) for name, score in tell.items()}
    thresholds = {name: float(np.quantile(scores, 1 - _REJECTED_DRAWINGS)) for name, scores in of_real.items()}
    for what, glyphs in {"real drawings": real, "pool47 val": images, **others}.items():
        cells = []
        for name, score in tell.items():
            scores = score(glyphs)
            cell = f"{(scores > thresholds[name]).mean():.1%}"
            if what in others:
                truth = np.repeat([0, 1], [len(real), len(scores)])
                cell += f", {roc_auc_score(truth, np.concatenate([of_real[name], scores])):.3f}"
            cells.append(cell)
        table.add_row(what, f"{len(glyphs):,}", *cells)
    where = ", ".join(f"{name} {threshold:.3f}" for name, threshold in thresholds.items())
    Console(width=140).print(f"thresholds that reject {_REJECTED_DRAWINGS:.0%} of real drawings: {where}", table)


def _ways_to_tell(
    bundle: Bundle, recognizer: Recognizer, known: NDArray[np.uint8]
) -> dict[str, Callable[[NDArray[np.uint8]], Floats]]:
    """Gives functions from glyphs to scores, float (N,); more is less like one character."""
    near = _features(bundle, known)

    def distance(glyphs: NDArray[np.uint8]) -> Floats:
        # Of vectors of length 1.
        alike = np.partition(_features(bundle, glyphs) @ near.T, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS]
        return np.asarray(np.sqrt(np.maximum(2 - 2 * alike, 0)))

    return {
        "head": lambda glyphs: 1 - recognizer.kinds(glyphs)[:, 0],
        "softmax": lambda glyphs: 1 - softmax(recognizer.logits(glyphs), axis=1).max(axis=1),
        "energy": lambda glyphs: -logsumexp(recognizer.logits(glyphs), axis=1),
        "neighbours": distance,
    }


def _features(bundle: Bundle, glyphs: NDArray[np.uint8]) -> Floats:
    """Computes what the network's last layer reads, brought to length 1: float (N, features)."""
    graph = onnx.load_model_from_string(bundle.onnx)
    last = next(node for node in graph.graph.node if "logits" in node.output)
    del graph.graph.output[:]
    graph.graph.output.append(onnx.helper.make_tensor_value_info(last.input[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: part})[0] for part in np.array_split(glyphs, -(-len(glyphs) // 256))]
    features = np.concatenate(parts).astype(np.float64)
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9))


def _of_each_class(images: NDArray[np.uint8], labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.concatenate(
        [images[rng.permutation(np.flatnonzero(labels == label))[:_PER_CLASS]] for label in np.unique(labels)]
    )


def _glyphs(sources: list[Any]) -> NDArray[np.uint8]:
    return np.stack([to_glyph(source) for source in sources])


def picture(strokes: Strokes) -> Image.Image:
    """Draws strokes as a scan might show them: dark grey on light, in a pen of a twelfth of their height."""
    points = np.concatenate(strokes)
    low, size = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1)
    scale = 120 / size[1] if size[0] < 4 * size[1] else 480 / size[0]
    width, height = (size * scale + 40).astype(int)
    page = Image.new("L", (int(width), int(height)), 235)
    pen = ImageDraw.Draw(page)
    for stroke in strokes:
        places = [(float(x), float(y)) for x, y in (stroke - low) * scale + 20]
        pen.line(places, fill=40, width=10, joint="curve")
        for x, y in (places[0], places[-1]):
            pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=40)
    return page


def pair(drawings: list[dict[str, Any]], rng: np.random.Generator, *, same: bool, touching: bool) -> Strokes:
    """Puts two drawn characters side by side on one line.

    Args:
        drawings: To choose from.
        rng: Chooses.
        same: Whether one person wrote both, in the sizes that they wrote; else both are made as high.
        touching: Whether they touch; else there is a gap of 5 to 25 % of their height.
    """
    first = drawings[rng.integers(len(drawings))]
    while True:
        second = drawings[rng.integers(len(drawings))]
        if (second["writer"] == first["writer"]) == same and second is not first:
            break
    left, right = (_standing([np.array(stroke, float) for stroke in each["strokes"]], same) for each in (first, second))
    height = max(float(np.ptp(np.concatenate(each)[:, 1])) for each in (left, right))
    edge = float(np.concatenate(left)[:, 0].max())
    if not touching:
        offset = edge + height * rng.uniform(0.05, 0.25)
        return left + _moved(right, offset)
    near, moved = cKDTree(_dense(left)), _dense(right)
    offset = edge
    # A pen is a twelfth of the height wide.
    while near.query(np.add(moved, (offset, 0)))[0].min() > height / 15 and offset > 0:
        offset -= height / 60
    return left + _moved(right, offset)


def _standing(strokes: Strokes, own_size: bool) -> Strokes:
    """Moves strokes so that they stand on y = 0 and begin at x = 0; a character is at least a quarter of 100 high."""
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 1.0 if own_size else 100 / max(float((high - low).max()), 1e-6)
    return [(stroke - [low[0], high[1]]) * scale for stroke in strokes]


def _moved(strokes: Strokes, offset: float) -> Strokes:
    return [np.add(stroke, (offset, 0)) for stroke in strokes]


def _dense(strokes: Strokes) -> Floats:
    """Puts points along strokes, forty to a segment at most two units long."""
    parts = []
    for stroke in strokes:
        if len(stroke) == 1:
            parts.append(stroke)
        for start, end in pairwise(stroke):
            count = int(np.hypot(*(end - start)) / 2) + 2
            parts.append(start + (end - start) * np.linspace(0, 1, count)[:, None])
    return np.concatenate(parts)


def scribble(rng: np.random.Generator) -> Strokes:
    """Scribbles: a closed wobble, a hand that drifts, to and fro, or many short strokes."""
    how = rng.integers(4)
    if how == 0:
        # A Fourier series with strong high terms: crosses itself many times.
        t = np.linspace(0, 2 * np.pi, 400)
        terms = np.arange(1, 9)
        waves = np.exp(1j * np.outer(t, np.concatenate([terms, -terms])))
        curve = waves @ (rng.normal(size=16) + 1j * rng.normal(size=16))
        return [np.stack([curve.real, curve.imag], axis=1) * 20]
    if how == 1:
        # A velocity that forgets itself slowly, and a pull to the middle.
        place, speed, places = np.zeros(2), np.zeros(2), []
        for _ in range(int(rng.integers(250, 700))):
            speed = 0.93 * speed + rng.normal(0, 1, 2) - 0.006 * place
            place = place + speed
            places.append(place)
        return [np.array(places)]
    if how == 2:
        t = np.linspace(0, 1, 500)
        angle, times = rng.uniform(0, np.pi), rng.uniform(6, 15)
        to_and_fro = np.sin(2 * np.pi * times * t + 2 * np.sin(2 * np.pi * t * rng.uniform(0.5, 2)))
        along = to_and_fro * rng.uniform(30, 60) * (1 + 0.3 * np.sin(9 * t))
        across = (t - 0.5) * rng.uniform(40, 120)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return [np.stack([along, across], axis=1) @ turn]
    strokes = []
    for _ in range(int(rng.integers(7, 16))):
        t = np.linspace(0, 1, 20)[:, None]
        start, end, bend = rng.uniform(0, 100, (3, 2))
        strokes.append((1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end)
    return strokes


if __name__ == "__main__":
    main()

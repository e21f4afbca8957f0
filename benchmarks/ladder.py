"""Climbs from the reference to the best network, a change at a time, and draws accuracy against latency.

    python benchmarks/ladder.py data/emnist pool47 runs/ladder docs/ladder.png runs/reference runs/large runs/best

Trains each step briefly, all with the same number of images, into a folder of its own below the third argument (what is
there already is kept or gone on with), and adds the finished runs and bundles that are named last. Accuracy and loss
are the validation subset's: no test takes part. A run's images and training time are counted with those of its
teachers. Latency is that of one glyph on one thread, in float32; the shipped bundles are drawn with their own. All
latencies are measured in turns.
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import typer
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich.console import Console
from rich.table import Table

from penread.bundle import Bundle, shipped
from penread.charset import SPLIT_CHARS
from penread.files import replacing
from penread.recognizer import Recognizer
from penread.training import loop, networks
from penread.training.data import load
from penread.training.export import to_onnx
from penread.training.recipes import RECIPES

sys.path.insert(0, str(Path(__file__).parent))
from models import time_s
from training_speed import Lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_MARKERS = {"run": ("o", "tab:gray"), "bundle": ("s", "tab:blue")}
_NONE = typer.Argument(default_factory=list)
_REFERENCE = replace(RECIPES["reference"], epochs=2, epoch_images=80_000)
_MUON = replace(
    _REFERENCE, optimizer="muon", learning_rate=1e-2, schedule="one-cycle", weight_decay=0.1, batch_size=256
)
_RESIDUAL = replace(_MUON, network="residual-small")
_DISTORTED = replace(_RESIDUAL, augment=True)
_SHARES = replace(_DISTORTED, sampling_power=0.5)
_ADAM = replace(_RESIDUAL, optimizer="adam", weight_decay=0.0, learning_rate=3e-3)
_SMOOTH = replace(_SHARES, label_smoothing=0.05)
#: What is changed, by the name of the run folder; each against the step before, or against the one it names.
STEPS = {
    "1-reference": ("the reference, briefly", _REFERENCE),
    "2-muon": ("Muon, one-cycle, batches of 256", _MUON),
    "3-residual": ("residual-small instead of the reference network", _RESIDUAL),
    "3a-adam": ("... with Adam instead of Muon", _ADAM),
    "4-distorted": ("distortions", _DISTORTED),
    "5-shares": ("classes by the root of their size instead of evenly", _SHARES),
    "5a-natural": ("... by their size", replace(_DISTORTED, sampling_power=1.0)),
    "6-smooth": ("label smoothing 0.05", _SMOOTH),
    "6a-fast": ("... with twice the learning rate", replace(_SMOOTH, learning_rate=2e-2)),
    "7-medium": ("residual-medium", replace(_SMOOTH, network="residual-medium")),
    "8-large": ("residual-large", replace(_SMOOTH, network="residual-large")),
}


def check(runs: list[Path], split: str) -> None:
    """Refuses runs that the table couldn't take, before anything is trained for it."""
    for run_dir in runs:
        config = loop.Config.read(run_dir)
        if config.split != split:
            raise SystemExit(f"{run_dir} was trained on {config.split}, not on {split}: leave it out.")
        loop.load_network(run_dir, SPLIT_CHARS[split])


def with_teachers(run_dir: Path) -> set[Path]:
    """Gives a run and all the runs that it learnt from, directly or not."""
    teachers = (with_teachers(Path(teacher)) for teacher in loop.Config.read(run_dir).teachers)
    return {run_dir.resolve()}.union(*teachers)


def climb(data_dir: Path, split: str, out: Path) -> dict[str, Path]:
    """Trains the steps that aren't there yet; gives the run folder of each change."""
    for name, (_, recipe) in STEPS.items():
        run_dir = out / name
        recipe = replace(recipe, name=name)  # noqa: PLW2901 - a run says which step it is
        if not (run_dir / "config.json").exists():
            loop.start(loop.configure(recipe, split, data_dir, seed=1), run_dir, data_dir)
        config = loop.Config.read(run_dir)
        if (config.recipe, config.split) != (recipe, split):
            raise SystemExit(
                f"{run_dir} has another recipe or split than the step has now: remove it, or give another folder."
            )
        loop.run(run_dir, data_dir, Lines())
    return {f"{name.partition('-')[0]} {change}": out / name for name, (change, _) in STEPS.items()}


def reader(graph: bytes, glyphs: NDArray[np.uint8]) -> Callable[[], object]:
    """Gives a call that reads one glyph on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: glyphs[:1]})


def graph_of(run_dir: Path, glyphs: NDArray[np.uint8]) -> bytes:
    """Exports a run's network."""
    network = loop.load_network(run_dir, SPLIT_CHARS[loop.Config.read(run_dir).split])
    return bytes(to_onnx(network, glyphs[:2]).SerializeToString())


def main(data_dir: Path, split: str, out: Path, picture: Path, finished: list[Path] = _NONE) -> None:
    """Trains the steps into folders below OUT, prints the table with what is FINISHED and what ships, draws PICTURE."""
    bundles = {f"bundle {name}": Bundle.load(name) for name in shipped()}
    bundles |= {f"bundle {path.name}": Bundle.load(path) for path in finished if (path / "model.json").exists()}
    runs = [path for path in finished if not (path / "model.json").exists()]
    check(runs, split)
    steps = climb(data_dir, split, out)
    steps |= {f"run {run.name}": run for run in runs}
    val = load(data_dir, split, "val")
    calls = {change: reader(graph_of(run_dir, val.images), val.images) for change, run_dir in steps.items()}
    calls |= {name: reader(bundle.onnx, val.images) for name, bundle in bundles.items()}
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(20):
        for name, call in calls.items():
            rounds[name].append(statistics.median(time_s(call) for _ in range(50)))
    latency_ms = {name: statistics.median(times) * 1e3 for name, times in rounds.items()}

    table = Table("change", "images", "val accuracy", "val loss", "parameters", "multiply-adds", "latency", "training")
    points = {}
    for change, run_dir in steps.items():
        history = loop.read_history(run_dir)
        network = networks.build(loop.Config.read(run_dir).recipe.network, len(SPLIT_CHARS[split]))
        behind = with_teachers(run_dir)
        recipes = [loop.Config.read(each).recipe for each in behind]
        images = sum(recipe.epochs * (recipe.epoch_images + recipe.drawn_images) for recipe in recipes)
        trained_s = sum(metrics.duration_s for each in behind for metrics in loop.read_history(each))
        points[change] = (latency_ms[change], history[-1].val_accuracy, "run")
        table.add_row(
            change,
            f"{images / 1e6:.2f} M",
            f"{history[-1].val_accuracy:.2%}",
            f"{history[-1].val_loss:.4f}",
            f"{sum(weights.numel() for weights in network.parameters()):,}",
            f"{networks.multiply_adds(network) / 1e6:.1f} M",
            f"{latency_ms[change]:.3f} ms",
            f"{trained_s / 60:.1f} min",
        )
    for name, bundle in bundles.items():
        probs = Recognizer(bundle, threads=0).probs(val.images)
        accuracy = float((probs.argmax(axis=1) == val.labels).mean())
        loss = float(-np.log(np.maximum(probs[np.arange(len(val)), val.labels], 1e-12)).mean())
        points[name] = (latency_ms[name], accuracy, "bundle")
        size = f"{bundle.info.parameters:,}", f"{bundle.info.multiply_adds / 1e6:.1f} M"
        table.add_row(name, "", f"{accuracy:.2%}", f"{loss:.4f}", *size, f"{latency_ms[name]:.3f} ms", "")
    Console(width=150).print(table)
    draw(points, picture)


def draw(points: dict[str, tuple[float, float, str]], picture: Path) -> None:
    """Draws accuracy against latency; the steps by their numbers in the table."""
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    accuracies = [accuracy for _, accuracy, _ in points.values()]
    label_height = 0.027 * (max(accuracies) - min(accuracies))
    free_above: dict[float, float] = {}
    for name, (latency_ms, accuracy, kind) in sorted(points.items(), key=lambda item: item[1][1]):
        marker, colour = _MARKERS[kind]
        axes.plot(latency_ms, accuracy, marker=marker, color=colour)
        # The labels of networks that are equally fast would lie upon each other.
        column = round(latency_ms, 1)
        height = max(accuracy, free_above.get(column, 0.0))
        free_above[column] = height + label_height
        label = name.partition(" ")[0] if name[0].isdigit() else name.removeprefix("bundle ")
        axes.annotate(
            label,
            (latency_ms, accuracy),
            xytext=(latency_ms + 0.03, height),
            arrowprops={"arrowstyle": "-", "color": "lightgray"},
            fontsize=8,
            verticalalignment="center",
        )
    axes.set_xlabel("one glyph on one thread, ms")
    axes.set_ylabel("accuracy on the validation subset")
    axes.set_xlim(0, 1.25 * max(point[0] for point in points.values()))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(alpha=0.3)
    axes.set_title("Gray: runs in float32, the short ones by their numbers; blue: bundles", fontsize=10)
    with replacing(picture) as path:
        figure.savefig(path, dpi=110)


if __name__ == "__main__":
    typer.run(main)

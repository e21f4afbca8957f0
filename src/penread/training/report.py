"""Pictures of an evaluation: the confusion matrix, the most confused pairs, the surest errors, the reliability diagram.

penread evaluate --split pool47 --data-dir data/emnist --report reports/reference
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from penread.charset import look_alikes_of
from penread.files import replacing, write_text

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from penread.training.evaluate import Evaluation

_PAIRS, _EXAMPLES = 12, 8
_ERROR_ROWS, _ERROR_COLUMNS = 10, 14


def write_report(evaluation: Evaluation, images: NDArray[np.uint8], report_dir: Path) -> list[Path]:
    """Writes ``metrics.json``, ``confusion.png``, ``confused_pairs.png``, ``errors.png`` and ``reliability.png``.

    Args:
        evaluation: The figures.
        images: The test's glyphs, uint8 (N, 28, 28), in the order of the evaluation.
        report_dir: Where the files go; it is made, and files of these names in it are replaced.

    Returns:
        The files.
    """
    metrics = report_dir / "metrics.json"
    write_text(metrics, json.dumps(evaluation.to_json(), indent=2) + "\n")
    figures = {
        "confusion.png": _confusion(evaluation),
        "confused_pairs.png": _confused_pairs(evaluation, images),
        "errors.png": _errors(evaluation, images),
        "reliability.png": _reliability(evaluation),
    }
    for name, figure in figures.items():
        with replacing(report_dir / name) as path:
            figure.savefig(path, dpi=110)
    return [metrics, *(report_dir / name for name in figures)]


def _title(evaluation: Evaluation) -> str:
    return f"{evaluation.bundle} on the {evaluation.split} test, {evaluation.images:,} images"


def _confusion(evaluation: Evaluation) -> Figure:
    counts = evaluation.confusion
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(11, 10), layout="constrained")
    axes = figure.subplots()
    # The square root lifts the errors, a few percent each, off the white.
    image = axes.imshow(rates, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    ticks = range(len(evaluation.groups))
    axes.set_xticks(ticks, evaluation.groups, fontsize=9)
    axes.set_yticks(ticks, evaluation.groups, fontsize=9)
    axes.tick_params(top=True, labeltop=True, length=0)
    axes.set_xlabel("read as")
    axes.set_ylabel("is")
    axes.set_title(f"{_title(evaluation)}\naccuracy {evaluation.accuracy:.2%}", pad=14)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, format=PercentFormatter(1.0, decimals=0))
    bar.set_label("of the class's images")
    return figure


def _confused_pairs(evaluation: Evaluation, images: NDArray[np.uint8]) -> Figure:
    counts = evaluation.confusion
    np.fill_diagonal(counts, 0)
    predicted = evaluation.probs.argmax(axis=1)
    confidence = evaluation.probs.max(axis=1)
    both_ways = np.triu(counts + counts.T)
    pairs = [
        (int(a), int(b))
        for a, b in zip(*np.unravel_index(np.argsort(-both_ways, axis=None, kind="stable"), counts.shape), strict=True)
        if both_ways[a, b]
    ][:_PAIRS]
    figure = Figure(figsize=(11, 0.95 * max(len(pairs), 1) + 0.9), layout="constrained")
    figure.suptitle(f"{_title(evaluation)}\nThe most confused pairs, the surest errors of each")
    if not pairs:
        figure.text(0.5, 0.3, "no errors", ha="center")
        return figure
    grid = figure.subplots(len(pairs), _EXAMPLES + 1, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for (a, b), row in zip(pairs, grid, strict=True):
        errors = f"{both_ways[a, b]} {'error' if both_ways[a, b] == 1 else 'errors'}"
        row[0].text(0.5, 0.5, f"{evaluation.groups[a]} / {evaluation.groups[b]}\n{errors}", ha="center", va="center")
        wrong = np.flatnonzero(
            ((evaluation.labels == a) & (predicted == b)) | ((evaluation.labels == b) & (predicted == a))
        )
        for axes, index in zip(row[1:], wrong[np.argsort(-confidence[wrong], kind="stable")], strict=False):
            axes.imshow(255 - images[index], cmap="gray", vmin=0, vmax=255)
            label, read = evaluation.groups[evaluation.labels[index]], evaluation.groups[predicted[index]]
            axes.set_title(f"{label} read as {read}, {confidence[index]:.0%}", fontsize=7)
    return figure


def _errors(evaluation: Evaluation, images: NDArray[np.uint8]) -> Figure:
    """Draws what a person would call wrong: the errors between characters that don't look alike, the surest first."""
    families = np.array([look_alikes_of(group[0]) for group in evaluation.groups])
    predicted, confidence = evaluation.probs.argmax(axis=1), evaluation.probs.max(axis=1)
    wrong = np.flatnonzero(families[evaluation.labels] != families[predicted])
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][: _ERROR_ROWS * _ERROR_COLUMNS]
    count = max(1, -(-len(shown) // _ERROR_COLUMNS))
    figure = Figure(figsize=(_ERROR_COLUMNS, 1.25 * count + 0.8), layout="constrained")
    figure.suptitle(
        f"{_title(evaluation)}\nErrors between characters that don't look alike: {len(wrong)}, the surest first. "
        "Number of the image, label → read as, confidence"
    )
    grid = figure.subplots(count, _ERROR_COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for axes, index in zip(grid.flat, shown, strict=False):
        axes.imshow(255 - images[index], cmap="gray", vmin=0, vmax=255)
        label, read = evaluation.groups[evaluation.labels[index]], evaluation.groups[predicted[index]]
        axes.set_title(f"{index}\n{label} → {read}, {confidence[index]:.0%}", fontsize=8)
    return figure


def _reliability(evaluation: Evaluation) -> Figure:
    figure = Figure(figsize=(6, 6.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    confidence = [part.confidence for part in evaluation.reliability]
    upper.plot([0, 1], [0, 1], color="tab:gray", linestyle="--", linewidth=1, label="as sure as right")
    upper.plot(confidence, [part.accuracy for part in evaluation.reliability], marker="o", label="measured")
    upper.set_title(f"{_title(evaluation)}\nexpected calibration error {evaluation.ece:.2%}", fontsize=10)
    upper.set_ylabel("accuracy")
    upper.legend(loc="upper left")
    upper.grid(alpha=0.3)
    lower.bar(confidence, [part.images for part in evaluation.reliability], width=0.04)
    lower.set_yscale("log")
    lower.set_ylabel("images")
    lower.set_xlabel("confidence")
    lower.grid(alpha=0.3)
    for axis in (upper.xaxis, upper.yaxis, lower.xaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    upper.set_xlim(0, 1.02)
    upper.set_ylim(0, 1.02)
    return figure

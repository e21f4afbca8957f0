"""Trains the recipes `reference` and `fast` one after the other on this machine, and compares time and accuracy.

    python benchmarks/training_speed.py data/emnist pool47 runs/speed

The last argument is a new folder for the two runs. The time is that of all epochs, each with its validation. The
question is whether `fast` ends with the accuracy that `reference` ends with, and after what part of its time.
"""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations

import typer
from rich.console import Console
from rich.table import Table

from penread.training import loop
from penread.training.recipes import RECIPES


class Lines:
    """Says how far a training is, a line an epoch."""

    def start(self, epoch: int, images: int) -> None:
        """Says nothing."""

    def step(self, images: int, loss: float, accuracy: float) -> None:
        """Says nothing."""

    def epoch(self, metrics: loop.EpochMetrics) -> None:
        """Says how far it is."""
        print(f"epoch {metrics.epoch}: {metrics.val_accuracy:.2%}, {metrics.duration_s} s", file=sys.stderr)


def main(data_dir: Path, split: str, out: Path) -> None:
    """Trains both recipes into folders below OUT and prints the table."""
    table = Table("recipe", "images seen", "time", "val accuracy", "val loss", title=f"{split}")
    times = {}
    for name in ("fast", "reference"):
        config = loop.configure(RECIPES[name], split, data_dir, seed=1)
        loop.start(config, out / name, data_dir)
        history = loop.run(out / name, data_dir, Lines())
        times[name] = sum(metrics.duration_s for metrics in history)
        seen = config.recipe.epochs * config.recipe.epoch_images
        last = history[-1]
        table.add_row(name, f"{seen:,}", f"{times[name]:.0f} s", f"{last.val_accuracy:.2%}", f"{last.val_loss:.4f}")
    Console().print(table)
    share = times["fast"] / times["reference"]
    Console().print(f"fast takes {share:.1%} of the time of reference, on {config.device} in {config.precision}")


if __name__ == "__main__":
    typer.run(main)

"""Runs a command that the documents show, with less to do: few repetitions, few drawings, an epoch of each recipe.

    python tests/docs/briefly.py penread train --recipe large --out runs/large
    python tests/docs/briefly.py benchmarks/latency.py

What is run is otherwise the command itself, with its arguments; only numbers in it are smaller.
"""

from __future__ import annotations

import functools
import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

ROOT = Path(__file__).parents[2]


def shorten_recipes(_: ModuleType | None = None) -> None:
    """An epoch of each recipe, and hundreds of drawings instead of thousands."""
    from penread.training import loop, recipes

    assert loop._PER_DRAWING > 2  # noqa: SLF001 - there is no option for it, and nobody else wants one
    loop._PER_DRAWING = 2  # noqa: SLF001 - as above
    for name, recipe in recipes.RECIPES.items():
        recipes.RECIPES[name] = replace(recipe, epochs=1, drawn_images=min(recipe.drawn_images, 100))


def shorten_segmentation(segmentation: ModuleType) -> None:
    """One page of a few layouts instead of twenty of each; tests/lines sets them all."""
    some = ("capitals", "touching", "one word", "specks")
    changed: Any = segmentation
    changed.LAYOUTS = {name: segmentation.LAYOUTS[name] for name in some}
    sys.argv.append("1")


def shorten_latency(latency: ModuleType) -> None:
    """One server instead of five, and each step a few times instead of hundreds of times."""
    median_ms = latency.median_ms
    changed: Any = latency
    changed.median_ms = lambda call, calls=500: median_ms(call, 1 if calls < 10 else 5)
    changed.start_to_answer_s = functools.cache(latency.start_to_answer_s)


#: What benchmarks are run briefly, and with which constants: fewer repetitions and examples.
FEWER: dict[str, dict[str, Any]] = {
    "images": {"_SIDES_PX": (100, 500), "_PENS": (0.02, 0.06)},
    "latency": {},
    "models": {"_ROUNDS": 2, "_CALLS": 5, "_BATCH": 32, "_SIDE": 96},
    "segmentation": {},
    "training_speed": {},
}
SHORTEN: dict[str, Callable[[ModuleType], None]] = {
    "latency": shorten_latency,
    "segmentation": shorten_segmentation,
    "training_speed": shorten_recipes,
}


def main() -> None:
    """Runs the command that the arguments are."""
    program = sys.argv[1]
    sys.argv = sys.argv[1:]
    if program == "penread":
        from penread import cli

        shorten_recipes()
        cli.main()
        return
    sys.path.insert(0, str(ROOT / "benchmarks"))
    name = Path(program).stem
    benchmark: Any = importlib.import_module(name)
    for constant, value in FEWER[name].items():
        assert hasattr(benchmark, constant), f"{program} has no {constant} any more."
        setattr(benchmark, constant, value)
    if name in SHORTEN:
        SHORTEN[name](benchmark)
    if hasattr(benchmark, "app"):
        benchmark.app()
    elif hasattr(benchmark, "typer"):
        benchmark.typer.run(benchmark.main)
    else:
        benchmark.main()


if __name__ == "__main__":
    main()

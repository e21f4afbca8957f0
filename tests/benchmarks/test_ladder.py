"""The benchmark that the documents don't run whole: it trains, goes on where it stopped, prints and draws."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from PIL import Image

from tests.conftest import ROOT

# Two steps instead of all, and few images: what is run is otherwise the benchmark itself.
_SCRIPT = """
import sys
sys.path.insert(0, "benchmarks")
import ladder
from dataclasses import replace
ladder.STEPS = {
    name: (change, replace(recipe, epochs=1, epoch_images=470))
    for name, (change, recipe) in list(ladder.STEPS.items())[:2]
}
ladder.typer.run(ladder.main)
"""


def test_two_steps_of_the_ladder(small_emnist: Path, tmp_path: Path) -> None:
    runs, picture = tmp_path / "runs", tmp_path / "ladder.png"
    arguments = [sys.executable, "-c", _SCRIPT, str(small_emnist), "pool47", str(runs), str(picture)]
    first = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "the reference, briefly" in first.stdout
    assert "Muon" in first.stdout
    assert "bundle reference" in first.stdout
    checkpoints = [path.stat().st_mtime_ns for path in sorted(runs.glob("*/checkpoint.pt"))]
    assert len(checkpoints) == 2
    with Image.open(picture) as drawn:
        assert drawn.width > 800
    # What is trained is kept, and finished runs can be added.
    arguments.append(str(runs / "1-reference"))
    again = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "run 1-reference" in again.stdout
    # A folder of another step is not taken for this one.
    changed = [*arguments[:2], _SCRIPT.replace("epoch_images=470", "epoch_images=94"), *arguments[3:]]
    refused = subprocess.run(changed, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "another recipe or split than the step has now" in refused.stderr
    assert [path.stat().st_mtime_ns for path in sorted(runs.glob("*/checkpoint.pt"))] == checkpoints

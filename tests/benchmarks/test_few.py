"""Benchmarks that take minutes, run on few examples: otherwise they are what the documents show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.made import drawn

_REJECTION = """
import sys
sys.path.insert(0, "benchmarks")
import rejection
rejection._PER_SET, rejection._PER_CLASS = 12, 4
rejection.main()
"""
_CONTEXT = """
import sys
sys.path.insert(0, "benchmarks")
import context
context.HANDS = 2
context.main()
"""


def run(script: str, *arguments: str) -> str:
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_ways_to_reject_are_compared(small_emnist: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "drawings").mkdir(parents=True)
    (data / "other").mkdir()
    (data / "emnist").symlink_to(small_emnist)
    for name, allowed in (
        ("chars74k_hnd", str.isalnum), ("omniglot_latin_mouse", str.islower), ("pendigits", str.isdigit),
    ):  # fmt: skip
        drawings = [{**each, "writer": f"{each['writer']} {n % 2}"} for n, each in enumerate(drawn() * 3)]
        kept = [drawing for drawing in drawings if allowed(drawing["label"])]
        (data / "drawings" / f"{name}.json").write_text(json.dumps(kept))
    upside_down = [[[[-x, -y] for x, y in stroke] for stroke in each["strokes"]] for each in drawn()]
    others = [{"label": "none", "writer": "tests", "strokes": strokes} for strokes in upside_down]
    (data / "other" / "scripts.json").write_text(json.dumps(others))
    for bundle in ("balanced", "reference"):
        told = run(_REJECTION, str(data), bundle)
        assert f"the head of {bundle}" in told
        for row in ("pendigits", "other scripts", "scribbles, as images", "pairs, two writers, touching"):
            assert row in told


def test_lines_are_read_with_and_without_context(small_emnist: Path) -> None:
    told = run(_CONTEXT, str(small_emnist))
    assert "lower-case words" in told
    assert "ece in context" in told

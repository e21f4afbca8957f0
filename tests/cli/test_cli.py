"""The command line: what it prints, how it ends, and what it says of bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import penread
from penread import Ink
from penread.bundle import Bundle
from penread.cli import main
from penread.training.data import load
from tests.conftest import PENREAD, STROKES_L


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PENREAD, *map(str, arguments)], capture_output=True, text=True, timeout=120, cwd=cwd, check=False
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with an L as image and as ink, an empty image, and two files that are neither."""
    glyph = Image.fromarray(255 - Ink(STROKES_L).glyph()).resize((140, 140))
    glyph.save(tmp_path / "l.png")
    (tmp_path / "l.json").write_text(json.dumps({"strokes": STROKES_L}))
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "wrong.json").write_text('{"strokes": 5}')
    return tmp_path


def test_version_and_help() -> None:
    assert run("--version").stdout.strip() == penread.__version__
    assert run().returncode != 0
    told = run("--help").stdout
    for command in ("serve", "site", "runtime", "predict", "read", "train", "evaluate", "export", "data", "models"):
        assert command in told
        assert run(command, "--help").returncode == 0


def test_predict_prints_a_line_a_file(files: Path) -> None:
    ended = run("predict", "l.png", "l.json", "blank.png", cwd=files)
    assert ended.returncode == 0
    lines = [line.split("\t") for line in ended.stdout.splitlines()]
    assert [(line[0], line[1]) for line in lines] == [("l.png", "L"), ("l.json", "L"), ("blank.png", "blank")]
    assert lines[0][2].startswith("L ")


def test_predict_gives_json_lines(files: Path) -> None:
    ended = run("predict", "l.json", "blank.png", "--json", "--top-k", "2", "--charset", "lower", cwd=files)
    first, second = (json.loads(line) for line in ended.stdout.splitlines())
    assert (first["file"], first["char"], len(first["candidates"])) == ("l.json", "l", 2)
    assert second == {
        "file": "blank.png", "char": None, "confidence": 0.0, "candidates": [], "rejected": "blank", "reason": "empty",
    }  # fmt: skip


def test_predict_tells_why_it_rejects_and_rejects_as_asked(files: Path) -> None:
    (files / "lt.json").write_text(json.dumps({"strokes": [*STROKES_L, [[60, 0], [90, 0]], [[75, 0], [75, 40]]]}))
    [line] = run("predict", "lt.json", cwd=files).stdout.splitlines()
    assert line.split("\t")[1] == "unclear: several"
    [line] = run("predict", "lt.json", "--unclear-above", "1", cwd=files).stdout.splitlines()
    assert len(line.split("\t")[1]) == 1
    [line] = run("predict", "lt.json", "--json", cwd=files).stdout.splitlines()
    told = json.loads(line)
    assert (told["char"], told["rejected"], told["reason"]) == (None, "unclear", "several")
    assert run("predict", "lt.json", "--unclear-above", "2", cwd=files).returncode == 2


def test_a_broken_file_is_told_and_stops_nothing(files: Path) -> None:
    ended = run("predict", "text.png", "wrong.json", "missing.png", "missing.json", "l.png", cwd=files)
    assert ended.returncode == 1
    assert ended.stdout.startswith("l.png\tL")
    errors = ended.stderr.splitlines()
    assert [error.split(":")[1].strip() for error in errors] == [
        "text.png", "wrong.json", "missing.png", "missing.json",
    ]  # fmt: skip
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "x.png", "--charset", "?"], "no class for '?'"),
        (["predict", "x.png", "--bundle", "nothing"], 'no bundle "nothing"'),
        (["evaluate", "--data-dir", "nowhere"], "penread data fetch nowhere"),
        (["train", "--out", "run", "--recipe", "secret"], "one of reference"),
        (["train", "--out", "run", "--recipe", "best"], "give a finished run to --teacher"),
        (["train", "--out", "run", "--teacher", "run"], "has no teacher: leave out --teacher"),
        (["train", "--out", "run", "--recipe", "best", "--teacher", "x"], "x is no run folder"),
        (["train", "--out", "run", "--data-dir", "nowhere"], "penread data fetch nowhere"),
        (["train", "--out", "run", "--resume"], "run is no run folder"),
        (["export", "run", "--out", "bundle"], "run is no run folder"),
        (["data", "verify", "nowhere"], "no EMNIST files"),
        (["data", "show", "--out", "x.png", "--split", "latin"], 'no split "latin"'),
        (["data", "show", "--out", "x.png", "--subset", "all"], "train, val or test"),
    ],
)
def test_errors_are_one_line_and_say_what_to_do(tmp_path: Path, arguments: list[str], message: str) -> None:
    ended = run(*arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert message in ended.stderr
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr


def test_data_show_draws_a_sheet(small_emnist: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "new" / "sheet.png"
    ended = run("data", "show", "--split", "pool47", "--data-dir", small_emnist, "--out", sheet, "--per-class", "4")
    assert ended.returncode == 0, ended.stderr
    with Image.open(sheet) as picture:
        assert picture.format == "PNG"
        assert picture.height > 24 * 56
        assert picture.getextrema() == (0, 255)


def test_data_verify_tells_good_from_bad(small_emnist: Path, tmp_path: Path) -> None:
    ended = run("data", "verify", small_emnist)
    assert ended.returncode == 0
    assert "pool47" in ended.stdout
    assert "1,880" in ended.stdout
    for path in small_emnist.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[: None if "test-labels" not in path.name else 50])
    ended = run("data", "verify", tmp_path)
    assert ended.returncode == 1
    assert "damaged" in ended.stdout


def test_evaluate_gives_the_accuracy_without_listed_images_too(
    small_emnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "wrong.csv"
    arguments = ("evaluate", "--split", "pool47", "--data-dir", small_emnist, "--leave-out", listed)

    def refused() -> str:
        """What it says of a wrong list. In this process: a new one takes seconds to load torch, for each of them."""
        monkeypatch.setattr(sys, "argv", ["penread", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    test = load(small_emnist, "pool47", "test")
    chars = [test.chars[label] for label in test.labels]
    listed.write_text(f"index,label\n0,{chars[0]}\n1,{chars[1]}\n5,{chars[5]}\n5,{chars[5]}\n")
    said = run(*arguments, cwd=tmp_path).stdout
    assert "│ images                     │ 470" in said
    assert "Without the 3 images of" in said
    for content, message in (
        ("index\n470\n", "by number, 0 to 469"),
        ("index\n-1\n", "by number, 0 to 469"),
        ("number\n1\n", "no column index"),
        ("index\nfirst\n", "no column index"),
        ("index\n", "by number, 0 to 469"),
        ("label,index\n?,7\n", f"image 7 of the pool47 test is labelled {chars[7]}, not ?"),
        ("index\n" + "\n".join(map(str, range(470))), "nothing is left"),
    ):
        listed.write_text(content)
        assert message in refused()
    listed.unlink()
    assert "wrong.csv: No such file" in refused()


def test_models_list_shows_what_ships() -> None:
    listed = run("models", "list").stdout
    for bundle in ("balanced", "reference"):
        info = Bundle.load(bundle).info
        assert info.measured
        [line] = [line for line in listed.splitlines() if line.split()[:2] == [bundle, info.version]]
        for told in (f"{info.measured.accuracy:.2%}", "pool47", f"{info.parameters:,}", info.precision):
            assert told in line
    assert "default: balanced" in listed
    assert max(map(len, listed.splitlines())) <= 80

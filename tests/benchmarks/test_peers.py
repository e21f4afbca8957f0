"""The comparison with other readers: its pictures, its search and its counting, with penread itself and readers that
answer without looking in the peers' places. Nothing of the peers is installed for the tests.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.made import drawn

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCRIPT = """
import sys
sys.path.insert(0, "benchmarks")
import peers
def saying(text):
    return peers.Kind(lambda option: lambda picture, charset: text)
peers.READERS["says o"] = saying("o")
peers.READERS["says a bar"] = saying("| \\u5341")
peers.READERS["says the charset"] = peers.Kind(lambda option: lambda picture, charset: charset, keeps_charset=True)
for missing in ("tesserocr", "rapidocr", "ddddocr"):
    sys.modules[missing] = None
peers.app()
"""

# The library that thins glyphs comes with the peers: here the pen goes all over the ink instead.
_FEW = """
def inked(glyph):
    return [peers.np.array([[column, row]], float) for row, column in zip(*peers.np.nonzero(glyph > 200))]
peers.SIDES_PX, peers.MARGINS, peers.PENS, peers.thinned = (2, 48), (0.3,), (0.08,), inked
peers.app()
"""


@pytest.fixture(scope="module")
def peers() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "benchmarks")
        yield importlib.import_module("peers")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _SCRIPT, *arguments]
    env = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=env)


def rows_of(told: str) -> dict[tuple[str, str], list[str]]:
    """The cells of the table's rows, by set and reader."""
    rows, title = {}, ""
    for line in told.splitlines():
        cells = [cell.strip() for cell in re.split("[│┃]", line)][1:-1]
        if len(cells) == 10 and cells[-1].replace(".", "").isdigit():
            title = cells[0] or title
            rows[title, cells[3]] = cells[4:]
    return rows


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory, peers: Any) -> Path:
    """Drawings of letters; of digits, half of them 0; and all as pictures, light on dark, with a table."""
    folder = tmp_path_factory.mktemp("sets")
    (folder / "seen").mkdir()
    drawings = drawn()
    (folder / "letters.json").write_text(json.dumps([each for each in drawings if each["label"] in "ABEHKMRTWX"]))
    turns = np.linspace(0, 2 * np.pi, 40)
    zero = [[[float(30 * np.cos(turn)), float(50 * np.sin(turn))] for turn in turns]]
    digits = [each for each in drawings if each["label"] in "37"] + [{"label": "0", "strokes": zero}] * 2
    (folder / "digits.json").write_text(json.dumps(digits))
    with (folder / "seen" / "labels.csv").open("w", newline="") as lines:
        table = csv.writer(lines)
        table.writerow(["file", "label"])
        for each in drawings:
            strokes = [np.array(stroke, np.float64) for stroke in each["strokes"]]
            picture = peers.drawn(strokes, peers.Settings(90, 0.5, 0.08))
            Image.eval(picture, lambda level: 255 - level).save(folder / "seen" / f"{ord(each['label'])}.png")
            table.writerow([f"{ord(each['label'])}.png", each["label"]])
    return folder


def test_readers_are_counted_alike(sets: Path, tmp_path: Path) -> None:
    chart = tmp_path / "new" / "chart.png"
    named = [f"--reader={name}" for name in ("penread", "says o", "says a bar", "says the charset")]
    files = [str(sets / "letters.json"), f"{sets / 'digits.json'}=digits", str(sets / "seen" / "labels.csv")]
    told = run("compare", *files, *named, "--chart", str(chart))
    assert told.returncode == 0, told.stderr
    rows = rows_of(told.stdout)
    # penread reads strokes and pictures, the ones of other readers, too.
    for title, reader in (("letters", "penread"), ("letters", "penread, strokes"), ("digits", "penread, strokes")):
        charset, right, alike, none, _, _ = rows[title, reader]
        assert (charset, right, alike, none) == ("yes", "100.0%", "100.0%", "0.0%")
    assert rows["letters", "says o"][4] == "100.0%"
    assert float(rows["seen", "penread"][1].rstrip("%")) > 80
    assert ("seen", "penread, strokes") not in rows
    # An o is no 0, but looks like it; what is no letter or digit is no answer; of several characters the first counts.
    assert rows["digits", "says o"][:4] == ["no", "0.0%", "50.0%", "0.0%"]
    assert rows["digits", "says a bar"][:4] == ["no", "0.0%", "0.0%", "100.0%"]
    assert rows["digits", "says the charset"][:4] == ["yes", "50.0%", "50.0%", "0.0%"]
    assert rows["letters", "says the charset"][1] == "0.0%"
    with Image.open(chart) as picture:
        assert picture.width > 600
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_a_reader_that_is_not_there(sets: Path, peers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for reader, module in (("tesseract", "tesserocr"), ("rapidocr, pipeline", "rapidocr"), ("ddddocr", "ddddocr")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(SystemExit, match=f"{module} can't be imported .* benchmarks/peers_requirements.txt"):
            peers.READERS[reader].make(peers.READERS[reader].options[0])
    told = run("compare", str(sets / "letters.json"), "--reader=tesseract")
    assert told.returncode == 1
    assert told.stderr.startswith("tesserocr can't be imported")
    told = run("compare", str(sets / "letters.json"), "--reader=nobody")
    assert told.returncode == 1
    assert "'nobody'" in told.stderr
    assert "rapidocr, recognition" in told.stderr


def test_files_that_cannot_be_read(tmp_path: Path, peers: Any) -> None:
    (tmp_path / "labels.csv").write_text("name,label\na.png,A\n")
    (tmp_path / "broken.json").write_text("[{")
    for name in ("none.json", "none.csv", "labels.csv", "broken.json"):
        with pytest.raises(SystemExit, match=f"{name} can't be read.* the columns file and label"):
            peers.load_examples(tmp_path / name)
    (tmp_path / "strange.json").write_text('[{"label": "é", "strokes": [[[0, 0]]]}]')
    with pytest.raises(SystemExit, match=r"strange\.json .*'é'"):
        peers.load_examples(tmp_path / "strange.json")
    (tmp_path / "empty.json").write_text("[]")
    with pytest.raises(SystemExit, match="has no characters"):
        peers.load_examples(tmp_path / "empty.json")


def test_settings_are_chosen_on_validation(small_emnist: Path) -> None:
    script = _SCRIPT.replace("peers.app()", _FEW)
    command = [sys.executable, "-c", script, "choose", str(small_emnist), "--reader=penread"]
    told = subprocess.run([*command, "--per-class=1"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    best = [float(share) for share in re.findall(r"penread: ([\d.]+)% of 47", told.stderr)]
    assert len(best) == 2
    assert min(best) > 50
    # At two pixels nothing can be read, so that can't be the best.
    for name, pen in (("DRAWN", r"0\.(1|08)"), ("FOUND", r"0\.0")):
        chosen = rf'{name}: [^{{]*{{\n    "penread": Settings\((64|48|None), 0\.3, {pen}, ""\),'
        assert re.search(chosen, told.stdout), told.stdout


def test_the_search_finds_the_best_settings(peers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = (48 + 2 * 15, "second")

    def make(option: str) -> Any:
        def read(picture: Image.Image, charset: str) -> str:
            return "I" if (picture.height, option) == wanted else charset[0]

        return read

    monkeypatch.setitem(peers.READERS, "picky", peers.Kind(make, ("first", "second")))
    bars = [peers.Example("i", strokes=[np.array([[0.0, 0.0], [0.0, 9.0]])])] * 3
    start = peers.Settings(48, 0.1, 0.1)
    axes = {"side_px": (24, 48, 96), "margin": (0.1, 0.3125, 0.6)}
    found = peers.search("picky", bars, peers.Settings(48, 0.3125, 0.1), axes)
    assert (found.side_px, found.margin, found.option) == (48, 0.3125, "second")
    # Where nothing is better than what it begins with, it stays there.
    wanted = (0, "never")
    assert peers.search("picky", bars, start, axes) == peers.replace(start, option="first")


@pytest.mark.parametrize(
    ("text", "answer"),
    [("A\n", "A"), (" 7b", "7"), ("|l", "l"), ("Ｂ", "B"), ("十", ""), ("", ""), ("é", ""), ("·x", "x")],
)
def test_answers(peers: Any, text: str, answer: str) -> None:
    assert peers.answer_of(text) == answer


def test_what_is_right(peers: Any) -> None:
    for label, answer, right, alike in (
        ("A", "a", True, True), ("0", "o", False, True), ("l", "1", False, True), ("q", "9", False, True),
        ("A", "B", False, False), ("A", "", False, False), ("6", "8", False, False),
    ):  # fmt: skip
        assert peers.is_right(label, answer) is right
        assert peers.is_right(label, answer, look_alikes=True) is alike


def test_drawn_pictures_have_the_sizes_asked_for(peers: Any) -> None:
    strokes = [np.array([[3.0, 5.0], [3.0, 105.0], [53.0, 105.0]])]
    for side, margin, pen in ((32, 0.25, 0.125), (96, 0.5, 0.05), (160, 0.05, 0.1)):
        picture = peers.drawn(strokes, peers.Settings(side, margin, pen))
        assert picture.mode == "L"
        dark = np.asarray(picture) < 128
        rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
        assert abs(np.ptp(rows) + 1 - side) <= 1.5
        assert abs(rows[0] - margin * side) <= 1.5
        assert abs(picture.height - (1 + 2 * margin) * side) <= 1.5
        assert abs(columns[0] - margin * side) <= 1.5
        assert abs(int(dark[picture.height // 2].sum()) - pen * side) <= 1.5


def test_found_pictures_are_cut_out_dark_on_light(peers: Any) -> None:
    levels = np.full((100, 140, 3), 30, np.uint8)
    levels[20:70, 90:100] = (240, 240, 200)
    found = Image.fromarray(levels)
    picture = peers.prepared(found, peers.Settings(48, 0.25, 0))
    assert picture.size == (24 + 10, 48 + 24)
    shown = np.asarray(picture)
    assert shown[0, 0] > 200
    assert shown[36, 17] < 60
    assert peers.prepared(found, peers.Settings(None, 0.25, 0)) is found
    # Nothing to cut out is shown, not refused.
    assert peers.prepared(Image.new("L", (30, 30), 255), peers.Settings()).size[0] > 0


def test_examples_are_picked_evenly(peers: Any) -> None:
    examples = [peers.Example("A")] * 50 + [peers.Example("B")] * 5 + [peers.Example("C")] * 2
    picked = [each.label for each in peers.evenly(examples, 12)]
    assert (picked.count("A"), picked.count("B"), picked.count("C")) == (5, 5, 2)
    assert len(peers.evenly(examples, 0)) == 57

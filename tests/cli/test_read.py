"""``penread read``: pages in, text, JSON Lines or CSV out, whatever breaks on the way."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from penread.results import CSV_COLUMNS
from tests.cli.test_cli import run
from tests.conftest import PENREAD
from tests.documents.written import locked_pdf, page_of, save_pages, strokes_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a page, a scan of three, a page of ink, an empty page, and two files that are none."""
    page_of("HEAT MEN", "377 WET").save(tmp_path / "page.png")
    save_pages(tmp_path / "scan.pdf", page_of("HEAT"), page_of(), page_of("MEN"))
    (tmp_path / "ink.json").write_text(json.dumps({"strokes": strokes_of("TEN", "377")}))
    page_of().save(tmp_path / "blank.png")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "locked.pdf").write_bytes(locked_pdf())
    return tmp_path


def test_a_page_is_text(files: Path) -> None:
    ended = run("read", "page.png", cwd=files)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "HEAT MEN\n377 WET\n", "")
    assert run("read", "blank.png", cwd=files).stdout == ""


def test_of_several_pages_each_is_named_and_a_broken_file_stops_nothing(files: Path) -> None:
    ended = run("read", "scan.pdf", "text.png", "locked.pdf", "missing.png", "ink.json", cwd=files)
    assert ended.returncode == 1
    assert ended.stdout == (
        "==> scan.pdf, page 1 <==\nHEAT\n\n==> scan.pdf, page 2 <==\n\n==> scan.pdf, page 3 <==\nMEN\n"
        "\n==> ink.json, page 1 <==\nTEN\n377\n"
    )
    assert [error.split(": ")[:2] for error in ended.stderr.splitlines()] == [
        ["error", "text.png"], ["error", "locked.pdf"], ["error", "missing.png"],
    ]  # fmt: skip
    assert "Traceback" not in ended.stderr


def test_a_page_that_is_damaged_is_named(files: Path) -> None:
    whole = (files / "scan.pdf").read_bytes()
    first = whole.index(b"/Type /Page\n")
    (files / "scan.pdf").write_bytes(whole[:first] + b"/Type /Nope" + whole[first + 11 :])
    ended = run("read", "scan.pdf", cwd=files)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: scan.pdf, page 1: The page is damaged")
    assert ended.stdout.endswith("==> scan.pdf, page 3 <==\nMEN\n")


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    for number, text in ((10, "TEN"), (2, "WET")):
        page_of(text).save(tmp_path / "scans" / f"{number}.png")
    ended = run("read", "scans", "--format", "jsonl", cwd=tmp_path)
    assert [json.loads(line)["text"] for line in ended.stdout.splitlines()] == ["WET", "TEN"]


def test_json_lines(files: Path) -> None:
    ended = run("read", "page.png", "blank.png", "--format", "jsonl", "--top-k", "2", cwd=files)
    page, blank = (json.loads(line) for line in ended.stdout.splitlines())
    assert (page["file"], page["page"], page["width"], page["height"]) == ("page.png", 1, 1240, 1754)
    assert page["text"] == "HEAT MEN\n377 WET"
    assert [line["text"] for line in page["lines"]] == ["HEAT MEN", "377 WET"]
    first, *_, last = page["lines"][1]["characters"]
    assert (first["char"], last["char"], first["rejected"], len(first["candidates"])) == ("3", "T", None, 2)
    # 3 was written 150 from the edge and 310 from the top, with a pen 9 wide.
    assert abs(first["box"]["left"] - 150) < 12
    assert abs(first["box"]["top"] - 310) < 12
    assert (blank["text"], blank["lines"]) == ("", [])


def test_the_name_of_out_tells_the_format(files: Path) -> None:
    ended = run("read", "scan.pdf", "ink.json", "--out", "new/results.csv", cwd=files)
    assert (ended.returncode, ended.stdout) == (0, "")
    rows = list(csv.reader((files / "new" / "results.csv").read_text().splitlines()))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert [row[:5] for row in rows[1:]] == [
        ["scan.pdf", "1", "1", "1", "HEAT"],
        ["scan.pdf", "2", "0", "", ""],
        ["scan.pdf", "3", "1", "1", "MEN"],
        ["ink.json", "1", "2", "1", "TEN"],
        ["ink.json", "1", "2", "2", "377"],
    ]
    assert run("read", "page.png", "--out", "page.txt", cwd=files).returncode == 0
    assert (files / "page.txt").read_text() == "HEAT MEN\n377 WET\n"


def test_charsets_for_all_lines_and_for_each(files: Path) -> None:
    def texts(*options: str) -> list[str]:
        return run("read", "ink.json", *options, cwd=files).stdout.splitlines()

    assert texts("--charset", "upper", "--charset", "digits") == ["TEN", "377"]
    assert texts("--charset", "lower", "--charset", "")[1] == "377"
    only_digits = texts("--charset", "digits", "--unclear-above", "1")
    assert only_digits[1] == "377"
    assert all(char in "0123456789 " for char in only_digits[0])
    ended = run("read", "ink.json", *["--charset", "digits"] * 3, cwd=files)
    assert ended.returncode == 1
    assert "3 charsets for 2 lines" in ended.stderr


def test_without_context_characters_are_read_by_themselves(tmp_path: Path) -> None:
    """A ring alone is 0 or O whatever is around it; in a word of letters it is O."""
    ring = [[[100 + x, y] for x, y in stroke] for stroke in [[[30, 0], [8, 20], [0, 50], [8, 80], [30, 100], [52, 80],
             [60, 50], [52, 20], [30, 0]]]]  # fmt: skip
    strokes = [*strokes_of("T"), *ring, *[[[x + 180, y] for x, y in stroke] for stroke in strokes_of("WN")]]
    (tmp_path / "ink.json").write_text(json.dumps({"strokes": strokes}))
    with_context, without = (
        json.loads(run("read", "ink.json", "--format", "jsonl", *option, cwd=tmp_path).stdout)["lines"][0]["characters"]
        for option in ([], ["--no-context"])
    )
    assert "".join(each["char"] for each in with_context) == "TOWN"
    as_letter = [
        next(each["confidence"] for each in read[1]["candidates"] if each["char"] == "O")
        for read in (with_context, without)
    ]
    assert as_letter[0] > as_letter[1]


def test_overlays(files: Path) -> None:
    assert run("read", "page.png", "--overlay", "seen/page.png", cwd=files).returncode == 0
    with Image.open(files / "seen" / "page.png") as drawn, Image.open(files / "page.png") as page:
        assert drawn.size == page.size
        assert drawn.getcolors(100_000) != page.convert("RGB").getcolors(100_000)
    (files / "other").mkdir()
    page_of("TEN").save(files / "other" / "page.png")
    ended = run("read", "scan.pdf", "page.png", "other", "text.png", "--overlay", "all", cwd=files)
    assert ended.returncode == 1
    assert sorted(path.name for path in (files / "all").iterdir()) == [
        "1-scan.pdf-1.png", "1-scan.pdf-2.png", "1-scan.pdf-3.png", "2-page.png.png", "3-page.png.png",
    ]  # fmt: skip


def test_an_overlay_takes_the_place_of_no_other_file(files: Path) -> None:
    """Least of all of the page itself, whatever name it goes by."""
    (files / "seen").mkdir()
    for name in ("seen/scan.pdf-2.png", "seen/mine.png"):
        (files / name).write_bytes(b"mine")
    (files / "link.png").symlink_to("page.png")
    page_of("TEN").save(files / "page.png.png")
    resuming = ["--resume", "--out", "results.csv"]
    before = {path: path.read_bytes() for path in files.rglob("*") if path.is_file()}
    for arguments, message in (
        (["page.png", "--overlay", "page.png"], "page.png is itself one of the files to read"),
        (["page.png", "--overlay", "./seen/../page.png", *resuming], "is itself one of the files to read"),
        (["link.png", "--overlay", "page.png", *resuming], "page.png is itself one of the files to read"),
        (["page.png", "page.png.png", "--overlay", ".", *resuming], "page.png.png is itself one of the files to read"),
        (["page.png", "--overlay", "seen/mine.png"], "mine.png exists"),
        (["page.png", "--overlay", "text.png"], "text.png exists"),
        (["scan.pdf", "page.png", "--overlay", "seen"], "scan.pdf-2.png exists"),
        (["scan.pdf", "--overlay", "locked"], "locked is no folder"),
    ):
        (files / "locked").write_text("a file")
        ended = run("read", *arguments, cwd=files)
        assert (ended.returncode, ended.stdout) == (1, ""), arguments
        assert ended.stderr.startswith("error: "), arguments
        assert message in ended.stderr, arguments
    assert {path: path.read_bytes() for path in before} == before
    # A folder may have other files; and a reading that goes on draws its pictures anew.
    assert run("read", "page.png", "--overlay", "seen", cwd=files).returncode == 0
    assert run("read", "scan.pdf", "--overlay", "seen", *resuming, cwd=files).returncode == 0
    with Image.open(files / "seen" / "scan.pdf-2.png") as drawn:
        drawn.load()
    assert sorted(path.name for path in (files / "seen").iterdir()) == [
        "mine.png", "page.png.png", "scan.pdf-1.png", "scan.pdf-2.png", "scan.pdf-3.png",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_page_with_other_lines_than_charsets_is_told_and_can_be_read_later(files: Path, form: str) -> None:
    save_pages(files / "forms.tif", page_of("HEAT", "377"), page_of("MEN"), page_of("WET", "737"))
    arguments = ["read", "forms.tif", "--out", f"forms.{form}"]
    ended = run(*arguments, "--charset", "upper", "--charset", "digits", cwd=files)
    assert ended.returncode == 1
    assert ended.stderr == (
        "error: forms.tif, page 2: 2 charsets for 1 line: give one for all lines, or one for each.\n"
    )

    def read() -> list[tuple[str, str]]:
        text = (files / f"forms.{form}").read_text()
        if form == "jsonl":
            pages = [json.loads(line) for line in text.splitlines()]
            return [(str(page["page"]), line["text"]) for page in pages for line in page["lines"]]
        return [(row[1], row[4]) for row in list(csv.reader(text.splitlines()))[1:]]

    others = [("1", "HEAT"), ("1", "377"), ("3", "WET"), ("3", "737")]
    assert read() == others
    assert run(*arguments, "--resume", "--charset", "upper", cwd=files).returncode == 0
    assert read() == [*others, ("2", "MEN")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["page.png", "--charset", "?"], "no class for '?'"),
        (["page.png", "--bundle", "nothing"], 'no bundle "nothing"'),
        (["page.png", "--resume"], "--resume goes on with a file of JSON Lines or CSV"),
        (["page.png", "--resume", "--out", "page.txt"], "--resume goes on with a file of JSON Lines or CSV"),
        (["page.png", "--out", "text.png"], "text.png exists: go on with it by --resume"),
        (["page.png", "--resume", "--out", "text.png", "--format", "csv"], "nothing is added to it"),
        (["page.png", "blank.png", "--overlay", "x.png"], "several pages: give --overlay a folder"),
        (["scan.pdf", "--overlay", "x.png"], "several pages: give --overlay a folder"),
        (["page.png", "--overlay", "x.jpg"], "pictures are written as PNG"),
        (["empty"], "a folder without images or PDFs"),
    ],
)
def test_what_cannot_be_done_is_told_at_once(files: Path, arguments: list[str], message: str) -> None:
    (files / "empty").mkdir()
    ended = run("read", *arguments, cwd=files)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert message in ended.stderr
    assert ended.stderr.startswith("error: ")
    assert "Traceback" not in ended.stderr
    assert (files / "text.png").read_text() == "no image"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scan of 24 small pages, and what they are read as in each format."""
    folder = tmp_path_factory.mktemp("many")
    pages = [page_of(text, size=(600, 220), corner=50) for text in ("HEAT", "MEN", "", "WET 377")]
    save_pages(folder / "scan.tif", *pages * 6)
    for name in ("whole.jsonl", "whole.csv"):
        assert run("read", "scan.tif", "--out", name, cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize(
    ("how", "form"),
    [(signal.SIGKILL, "jsonl"), (signal.SIGKILL, "csv"), (signal.SIGTERM, "csv"), (signal.SIGINT, "jsonl")],
)
def test_what_was_stopped_goes_on_where_it_was(many: Path, form: str, how: signal.Signals) -> None:
    whole = (many / f"whole.{form}").read_bytes()
    out = many / f"{how.name}.{form}"
    command = [PENREAD, "read", "scan.tif", "--out", out.name]
    with subprocess.Popen(command, cwd=many, stderr=subprocess.PIPE, text=True) as process:
        while not (out.exists() and out.read_bytes().count(b"\n") >= 4):
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(how)
        assert process.stderr
        said = process.stderr.read()
    stopped = out.read_bytes()
    assert whole.startswith(stopped)
    assert 0 < len(stopped) < len(whole)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert said == "Stopped. What was read until now is written.\n"
    # And a torn line, as a killed program or a full disk may leave it.
    out.write_bytes(whole[: len(stopped) + 20])
    # The second time there is nothing left to do.
    for _ in range(2):
        ended = run(*command[1:], "--resume", cwd=many)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert out.read_bytes() == whole


def test_the_progress_bar_leaves_the_results_alone(files: Path) -> None:
    """With standard error on a terminal there is a bar; what is piped on is what it was."""
    terminal, inside = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    command = [PENREAD, "read", "page.png", "scan.pdf"]
    with subprocess.Popen(command, cwd=files, stdout=subprocess.PIPE, stderr=inside, env=env) as process:
        os.close(inside)
        shown = ""
        # A terminal that nobody is at any more gives an error in place of an end.
        with contextlib.suppress(OSError):
            while part := os.read(terminal, 4096):
                shown += part.decode()
        os.close(terminal)
        assert process.stdout
        piped = process.stdout.read().decode()
    assert "page.png" in shown
    assert "4 pages read" in shown
    assert "HEAT" not in shown
    assert piped == run("read", "page.png", "scan.pdf", cwd=files).stdout

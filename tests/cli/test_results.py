"""Files of results that were cut off anywhere: nothing is lost but the torn page, and no other file is touched."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from penread import Box, Candidate, Character, InputError, Reading, TextLine
from penread.bundle import Bundle
from penread.results import CSV_COLUMNS, Results, resume

if TYPE_CHECKING:
    from pathlib import Path

    from penread.results import Format


def line_of(text: str, top: float) -> TextLine:
    characters = [
        Character(
            char, 0.5 + at / 100, [Candidate(char, 0.5), Candidate("x", 0.1)], None, box=Box(at, top, at + 1, top + 9)
        )
        for at, char in enumerate(text.replace(" ", ""))
    ]
    return TextLine(text, Box(0, top, len(text), top + 9), characters)


def rejected(top: float) -> TextLine:
    box = Box(0.25, top, 5, top + 9)
    return TextLine("\ufffd", box, [Character(None, 0.01, [Candidate("é", 0.9)], "unclear", "several", box=box)])


PAGES: list[tuple[str, int, Reading]] = [
    ("a.pdf", 1, Reading([line_of("HEAT MEN", 0), rejected(20), line_of("3", 40)], 100, 200)),
    ("a.pdf", 2, Reading([], 100, 200)),
    ('b "quoted", and\nbroken.png', 1, Reading([line_of("A", 0), line_of("B", 20)], 100.5, 200)),
    ("b\udcff.png", 1, Reading([line_of("K", 0)], 100, 200)),
    ("é.json", 1, Reading([line_of("W", -5), line_of("X", 5)], 10, 10)),
]
MODEL = Bundle.load().info


def content_after(form: Format) -> list[bytes]:
    """What a file holds after each page, and before the first."""
    out = io.BytesIO()
    results = Results(out, form, MODEL)
    contents = [out.getvalue()]
    for file, page, reading in PAGES:
        results.add(file, page, reading, headed=True)
        contents.append(out.getvalue())
    return contents


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_file_cut_anywhere_is_gone_on_with(form: Format, tmp_path: Path) -> None:
    contents = content_after(form)
    whole = contents[-1]
    file = tmp_path / "results"
    # Everywhere around the ends of lines, and here and there within them.
    ends = {at + off for at in [0, *(at for at, byte in enumerate(whole) if byte == 10)] for off in range(-2, 4)}
    for end in sorted(ends.union(range(0, len(whole) + 1, 13)) & set(range(len(whole) + 1))):
        file.write_bytes(whole[:end])
        done = resume(file, form)
        pages = max((count for count, content in enumerate(contents) if len(content) <= end), default=0)
        assert done == {(name, page) for name, page, _ in PAGES[:pages]}, end
        with file.open("ab") as out:
            results = Results(out, form, MODEL)
            for name, page, reading in PAGES[pages:]:
                results.add(name, page, reading, headed=True)
        assert file.read_bytes() == whole, end


def test_csv_has_a_row_a_line() -> None:
    rows = list(csv.DictReader(io.StringIO(content_after("csv")[-1].decode("utf-8", "surrogateescape"))))
    assert [(row["file"], row["page"], row["lines"], row["line"], row["text"]) for row in rows[:5]] == [
        ("a.pdf", "1", "3", "1", "HEAT MEN"),
        ("a.pdf", "1", "3", "2", "\ufffd"),
        ("a.pdf", "1", "3", "3", "3"),
        ("a.pdf", "2", "0", "", ""),
        (PAGES[2][0], "1", "2", "1", "A"),
    ]
    assert [row["rejected"] for row in rows[:3]] == ["0", "1", "0"]
    # The least sure character's.
    assert [row["confidence"] for row in rows[:3]] == ["0.5000", "0.0100", "0.5000"]
    assert [rows[1][side] for side in ("left", "top", "right", "bottom")] == ["0.25", "20", "5", "29"]
    assert tuple(rows[0]) == CSV_COLUMNS


def test_json_lines_have_all_that_is_known() -> None:
    first = json.loads(content_after("jsonl")[1])
    assert first["text"] == "HEAT MEN\n\ufffd\n3"
    assert (first["file"], first["page"], first["width"], first["height"]) == ("a.pdf", 1, 100, 200)
    assert first["model"] == {"name": MODEL.name, "version": MODEL.version}
    assert first["lines"][1]["characters"] == [
        {
            "char": None, "confidence": 0.01, "candidates": [{"char": "é", "confidence": 0.9}],
            "rejected": "unclear", "reason": "several", "box": {"left": 0.25, "top": 20, "right": 5, "bottom": 29},
        }
    ]  # fmt: skip


def test_text_has_a_line_above_each_of_several_pages() -> None:
    assert content_after("text")[2].decode() == (
        "==> a.pdf, page 1 <==\nHEAT MEN\n\ufffd\n3\n\n==> a.pdf, page 2 <==\n"
    )


@pytest.mark.parametrize("form", ["jsonl", "csv"])
@pytest.mark.parametrize(
    "content",
    [
        b"shopping list",
        b"shopping list\n",
        b'{"name": 1}\n',
        b"[]\n",
        b"file,page\n",
        b"file,page,lines,line,text,confidence,rejected,left,top,right,bottom\na,b,c\n",
        b"file,page,lines,line,text,confidence,rejected,left,top,right,bottom\na,1\n",
        b'file,page,lines,line,text,confidence,rejected,left,top,right,bottom\n"a"b,1,1\nc,1,1\n',
        b"\x89PNG\r\n\x1a\n\0\0",
    ],
)
def test_a_file_of_others_is_left_alone(form: Format, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(content)
    with pytest.raises(InputError, match="nothing is added to it"):
        resume(tmp_path / "mine", form)
    assert (tmp_path / "mine").read_bytes() == content

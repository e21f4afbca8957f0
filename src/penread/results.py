"""Readings as they are printed or kept in a file: as text, as JSON Lines, as CSV; and where such a file left off.

A page is written in one piece, so a program that is killed leaves whole pages and at most one torn one at the end.
``resume`` cuts that off and tells which pages are there.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, BinaryIO, Literal

from penread.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from penread.bundle import ModelInfo
    from penread.prediction import Reading

#: ``"text"``: what was read. ``"jsonl"``: all that is known, a JSON object a page. ``"csv"``: a row a line of a page,
#: as one line of a form is one field.
Format = Literal["text", "jsonl", "csv"]

#: The columns of CSV. ``lines`` is how many the page has, ``line`` which of them this is, from 1; a page without ink
#: has one row, with 0 lines. ``confidence`` is that of the line's least sure character; ``rejected`` counts those that
#: stand as REPLACEMENT CHARACTER in the text.
CSV_COLUMNS = (
    "file", "page", "lines", "line", "text", "confidence", "rejected", "left", "top", "right", "bottom",
)  # fmt: skip
_JSONL_START = b'{"file": "'


class Results:
    """Writes readings to a file or to standard output, page by page.

    Args:
        out: Where to, in UTF-8: a file at its end, or a stream.
        form: How.
        model: What reads them; JSON Lines name it.
    """

    def __init__(self, out: BinaryIO, form: Format, model: ModelInfo) -> None:
        self._out = out
        self._form = form
        self._model = {"name": model.name, "version": model.version}
        self._is_first = True
        if form == "csv" and not (out.seekable() and out.tell()):
            self._write(_csv([CSV_COLUMNS]))

    def add(self, file: str, page: int, reading: Reading, *, headed: bool) -> None:
        """Writes a page.

        Args:
            file: The file it is from.
            page: Its number in the file, from 1.
            reading: What was read.
            headed: Whether text gets a line above it that names file and page.
        """
        if self._form == "jsonl":
            read = asdict(reading)
            told = {"file": file, "page": page, "text": reading.text, **read, "model": self._model}
            self._write(json.dumps(told, ensure_ascii=False) + "\n")
        elif self._form == "csv":
            self._write(_csv(_rows(file, page, reading)))
        else:
            above = f"{'' if self._is_first else chr(10)}==> {file}, page {page} <==\n" if headed else ""
            self._write(above + (reading.text + "\n" if reading.lines else ""))
        self._is_first = False

    def _write(self, text: str) -> None:
        # Names of files may have bytes that are no text: they come out as they are.
        self._out.write(text.encode("utf-8", "surrogateescape"))
        self._out.flush()


def resume(file: Path, form: Format) -> set[tuple[str, int]]:
    """Cuts a torn page off the end of a file of results, and tells which pages it has.

    Args:
        file: The file; none, or an empty one, has no pages.
        form: Its format, JSON Lines or CSV: text doesn't say of every page where it ends.

    Returns:
        File and page number of each.

    Raises:
        InputError: The file was not written by this program in this format.
    """
    if not file.exists():
        return set()
    with file.open("r+b") as content:
        done, whole_bytes = (_jsonl_pages if form == "jsonl" else _csv_pages)(file, content)
        content.truncate(whole_bytes)
    return done


def _jsonl_pages(file: Path, content: BinaryIO) -> tuple[set[tuple[str, int]], int]:
    done, whole_bytes = set(), 0
    for number, line in enumerate(content, 1):
        if not line.endswith(b"\n"):
            if not line.startswith(_JSONL_START[: len(line)]):
                raise _of_another(file, "JSON Lines", number)
            break
        try:
            told = json.loads(line.decode("utf-8", "surrogateescape"))
            done.add((str(told["file"]), int(told["page"])))
        except (ValueError, KeyError, TypeError) as error:
            raise _of_another(file, "JSON Lines", number) from error
        whole_bytes += len(line)
    return done, whole_bytes


def _csv_pages(file: Path, content: BinaryIO) -> tuple[set[tuple[str, int]], int]:
    done: set[tuple[str, int]] = set()
    header = _csv([CSV_COLUMNS]).encode()
    first = content.readline()
    if first != header:
        if not header.startswith(first):
            raise _of_another(file, "CSV", 1)
        return done, 0
    taken_bytes = whole_bytes = len(header)
    page, rows = ("", 0), 0
    at_end = False

    def lines() -> Iterator[str]:
        nonlocal taken_bytes, at_end
        for line in content:
            taken_bytes += len(line)
            if line.endswith(b"\n"):
                yield line.decode("utf-8", "surrogateescape")
        at_end = True

    reader = csv.reader(lines(), strict=True)
    try:
        for row in reader:
            told, expected = (row[0], int(row[1])), int(row[2])
            rows = rows + 1 if told == page else 1
            page = told
            if rows >= expected:
                done.add(page)
                whole_bytes, rows = taken_bytes, 0
    except (csv.Error, ValueError, IndexError) as error:
        # A name of a file may have line breaks, and so be torn within its quotation marks.
        if not at_end:
            raise _of_another(file, "CSV", reader.line_num + 1) from error
    return done, whole_bytes


def _of_another(file: Path, form: str, line: int) -> InputError:
    return InputError(
        f"{file} is no {form} that penread read wrote (line {line}): nothing is added to it. Give another --out."
    )


def _rows(file: str, page: int, reading: Reading) -> Iterator[tuple[object, ...]]:
    count = len(reading.lines)
    for number, line in enumerate(reading.lines, 1):
        box = line.box
        yield (
            file, page, count, number, line.text,
            f"{min((each.confidence for each in line.characters), default=0):.4f}",
            sum(each.rejected is not None for each in line.characters),
            *(f"{edge:.10g}" for edge in (box.left, box.top, box.right, box.bottom)),
        )  # fmt: skip
    if not count:
        yield (file, page, 0, *[""] * (len(CSV_COLUMNS) - 3))


def _csv(rows: Iterator[tuple[object, ...]] | list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()

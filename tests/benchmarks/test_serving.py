"""The benchmark of the server, run small: beside one peer, and under loads of a second or two."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.made import drawn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVING = ROOT / "benchmarks" / "serving"


@pytest.fixture(scope="module")
def file_of_drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawings") / "drawn.json"
    path.write_text(json.dumps(drawn()))
    return path


def ran(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SERVING / script), *arguments], capture_output=True, text=True)


def told(script: str, *arguments: str) -> str:
    done = ran(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells(table: str, row: str) -> list[list[str]]:
    """The cells of the rows whose first cell begins so."""
    rows = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in table.splitlines()]
    return [found for found in rows if found[0].startswith(row)]


def test_servers_are_measured_beside_each_other(file_of_drawings: Path, tmp_path: Path) -> None:
    chart = tmp_path / "serving.png"
    options = ["--server", "FastAPI", "--rounds", "1", "--seconds", "0.4", "--chart", str(chart)]
    printed = told("run.py", str(file_of_drawings), *options)
    loads = [row for row in cells(printed, "penread") + cells(printed, "FastAPI") if len(row) == 9]
    assert [(row[1], row[2]) for row in loads[:9]] == [
        (kind, count) for kind in ("strokes", "28×28 PNG", "280×280 PNG") for count in ("1", "8", "64")
    ]
    assert len(loads) == 15
    for row in loads:
        assert int(row[3].replace(",", "")) > 0, row
        assert float(row[7].removesuffix(" ms")) > 0, row
        assert 0 < float(row[5].removesuffix(" ms")) <= float(row[6].removesuffix(" ms")), row
    # What is drawn by the tests is plain: all of it must be read right by everybody who is measured.
    [[_, start, rest, *_, strokes, glyphs, pictures]] = [row for row in cells(printed, "penread") if len(row) == 7]
    assert float(start.removesuffix(" s")) > 0
    assert int(rest.removesuffix(" MB")) > 20
    assert {strokes, glyphs, pictures} == {"100.0%"}
    with Image.open(chart) as picture:
        assert picture.width > 800


def test_a_peer_that_is_not_installed_is_named(file_of_drawings: Path, tmp_path: Path) -> None:
    refused = ran("run.py", str(file_of_drawings), "--peers-venv", str(tmp_path / "none"))
    assert refused.returncode != 0
    assert "litserve and bentoml must be installed" in refused.stderr
    assert "pip install -r benchmarks/serving/requirements.txt" in refused.stderr


def test_the_server_starts_and_rests() -> None:
    printed = told("load.py", "start", "--times", "1", "--rest-s", "0.1")
    for row in ("start to ready", "memory at rest (PSS)", "memory at rest (RSS)"):
        assert len(cells(printed, row)) == 1, printed


def test_it_bears_a_load(file_of_drawings: Path) -> None:
    printed = told("load.py", "soak", str(file_of_drawings), "--seconds", "3", "--connections", "4")
    assert cells(printed, "others")[0][1] == "none"
    assert int(cells(printed, "answers")[0][1].partition(", ")[0].split()[0].replace(",", "")) > 10
    assert re.fullmatch(r"[+-]\d+\.\d%", cells(printed, "growth")[0][1])


def test_it_is_overloaded(file_of_drawings: Path) -> None:
    printed = told("load.py", "overload", str(file_of_drawings), "--seconds", "1")
    for row in ("alone", "the flood", "the probe, in the flood", "the probe, 0.5 s after it"):
        assert len(cells(printed, row)) == 2, printed
    for alone in cells(printed, "alone"):
        answered, _, sent = alone[1].partition(" of ")
        assert answered == sent


def test_what_was_sent_before_sigterm_is_answered(file_of_drawings: Path) -> None:
    printed = told("load.py", "stop", str(file_of_drawings), "--seconds", "1", "--connections", "8")
    [[_, statuses, _, answered]] = cells(printed, "sent before it")
    assert answered == "kept", printed
    assert int(statuses.partition("200: ")[2].split(",")[0].replace(",", "")) > 0
    assert cells(printed, "exit status")[0][1] == "0"


class _Odd(BaseHTTPRequestHandler):
    """Answers three, refuses the next, closes the connection on the fifth."""

    protocol_version = "HTTP/1.1"
    served = 0

    def do_POST(self) -> None:
        type(self).served += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.served % 5 == 0:
            self.close_connection = True
            return
        self.send_response(503 if self.served % 5 == 4 else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def odd_port() -> Iterator[int]:
    _Odd.served = 0
    with ThreadingHTTPServer(("127.0.0.1", 0), _Odd) as odd:
        thread = Thread(target=odd.serve_forever)
        thread.start()
        yield odd.server_address[1]
        odd.shutdown()
        thread.join()


_SEND = """
import json, sys
sys.path.insert(0, sys.argv[1])
from client import Load, send
answers = send(Load(int(sys.argv[2]), "/", [b"{}"], 1.0, 3, float(sys.argv[3]) or None))
print(json.dumps([answers.statuses(), answers.latency_s.tolist(), answers.not_sent]))
"""


@pytest.mark.parametrize("rate", [0, 200])
def test_the_client_counts_what_really_came(odd_port: int, rate: int) -> None:
    command = [sys.executable, "-c", _SEND, str(SERVING), str(odd_port), str(rate)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    statuses, latencies_s, not_sent = json.loads(done.stdout)
    # Every request that the server got is in the count, as what it came to.
    assert sum(statuses.values()) == _Odd.served
    assert set(statuses) == {"200", "503", "0"}
    assert statuses["200"] == pytest.approx(3 * _Odd.served / 5, abs=2)
    assert statuses["503"] == pytest.approx(_Odd.served / 5, abs=2)
    assert statuses["0"] == pytest.approx(_Odd.served / 5, abs=2)
    assert np.all(np.array(latencies_s) > 0)
    if rate:
        assert _Odd.served + not_sent == rate

"""Several processes: what each of them says of all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.conftest import STROKES_L
from tests.observability.running import Running, eventually, running, samples

if TYPE_CHECKING:
    from collections.abc import Iterator

_LABELS = {"route": "/api/v1/predict", "method": "POST", "status": "200"}


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> Iterator[Running]:
    log = tmp_path_factory.mktemp("workers") / "log"
    with running(log, "--workers", "2", env={"PENREAD_LOG_FORMAT": "json", "TMPDIR": str(temporary)}) as server:
        eventually(lambda: len(workers(server)) == 2)
        yield server


def workers(server: Running) -> dict[str, float]:
    """When each worker was started, by its number."""
    return {
        dict(labels)["worker"]: value
        for (name, labels), value in server.metrics().items()
        if name == "process_start_time_seconds"
    }


def predict(server: Running, count: int) -> None:
    """Asks so often, each time on a new connection, which either process may take."""

    def ask(_number: int) -> None:
        httpx2.post(f"{server.address}/api/v1/predict", json={"strokes": STROKES_L}, timeout=30).raise_for_status()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(count)))


def test_counts_of_all_processes_add_up_and_outlive_them(two: Running) -> None:
    asked = 0
    pids = set[int]()
    while len(pids) < 2:
        assert asked < 1000, "one process takes them all"
        predict(two, 20)
        asked += 20
        pids = {line["pid"] for line in two.lines() if line["event"] == "request"}

    def counted(number: int) -> bool:
        found = two.metrics()
        return (
            found[("penread_http_requests_total", frozenset(_LABELS.items()))] == number
            and found[("penread_http_request_duration_seconds_count", frozenset({("route", _LABELS["route"])}))]
            == number
            and found[("penread_batch_glyphs_sum", frozenset())] == number
        )

    assert eventually(lambda: counted(asked))
    assert set(workers(two)) == {"0", "1"}
    model = httpx2.get(f"{two.address}/healthz").json()["model"]
    assert two.metrics()[("penread_model_info", frozenset(model.items()))] == 1

    os.kill(min(pids), signal.SIGKILL)
    # Another one takes its place, under its number, and goes on with its counters.
    started = eventually(lambda: {line["pid"] for line in two.lines() if line["event"] == "started"} - pids)
    eventually(lambda: set(workers(two)) == {"0", "1"})
    assert len(started) == 1
    predict(two, 10)
    assert eventually(lambda: counted(asked + 10))


def test_nothing_is_left_behind(two: Running, temporary: Path) -> None:
    assert list(temporary.rglob("*.db"))
    assert two.stop() == 0
    assert not list(temporary.rglob("*.db"))


def test_a_dead_process_has_nothing_in_its_queue(tmp_path: Path) -> None:
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    begin = (
        "from penread.server.metrics import Metrics; metrics = Metrics(); "
        "metrics.queue('glyphs', {waiting}, 1); metrics.rejected('queue'); "
    )

    def said(waiting: int) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """What one more process says, that waits for so many and ends."""
        code = begin.format(waiting=waiting) + "print(metrics.render('')[0].decode())"
        ended = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        return samples(ended.stdout)

    waiting = ("penread_queue_waiting", frozenset({("lane", "glyphs")}))
    rejections = ("penread_rejections_total", frozenset({("reason", "queue")}))
    living = [sys.executable, "-c", begin.format(waiting=5) + "print('ready', flush=True); input()"]
    with subprocess.Popen(living, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "ready\n"
        both = said(2)
        first.kill()
    assert both[waiting] == 7
    assert both[rejections] == 2
    assert {dict(labels)["worker"] for name, labels in both if name == "process_open_fds"} == {"0", "1"}

    alone = said(1)
    assert alone[waiting] == 1
    assert alone[rejections] == 3
    assert {dict(labels)["worker"] for name, labels in alone if name == "process_open_fds"} == {"0"}

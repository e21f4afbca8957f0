"""Servers whose logs and metrics the tests read."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import PENREAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_Answer = TypeVar("_Answer")

#: ``penread serve`` with routes that fail.
FAULTY = (sys.executable, str(Path(__file__).with_name("faulty.py")))


class Running:
    """A server that runs, and what it has logged."""

    def __init__(self, address: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.address = address
        self.process = process
        self._log = log

    def text(self) -> str:
        """Everything logged so far."""
        return self._log.read_bytes().decode("ascii")

    def lines(self) -> list[dict[str, Any]]:
        """The lines of a log in JSON: every one of them is an object."""
        return [json.loads(line) for line in self.text().splitlines()]

    def line(self, **fields: Any) -> dict[str, Any]:
        """The one line with these fields, which may be yet to come."""

        def find() -> dict[str, Any] | None:
            found = [line for line in self.lines() if fields.items() <= line.items()]
            assert len(found) <= 1, found
            return found[0] if found else None

        return eventually(find)

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """The samples of /metrics, by name and labels."""
        return samples(httpx2.get(f"{self.address}/metrics", timeout=10).raise_for_status().text)

    def metric(self, name: str, **labels: str) -> float:
        """A sample; 0 where there is none yet."""
        return self.metrics().get((name, frozenset(labels.items())), 0.0)

    def stop(self) -> int:
        """Ends the server in order; gives its exit status."""
        self.process.terminate()
        return self.process.wait(timeout=30)


def samples(exposed: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Reads Prometheus' text format."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }


def eventually(look: Callable[[], _Answer | None]) -> _Answer:
    """Looks again and again, until there is something: a line is written just after the answer has been sent."""
    for _ in range(600):
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("Nothing in 30 s.")


@contextmanager
def running(
    log: Path, *options: str, command: tuple[str, ...] = (PENREAD, "serve"), env: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Runs a server on a free port, with its log in a file."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--port", str(port), *options], env={**os.environ, **(env or {})}, stderr=stderr, stdout=stderr
        )
    server = Running(f"http://127.0.0.1:{port}", process, log)

    def is_up() -> bool:
        assert process.poll() is None, server.text()
        try:
            return httpx2.get(f"{server.address}/healthz", timeout=5).is_success
        except httpx2.TransportError:
            return False

    try:
        eventually(is_up)
        yield server
    finally:
        if process.poll() is None:
            server.stop()

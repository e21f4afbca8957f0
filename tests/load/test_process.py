"""The server as a process, or several: how it begins, what it is told, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx2
import pytest

from penread.server.settings import Settings
from tests.conftest import PENREAD, ROOT, STROKES_L, serving


def children(pid: int) -> list[int]:
    """Gives the workers of a server: its children that serve, not multiprocessing's own helper."""
    return [
        int(child)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def ask(address: str) -> httpx2.Response:
    # A connection for each, so that all processes have a share.
    return httpx2.post(f"{address}/api/v1/predict", json={"strokes": STROKES_L}, timeout=30)


class Client(threading.Thread):
    """Asks again and again over one connection, and notes what it gets."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self.answers: list[str] = []
        self.lost: list[Exception | str] = []

    def run(self) -> None:
        with httpx2.Client(base_url=self._address, timeout=30) as client:
            while True:
                try:
                    response = client.post("/api/v1/predict", json={"strokes": STROKES_L})
                # Nobody listens any more: this request was never accepted.
                except httpx2.ConnectError:
                    return
                except httpx2.HTTPError as error:
                    self.lost.append(error)
                    return
                if response.status_code != 200:
                    self.lost.append(response.text)
                    return
                self.answers.append(response.json()["char"])


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_accepted_request_is_answered_when_the_server_is_stopped(workers: str) -> None:
    with serving("--workers", workers) as (address, process):
        clients = [Client(address) for _ in range(8)]
        for client in clients:
            client.start()
        while sum(len(client.answers) for client in clients) < 100:
            time.sleep(0.01)
        process.terminate()
        for client in clients:
            client.join(60)
        assert process.wait(60) == 0
    assert [client.lost for client in clients] == [[]] * 8
    assert {char for client in clients for char in client.answers} == {"L"}


def test_a_request_that_outlasts_the_grace_does_not_hold_the_server_up() -> None:
    with serving("--grace-s", "0.5", "--request-timeout-s", "3600") as (address, process):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(
                b"POST /api/v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            # The request is under way when another that came after it is answered.
            assert ask(address).json()["char"] == "L"
            process.terminate()
            assert process.wait(30) == 0


def test_workers_share_the_port_and_one_that_dies_is_replaced() -> None:
    with serving("--workers", "2") as (address, process):
        first = children(process.pid)
        assert len(first) == 2
        os.kill(first[0], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while len(set(children(process.pid)) - {first[0]}) < 2:
            assert time.monotonic() < deadline, "the worker was not replaced"
            time.sleep(0.1)
        # What the dead one had accepted is lost; whatever comes now is answered.
        assert {ask(address).json()["char"] for _ in range(20)} == {"L"}
        process.terminate()
        assert process.wait(60) == 0


@pytest.mark.parametrize("how", ["one ends", "all are started anew"])
def test_workers_that_end_in_order_leave_the_port_open(how: str) -> None:
    with serving("--workers", "2") as (address, process):
        first = children(process.pid)
        os.kill(first[0] if how == "one ends" else process.pid, signal.SIGTERM if how == "one ends" else signal.SIGHUP)
        gone = set(first[:1]) if how == "one ends" else set(first)
        deadline = time.monotonic() + 60
        while gone & set(children(process.pid)) or len(children(process.pid)) < 2:
            assert time.monotonic() < deadline, "the workers were not replaced"
            assert ask(address).json()["char"] == "L"
            time.sleep(0.1)
        assert {ask(address).json()["char"] for _ in range(20)} == {"L"}
        process.terminate()
        assert process.wait(60) == 0


def test_several_bundles_are_served_and_the_first_is_the_pages() -> None:
    with serving("--bundle", "reference,balanced") as (address, _):
        assert ask(address).json()["model"]["name"] == "reference"
        index = httpx2.post(f"{address}/v2/repository/index").json()
        assert [each["name"] for each in index] == ["reference", "balanced"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--port", "70000"], "port: Input should be less than or equal to 65535"),
        (["--workers", "0"], "workers: Input should be greater than or equal to 1"),
        (["--rate-limit", "many"], "rate_limit: give it as 20/second, or 20/second;600/minute (given: many)"),
        (["--rate-limit", "2/second", "--rate-limit-storage", "nowhere://x"], "nowhere:// can't be used"),
        (["--cors-origins", "https://example.org/"], "cors_origins: an origin is https://HOST"),
        (["--log-format", "xml"], "log_format: Input should be 'text' or 'json'"),
        (["--bundle", "nothing"], 'There is no bundle "nothing"'),
        (["--bundle", "balanced,nothing"], 'There is no bundle "nothing"'),
        (["--bundle", "balanced,balanced"], "Two bundles are called balanced"),
        (["--bundle", ","], "No bundle is named"),
        (["--host", "nowhere.invalid"], "Can't listen on nowhere.invalid"),
    ],
)
def test_settings_that_are_wrong_are_told_in_a_line(options: list[str], told: str) -> None:
    ended = subprocess.run([PENREAD, "serve", *options], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert told in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"PENREAD_API_KEYS": "much-too-secret", "PENREAD_PORT": "x"}, "port: "),
        ({"PENREAD_API_KEYS": "two secrets"}, "api_keys: a key is of ASCII letters"),
        # A list of keys without a key is no open API.
        ({"PENREAD_API_KEYS": " , "}, "api_keys: a key is of ASCII letters"),
    ],
)
def test_keys_that_are_wrong_are_told_and_never_shown(given: dict[str, str], told: str) -> None:
    ended = subprocess.run(
        [PENREAD, "serve"], env={**os.environ, **given}, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert told in " ".join(ended.stderr.split())
    assert "secret" not in ended.stderr + ended.stdout


def test_the_help_has_every_setting() -> None:
    shown = subprocess.run(
        [PENREAD, "serve", "--help"], env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=True
    ).stdout
    for name, field in Settings.model_fields.items():
        [line] = [line for line in shown.splitlines() if re.search(rf"--{name.replace('_', '-')}\s", line)]
        assert field.description
        assert field.description.replace("`", "").split(";")[0][:40] in line
    assert "(16777216)" in shown


def test_the_table_of_settings_is_generated() -> None:
    made = subprocess.run(
        [PENREAD.replace("penread", "python"), "docs/settings_table.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    document = (ROOT / "docs" / "deploy.md").read_text("utf-8")
    shown = document.partition("<!-- settings -->\n")[2].partition("<!-- /settings -->")[0]
    assert shown.strip() == made.strip()
    assert len(made.splitlines()) == len(Settings.model_fields) + 2

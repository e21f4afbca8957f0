"""What many tests share: the data, a real server, a real browser."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from penread import Recognizer
from tests.browser import find_chromium
from tests.made import drawn, real_subset, typeset_subset, write_split

if TYPE_CHECKING:
    from collections.abc import Iterator

# Several tests run at a time: torch's threads would wait for each other by turning in circles, on cores that others
# need. A thread each, then, and where a test wants two, they sleep while they wait. torch reads this when it is loaded,
# and so does what tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("PENREAD_DATA", ROOT.parent / "shared" / "data"))
REAL_EMNIST = SHARED / "emnist"
HAS_SHARED = (REAL_EMNIST / "emnist-pool47-mapping.txt").exists() and (SHARED / "drawings").is_dir()
PENREAD = str(Path(sys.executable).with_name("penread"))

# An L, a slanted line and nothing else: drawn by the tests, right in any charset that has the letter.
STROKES_L = [[[5, 0], [5, 40], [30, 40]]]


def pytest_report_header() -> str:
    if HAS_SHARED:
        return f"data: real EMNIST images and real drawings, {SHARED}"
    return f"data: made by the tests ({SHARED} is not there; PENREAD_DATA names another place)"


@pytest.fixture(scope="session")
def small_emnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small pool47: 40 images a class to train on, 10 to test; real ones where they are at hand."""
    data_dir = tmp_path_factory.mktemp("emnist")
    write_small(data_dir, per_class=40)
    return data_dir


def write_small(data_dir: Path, *, per_class: int, test_per_class: int = 10) -> None:
    """Writes a small pool47 with so many images a class to train on, and so many to test."""
    if HAS_SHARED:
        train = real_subset(REAL_EMNIST, "pool47", per_class, 1, "train")
        test = real_subset(REAL_EMNIST, "pool47", test_per_class, 2, "test")
    else:
        train = typeset_subset("pool47", per_class, 1, "train")
        test = typeset_subset("pool47", test_per_class, 2, "test")
    write_split(data_dir, train, test)


@pytest.fixture(scope="session")
def drawings() -> list[dict[str, Any]]:
    """Characters as strokes, with labels: Chars74K's where they are at hand, else a few drawn by the tests."""
    if HAS_SHARED:
        loaded: list[dict[str, Any]] = json.loads((SHARED / "drawings" / "chars74k_hnd.json").read_text())
        return loaded
    return drawn()


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return Recognizer()


@contextmanager
def serving(*options: str, env: dict[str, str] | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs ``penread serve`` on a free port; gives its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([PENREAD, "serve", "--port", str(port), *options], env={**os.environ, **(env or {})})
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, f"penread serve ended with {process.returncode}"
            try:
                httpx2.get(f"{address}/healthz", timeout=5).raise_for_status()
                break
            except httpx2.TransportError:
                time.sleep(0.05)
        else:
            raise AssertionError("penread serve did not answer in 30 s")
        yield address, process
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a running server with the shipped bundle. It doesn't log every file that a page loads."""
    with serving(env={"PENREAD_LOG_LEVEL": "warning"}) as (address, _):
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium. On a busy machine it may take its time: what is expected of a page may come late."""
    expect.set_options(timeout=20_000)
    chromium = find_chromium()
    assert chromium, "The page is tested in Chromium: run `python tests/browser.py`, or set PENREAD_CHROMIUM."
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        yield running
        running.close()

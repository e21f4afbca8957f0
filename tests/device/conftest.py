"""What the tests of reading on the device share: Node, and a browser's page without the page's own scripts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx2
import numpy as np
import pytest

import penread
from penread import runtime
from tests.browser import find_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

WEB = Path(penread.__file__).parent / "web"


class Caller(Protocol):
    def __call__(self, module: str, function: str, calls: list[list[Any]]) -> list[dict[str, Any]]: ...


@pytest.fixture(scope="session")
def in_node() -> Caller:
    """Calls a function of the page's modules in Node, once for each list of arguments; see ``call.mjs``."""

    def call(module: str, function: str, calls: list[list[Any]]) -> list[dict[str, Any]]:
        script = Path(__file__).with_name("call.mjs")
        done = subprocess.run(
            [find_node(), script, WEB / module, function], input=json.dumps(calls), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        results: list[dict[str, Any]] = json.loads(done.stdout)
        return results

    return call


@pytest.fixture
def site(browser: Browser, server: str) -> Iterator[Page]:
    """An empty page that may do what the server lets its page do; it runs no scripts but those a test imports."""
    assert (runtime.DIRECTORY / "ort.wasm.min.mjs").exists(), "Fetch ONNX Runtime for browsers first: penread runtime"
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    allowed = {"Content-Security-Policy": httpx2.get(server).headers["Content-Security-Policy"]}
    page.route(f"{server}/empty", lambda route: route.fulfill(content_type="text/html", headers=allowed, body=""))
    page.goto(f"{server}/empty")
    yield page
    context.close()


def varied(drawings: list[dict[str, Any]], count: int, seed: int) -> list[list[list[list[float]]]]:
    """Takes so many of the drawings at random; where there are too few, slanted and squeezed anew each time."""
    rng = np.random.default_rng(seed)
    order = [rng.permutation(len(drawings)) for _ in range(-(-count // len(drawings)))]
    taken = []
    for number, index in enumerate(np.concatenate(order)[:count]):
        bend = np.eye(2)
        if number >= len(drawings):
            bend = bend + rng.uniform(-0.3, 0.3, (2, 2))
        taken.append([(np.array(stroke) @ bend).round(3).tolist() for stroke in drawings[index]["strokes"]])
    return taken

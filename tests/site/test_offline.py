"""The page without a network, and from one release to the next: a real Chromium with its real service worker."""

from __future__ import annotations

import functools
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error, expect

from penread.bundle import Bundle
from penread.site import page_files, write_site
from tests.browser import find_chromium
from tests.conftest import STROKES_L
from tests.page.visit import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

# What the page does at its start, whether it is done already or not: the state is heard in order.
HEAR = """async () => {
    const { registerOffline } = await import(new URL("static/offline.js", document.baseURI));
    window.heard = [];
    registerOffline({ onState: (state) => window.heard.push(state) });
}"""
KEEP = """async () => {
    const { keepForOffline } = await import(new URL("static/offline.js", document.baseURI));
    return keepForOffline();
}"""
# Gives the names in the cache, without the sums.
KEPT = """async () => {
    const names = [];
    for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys())
            names.push(url.slice(document.baseURI.length).replace(/[?].*/, ""));
    return names.sort();
}"""
MODEL = "async () => (await (await fetch('static/model/model.json')).json()).name"
# Reads an L on the device, as the page does.
READ = """async (strokes) => {
    const { createDeviceReader } = await import(new URL("static/device.js", document.baseURI));
    return (await createDeviceReader().recognize(strokes, {})).char;
}"""
UPDATED = "async () => Boolean((await navigator.serviceWorker.getRegistration())?.waiting)"
DEVICE = {
    "static/model/english.npz",
    "static/model/model.json",
    "static/model/model.onnx",
    "static/onnxruntime/ort-wasm-simd-threaded.mjs",
    "static/onnxruntime/ort-wasm-simd-threaded.wasm",
    "static/onnxruntime/ort.wasm.min.mjs",
}


@dataclass
class Visitor:
    """A browser's window, and what its pages complained of."""

    context: BrowserContext
    errors: list[str] = field(default_factory=list)

    def open(self, address: str) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.goto(address)
        return page


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    visitor = Visitor(browser.new_context(locale="en-GB"))
    yield visitor
    visitor.context.close()
    assert visitor.errors == []


def wait_for_state(page: Page, state: str) -> None:
    page.evaluate(HEAR)
    wait_until(page, "state => window.heard.at(-1) === state", state)


def until(page: Page, script: str) -> None:
    """Waits until what a script promises is true, on whatever page it is by then."""
    for _ in range(200):
        try:
            if page.evaluate(script):
                return
        except Error as error:
            # The page was being loaded anew.
            if "Execution context" not in str(error):
                raise
        page.wait_for_timeout(100)
    raise AssertionError(f"Not in 20 s: {script}")


def waits_for(model: str) -> str:
    return f"async () => await ({MODEL})() === {json.dumps(model)}"


@dataclass
class Host:
    """A plain web host: the folder it shows below a path of its own, and what it was asked for."""

    folder: Path
    address: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def hosting(folder: Path) -> Iterator[Host]:
    host = Host(folder)

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            host.asked.append(path)
            assert path.startswith("/some/where/"), path
            return str(host.folder / path.removeprefix("/some/where/").partition("?")[0])

        def log_message(self, *_args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host.address = f"http://127.0.0.1:{server.server_port}/some/where/"
        yield host
        server.shutdown()


@pytest.fixture
def sites(tmp_path: Path) -> dict[str, Path]:
    """The page as static files, twice: with one bundle, and with another."""
    made = {}
    for name in ("balanced", "reference"):
        made[name] = tmp_path / name
        write_site(page_files(Bundle.load(name), server=False), made[name])
    # A plain host tells files apart by the second they are of.
    for path in made["balanced"].rglob("*"):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))
    return made


def test_the_page_loads_and_reads_without_a_network(visitor: Visitor, server: str) -> None:
    page = visitor.open(server)
    wait_for_state(page, "shell")
    assert page.evaluate(KEEP) == "ready"
    assert page.evaluate("window.heard.at(-1)") == "ready"
    visitor.context.set_offline(offline=True)
    page.reload()
    expect(page.locator("#canvas")).to_be_visible()
    expect(page.get_by_role("heading", name="penread")).to_be_visible()
    assert page.evaluate("[...document.styleSheets].every((sheet) => sheet.cssRules.length > 10)")
    wait_for_state(page, "ready")
    assert page.evaluate(READ, STROKES_L) == "L"
    # With whatever an address ends in, and at another name of the page.
    page.goto(f"{server}/?from=bookmark#canvas")
    expect(page.locator("#canvas")).to_be_visible()


def test_reading_on_the_device_keeps_its_files(visitor: Visitor, server: str) -> None:
    # Whoever saves data gets nothing in idle moments: what is kept is what was read with.
    visitor.context.add_init_script("Object.defineProperty(navigator.connection, 'saveData', { value: true })")
    page = visitor.open(server)
    wait_for_state(page, "shell")
    shell = set(page.evaluate(KEPT))
    assert {"", "config.json", "static/main.js", "static/style.css"} < shell
    assert not DEVICE & shell
    assert not any(name.startswith("api/") for name in shell)
    wait_until(page, "() => navigator.serviceWorker.controller !== null")
    assert page.evaluate(READ, STROKES_L) == "L"
    # The model of English is fetched when words are read.
    read_with = DEVICE - {"static/model/english.npz"}
    until(
        page,
        f"async () => {{ const kept = await ({KEPT})(); return {sorted(read_with)}.every((n) => kept.includes(n)); }}",
    )
    visitor.context.set_offline(offline=True)
    page.reload()
    assert page.evaluate(READ, STROKES_L) == "L"


def test_the_api_is_left_alone(visitor: Visitor, server: str) -> None:
    page = visitor.open(server)
    wait_for_state(page, "shell")
    wait_until(page, "() => navigator.serviceWorker.controller !== null")
    read = """async (strokes) => (await (await fetch("api/v1/predict", { method: "POST",
        headers: { "Content-Type": "application/json" }, body: JSON.stringify({ strokes }) })).json()).char"""
    assert page.evaluate(read, STROKES_L) == "L"
    assert page.evaluate("async () => (await fetch('healthz')).status") == 200
    docs = visitor.open(f"{server}/docs")
    expect(docs.get_by_text("/api/v1/predict").first).to_be_visible()
    visitor.context.set_offline(offline=True)
    with pytest.raises(Exception, match="Failed to fetch"):
        page.evaluate("fetch('healthz')")
    visitor.errors.clear()
    assert not [name for name in page.evaluate(KEPT) if name.startswith(("api", "docs", "healthz", "openapi"))]


def test_a_site_works_below_any_path_and_when_its_host_is_gone(visitor: Visitor, sites: dict[str, Path]) -> None:
    with hosting(sites["balanced"]) as host:
        page = visitor.open(host.address)
        expect(page.locator("#canvas")).to_be_visible()
        wait_for_state(page, "shell")
        assert page.evaluate(KEEP) == "ready"
    page.goto(f"{host.address}index.html")
    expect(page.locator("#canvas")).to_be_visible()
    assert page.evaluate("async () => (await (await fetch('config.json')).json()).server") is False
    assert page.evaluate(READ, STROKES_L) == "L"


def test_a_new_release_comes_with_the_next_load(visitor: Visitor, sites: dict[str, Path]) -> None:
    with hosting(sites["balanced"]) as host:
        page = visitor.open(host.address)
        wait_for_state(page, "shell")
        page.evaluate(KEEP)
        host.folder = sites["reference"]
        del host.asked[:]
        page.reload()
        wait_for_state(page, "ready")
        until(page, UPDATED)
        # The open page stays what it is, whatever the host has by now.
        assert page.evaluate(MODEL) == "balanced"
        # Only what changed was fetched, the model's file among it: this visitor reads without a network.
        assert "/some/where/static/model/model.onnx" in host.asked
        assert not [path for path in host.asked if "onnxruntime" in path or path.endswith(("main.js", ".css", ".npz"))]
        page.reload()
        until(page, waits_for("reference"))
        wait_for_state(page, "ready")
    names = page.evaluate(KEPT)
    assert len(names) == len(set(names))
    page.reload()
    assert page.evaluate(MODEL) == "reference"
    assert page.evaluate(READ, STROKES_L) == "L"


def test_an_open_page_is_not_given_a_new_releases_files(visitor: Visitor, sites: dict[str, Path]) -> None:
    with hosting(sites["balanced"]) as host:
        first = visitor.open(host.address)
        wait_for_state(first, "shell")
        first.evaluate(KEEP)
        host.folder = sites["reference"]
        second = visitor.open(host.address)
        wait_for_state(second, "ready")
        until(second, UPDATED)
        loaded = first.evaluate("performance.timeOrigin")
        second.reload()
        wait_for_state(second, "ready")
        second.wait_for_timeout(500)
        assert first.evaluate(MODEL) == second.evaluate(MODEL) == "balanced"
        assert first.evaluate("performance.timeOrigin") == loaded
        first.close()
        # The browser takes a moment to forget a page that was closed.
        for _ in range(20):
            second.wait_for_timeout(500)
            if second.evaluate(MODEL) == "reference":
                break
            second.reload()
            second.wait_for_timeout(1000)
            until(second, "() => document.readyState === 'complete'")
        until(second, waits_for("reference"))
        wait_for_state(second, "ready")


def test_files_of_two_releases_are_never_kept_together(visitor: Visitor, sites: dict[str, Path]) -> None:
    """A host in the middle of an upload: the list of the files is not that of the files."""
    style = sites["balanced"] / "static" / "style.css"
    right = style.read_bytes()
    style.write_bytes(right + b"\n/* newer */\n")
    with hosting(sites["balanced"]) as host:
        page = visitor.open(host.address)
        page.evaluate(HEAR)
        until(page, "async () => (await caches.keys()).length > 0")
        until(page, "async () => !(await navigator.serviceWorker.getRegistration())")
        expect(page.locator("#canvas")).to_be_visible()
        assert page.evaluate("window.heard") == ["none"]
        # The next visit finds the upload done.
        style.write_bytes(right)
        page.reload()
        wait_for_state(page, "shell")


def test_who_saves_data_is_sent_no_megabytes(visitor: Visitor, server: str) -> None:
    visitor.context.add_init_script("Object.defineProperty(navigator.connection, 'saveData', { value: true })")
    page = visitor.open(server)
    wait_for_state(page, "shell")
    assert page.evaluate(KEEP) == "shell"
    assert not DEVICE & set(page.evaluate(KEPT))


def test_where_browsers_allow_no_worker_the_page_works_without(browser: Browser, server: str) -> None:
    plain = server.replace("127.0.0.1", "plain.test")
    arguments = ["--no-sandbox", "--host-resolver-rules=MAP plain.test 127.0.0.1"]
    with browser.browser_type.launch(executable_path=find_chromium(), args=arguments) as own:
        visitor = Visitor(own.new_context(locale="en-GB"))
        page = visitor.open(plain)
        assert page.evaluate("window.isSecureContext") is False
        page.evaluate(HEAR)
        assert page.evaluate(KEEP) == "none"
        assert page.evaluate("window.heard") == ["none"]
        expect(page.locator("#canvas")).to_be_visible()
        assert visitor.errors == []


def test_the_page_is_light(browser: Browser, server: str) -> None:
    """All that the first load transfers, gzipped; and the shell that the worker then keeps."""
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: dict[str, float] = {}
    addresses: dict[str, str] = {}
    session.on("Network.requestWillBeSent", lambda sent: addresses.update({sent["requestId"]: sent["request"]["url"]}))
    session.on("Network.loadingFinished", lambda done: sizes.update({done["requestId"]: done["encodedDataLength"]}))
    page.goto(server, wait_until="networkidle")
    context.close()
    transferred: dict[str, Any] = {addresses[request]: size for request, size in sizes.items()}
    assert f"{server}/static/main.js" in transferred
    assert not [address for address in transferred if "/onnxruntime/" in address or "/model/" in address]
    assert sum(transferred.values()) <= 100_000
    files = page_files(Bundle.load(), server=True).files
    first = json.loads(files["sw.js"].content.partition(b"\n")[0].removeprefix(b"self.RELEASE = ").rstrip(b";"))
    shell = [files[name or "index.html"] for name in first["shell"]] + [files["sw.js"]]
    print(
        f"\nfirst load {sum(transferred.values()):.0f} bytes, shell {sum(len(each.gzipped()) for each in shell)} bytes"
    )
    assert sum(len(each.gzipped()) for each in shell) <= 100_000

"""The page's files: what there is, as described, as served, and as written for any web host."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import httpx2
import pytest
from PIL import Image

import penread
from penread import runtime, site
from penread.bundle import Bundle
from penread.errors import InputError, PenreadError
from penread.files import write_bytes
from penread.site import MARKER, Page, page_files, write_site
from tests.conftest import PENREAD, serving

if TYPE_CHECKING:
    from pathlib import Path

ENGINE = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm", "ort.wasm.min.mjs"]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load()


@pytest.fixture(scope="module")
def page(bundle: Bundle) -> Page:
    return page_files(bundle, server=True)


@pytest.fixture
def api(server: str):
    with httpx2.Client(base_url=server) as client:
        yield client


def release(page: Page) -> dict[str, Any]:
    """What the service worker is told of the files."""
    first, _, _ = page.files["sw.js"].content.partition(b"\n")
    parsed: dict[str, Any] = json.loads(first.removeprefix(b"self.RELEASE = ").removesuffix(b";"))
    return parsed


def references(page: Page, *, later: bool = True) -> dict[str, set[str]]:
    """The files that each file names: links and scripts of the page, imports of its modules, icons.

    Args:
        page: The page.
        later: Also the modules that are loaded only when they are needed.
    """
    found: dict[str, set[str]] = {}
    for name, file in page.files.items():
        if name.startswith("static/onnxruntime/") or not file.media_type.startswith(("text/", "application/manifest")):
            continue
        text = file.content.decode()
        if name.endswith(".html"):
            named = set(re.findall(r'(?:<link|<script|<img)[^>]* (?:href|src)="([^":]+)"', text))
        elif name.endswith(".js"):
            named = set(re.findall(r'^(?:import|export) [^;]*?from "([^"]+)";', text, re.MULTILINE))
            if later:
                named |= set(re.findall(r'(?:new URL|import)\("(\./[^"]+\.js)"', text))
        elif name.endswith(".webmanifest"):
            named = {icon["src"] for icon in json.loads(text)["icons"]}
        else:
            named = set()
        found[name] = {urljoin(name, each) for each in named}
    return found


def test_whatever_the_page_names_is_there(page: Page) -> None:
    found = references(page)
    assert "static/main.js" in found["index.html"]
    assert len(found["static/main.js"]) > 3
    for name, named in found.items():
        assert named <= set(page.files), f"{name} names {named - set(page.files)}"


def test_all_that_reads_on_the_device_is_there(page: Page, bundle: Bundle) -> None:
    assert page.files["static/model/model.onnx"].content == bundle.onnx
    assert json.loads(page.files["static/model/model.json"].content) == bundle.info.model_dump(mode="json")
    assert page.files["static/model/english.npz"].content.startswith(b"PK")
    for name in ENGINE:
        content = page.files[f"static/onnxruntime/{name}"].content
        assert hashlib.sha256(content).hexdigest() == runtime.PINNED.wanted[name]
    assert b"MIT License" in page.files["static/onnxruntime/LICENSE.txt"].content
    assert json.loads(page.files["config.json"].content) == {
        "server": True, "device": True, "version": penread.__version__,
        "unclear_above": bundle.info.rejection["unclear"],
    }  # fmt: skip


def test_the_service_worker_knows_every_file_by_its_sum(page: Page) -> None:
    told = release(page)
    assert told["version"] == page.version
    listed = told["shell"] | told["device"]
    assert not set(told["shell"]) & set(told["device"])
    assert {f"static/onnxruntime/{name}" for name in ENGINE} < set(told["device"])
    for name, integrity in listed.items():
        digest = hashlib.sha256(page.files[name or "index.html"].content).digest()
        assert integrity == f"sha256-{base64.b64encode(digest).decode()}"
    # Every module and what it names can be had without a network; and the page starts with the shell alone.
    for name, named in references(page).items():
        if name.endswith((".js", ".html")) and name != "sw.js":
            assert {each for each in named if "/icons/" not in each} <= set(listed), name
    named_at_start = references(page, later=False)
    reached, rest = set[str](), ["index.html"]
    while rest:
        name = rest.pop()
        if name not in reached and "/icons/" not in name:
            reached.add(name)
            rest += named_at_start.get(name, ())
    assert "static/strokes.js" in reached
    assert reached - {"index.html"} <= set(told["shell"])


def test_a_change_of_anything_is_another_version(
    page: Page, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page_files(bundle, server=True).version == page.version
    others = [
        page_files(bundle, server=False),
        page_files(Bundle.load("reference"), server=True),
        page_files(replace(bundle, info=bundle.info.model_copy(update={"version": "9"})), server=True),
    ]
    for name in ("static/style.css", "sw.js"):
        copy = tmp_path / name.replace("/", "-")
        copy.mkdir()
        for path in site.WEB.rglob("*"):
            if path.is_file() and "onnxruntime" not in path.parts:
                (copy / path.relative_to(site.WEB)).parent.mkdir(parents=True, exist_ok=True)
                (copy / path.relative_to(site.WEB)).write_bytes(path.read_bytes())
        with (copy / name.removeprefix("static/")).open("a") as file:
            file.write("\n")
        with monkeypatch.context() as patch:
            patch.setattr(site, "WEB", copy)
            others.append(page_files(bundle, server=True))
    assert len({page.version, *(other.version for other in others)}) == 6
    assert all(other.files["sw.js"].content != page.files["sw.js"].content for other in others)


def test_without_the_engine_the_page_says_so(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "DIRECTORY", tmp_path)
    for damage in ("missing", "cut short"):
        if damage == "cut short":
            for name in ENGINE:
                (tmp_path / name).write_bytes(b"half")
        page = page_files(bundle, server=True)
        assert json.loads(page.files["config.json"].content)["device"] is False
        assert release(page)["device"] == {}
        assert not [name for name in page.files if "onnxruntime" in name]
        with pytest.raises(PenreadError, match="run penread runtime first"):
            write_site(page, tmp_path / "site")
        assert not (tmp_path / "site").exists()


def test_the_icons_are_what_the_manifest_says(page: Page) -> None:
    manifest = json.loads(page.files["manifest.webmanifest"].content)
    assert manifest["start_url"] == "."
    assert manifest["display"] == "standalone"
    style = page.files["static/style.css"].content.decode()
    assert manifest["background_color"] == re.findall(r"--ground: (#\w+);", style)[0]
    purposes = []
    for icon in manifest["icons"]:
        file = page.files[icon["src"]]
        assert file.media_type == icon["type"]
        if icon["type"] == "image/png":
            with Image.open(site.WEB / icon["src"].removeprefix("static/")) as image:
                assert f"{image.width}x{image.height}" == icon["sizes"]
                # What may be cut to any shape must fill its square.
                opaque = image.convert("RGBA").getchannel("A").getextrema() == (255, 255)
                assert opaque == (icon.get("purpose") == "maskable")
            purposes.append(icon.get("purpose", "any"))
    assert sorted(purposes) == ["any", "any", "maskable"]
    assert sum(len(file.content) for name, file in page.files.items() if name.startswith("static/icons/")) <= 30_000


def test_every_file_is_served_as_what_it_is(api: httpx2.Client, page: Page) -> None:
    types = {
        "": "text/html; charset=utf-8",
        "sw.js": "text/javascript; charset=utf-8",
        "manifest.webmanifest": "application/manifest+json",
        "config.json": "application/json",
        "static/style.css": "text/css; charset=utf-8",
        "static/main.js": "text/javascript; charset=utf-8",
        "static/favicon.svg": "image/svg+xml",
        "static/icons/icon-192.png": "image/png",
        "static/onnxruntime/ort.wasm.min.mjs": "text/javascript; charset=utf-8",
        "static/onnxruntime/ort-wasm-simd-threaded.wasm": "application/wasm",
        "static/model/model.json": "application/json",
        "static/model/model.onnx": "application/octet-stream",
        "static/model/english.npz": "application/octet-stream",
    }
    for name in {each if each != "index.html" else "" for each in page.files} | set(types):
        response = api.get(f"/{name}")
        assert response.status_code == 200, name
        assert response.content == page.files[name or "index.html"].content, name
        assert response.headers["cache-control"] == "no-cache"
        if name in types:
            assert response.headers["content-type"] == types[name]


@pytest.mark.parametrize("path", ["/", "/sw.js", "/static/main.js", "/static/model/model.onnx"])
def test_what_a_browser_has_is_not_sent_again(api: httpx2.Client, path: str) -> None:
    first = api.get(path)
    again = api.get(path, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache"
    assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_text_and_webassembly_are_compressed(api: httpx2.Client, page: Page) -> None:
    for name in ("static/main.js", "static/onnxruntime/ort-wasm-simd-threaded.wasm", "static/icons/icon-512.png"):
        content = page.files[name].content
        with api.stream("GET", f"/{name}", headers={"Accept-Encoding": "gzip, deflate, br"}) as response:
            sent = b"".join(response.iter_raw())
        if name.endswith(".png"):
            assert "content-encoding" not in response.headers
            assert sent == content
        else:
            assert response.headers["content-encoding"] == "gzip"
            assert response.headers["vary"] == "Accept-Encoding"
            assert gzip.decompress(sent) == content
            assert len(sent) < 0.5 * len(content)
        plain = api.get(f"/{name}", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == content


def test_head_and_what_is_not_there(api: httpx2.Client) -> None:
    assert api.head("/").status_code == 200
    assert api.head("/static/main.js").content == b""
    assert int(api.head("/static/main.js", headers={"Accept-Encoding": "identity"}).headers["content-length"]) > 100
    for path in ("/static/", "/static/nothing.js", "/static/index.html", "/static/..%2f..%2fcli.py", "/main.js"):
        response = api.get(path)
        assert response.status_code == 404, path
        assert response.headers["content-type"] == "application/problem+json"
    assert api.post("/static/main.js").status_code == 405
    assert api.get("/api/v1/predict").headers["allow"] == "POST"


def test_the_served_model_is_the_one_that_reads() -> None:
    with serving("--bundle", "reference") as (address, _):
        served = httpx2.get(f"{address}/static/model/model.onnx").content
        info = httpx2.get(f"{address}/static/model/model.json").json()
        assert info["name"] == httpx2.get(f"{address}/healthz").json()["model"]["name"] == "reference"
        assert hashlib.sha256(served).hexdigest() == info["sha256"]


def run_site(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PENREAD, "site", *map(str, arguments)], capture_output=True, text=True)


def written(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def test_the_site_is_the_pages_files(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "site"
    ended = run_site(directory, "--bundle", "reference")
    assert ended.returncode == 0, ended.stderr
    expected = page_files(Bundle.load("reference"), server=False)
    files = written(directory)
    assert set(json.loads(files.pop(MARKER))["files"]) == set(files)
    assert files == {name: file.content for name, file in expected.files.items()}
    config = json.loads(files["config.json"])
    assert (config["server"], config["device"], config["version"]) == (False, True, penread.__version__)
    # Nothing in it names a place of a host: it works in any folder.
    for name in ("index.html", "manifest.webmanifest"):
        assert not re.search(rb'(?:href|src|"start_url"|"scope")"?[=:] ?"/', files[name])


def test_a_site_is_replaced_and_nothing_else_is_touched(tmp_path: Path, bundle: Bundle) -> None:
    directory = tmp_path / "site"
    page = page_files(bundle, server=False)
    gone = replace(page.files["static/main.js"], name="static/old/parts/gone.js")
    write_site(Page({**page.files, gone.name: gone}, "0" * 64), directory)
    (directory / "CNAME").write_text("read.example")
    (directory / "static" / "old" / "mine.txt").write_text("mine")
    (directory / "static" / "main.js").write_text("damaged")
    ended = run_site(directory)
    assert ended.returncode == 0, ended.stderr
    files = written(directory)
    others = {MARKER, "CNAME", "static/old/mine.txt"}
    assert set(files) == set(page.files) | others
    assert files["static/main.js"] == page.files["static/main.js"].content
    assert files["static/old/mine.txt"] == b"mine"
    assert not (directory / "static" / "old" / "parts").exists()


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    ended = run_site(tmp_path)
    assert ended.returncode == 1
    assert "is not empty, and not an older site that penread wrote" in ended.stderr
    assert list(written(tmp_path)) == ["thesis.txt"]
    ended = run_site(tmp_path / "thesis.txt")
    assert ended.returncode == 1
    assert "is a file" in ended.stderr


def test_a_strangers_file_in_the_way_is_refused(tmp_path: Path, bundle: Bundle) -> None:
    page = page_files(bundle, server=False)
    without = Page({name: file for name, file in page.files.items() if name != "config.json"}, page.version)
    directory = tmp_path / "site"
    write_site(page, directory)
    marker = json.loads((directory / MARKER).read_bytes())
    marker["files"] = list(without.files)
    (directory / MARKER).write_text(json.dumps(marker))
    with pytest.raises(InputError, match=r"config\.json is in the way"):
        write_site(page, directory)


def test_a_list_that_leads_out_of_the_folder_deletes_nothing(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "precious.txt").write_text("keep")
    directory = tmp_path / "site"
    page = page_files(bundle, server=False)
    write_site(page, directory)
    names = [*page.files, "../precious.txt", str(tmp_path / "precious.txt"), "static/../../precious.txt"]
    (directory / MARKER).write_text(json.dumps({"files": names}))
    write_site(page, directory)
    assert (tmp_path / "precious.txt").read_text() == "keep"


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path, bundle: Bundle) -> None:
    outside, directory = tmp_path / "out", tmp_path / "site"
    page = page_files(bundle, server=False)
    write_site(page, directory)
    (directory / "static").rename(outside)
    (outside / "precious.css").write_text("keep")
    (directory / "static").symlink_to(outside)
    names = [*page.files, "static/precious.css", "", "."]
    (directory / MARKER).write_text(json.dumps({"files": names}))
    before = (outside / "style.css").stat().st_mtime_ns
    with pytest.raises(InputError, match="leads out of the folder by a link"):
        write_site(page, directory)
    assert (outside / "precious.css").read_text() == "keep"
    assert (outside / "style.css").stat().st_mtime_ns == before


def test_a_file_where_a_folder_must_be_is_told(tmp_path: Path, bundle: Bundle) -> None:
    page = page_files(bundle, server=False)
    write_site(page, tmp_path)
    (tmp_path / "static").rename(tmp_path / "elsewhere")
    (tmp_path / "static").write_text("mine")
    with pytest.raises(InputError, match="in the way"):
        write_site(page, tmp_path)
    assert (tmp_path / "static").read_text() == "mine"


def test_a_site_broken_off_is_finished_by_the_next(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "site"
    page = page_files(bundle, server=False)
    count = 0

    def failing(path: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count == 9:
            raise OSError(28, "No space left on device")
        write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr("penread.site.write_bytes", failing)
        with pytest.raises(OSError, match="No space left"):
            write_site(page, directory)
    assert not (directory / "sw.js").exists()
    write_site(page, directory)
    assert set(written(directory)) == {MARKER, *page.files}

"""Fetching ONNX Runtime for browsers: from a real HTTP server, with downloads that succeed, break off and lie."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import tarfile
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from penread import runtime
from penread.errors import PenreadError
from penread.runtime import PINNED, Package, fetch, load
from tests.conftest import PENREAD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENTS = {"engine.mjs": b"export const answer = 42;\n", "engine.wasm": bytes(range(256)) * 4000}


def packed(contents: dict[str, bytes]) -> bytes:
    """Packs files as npm packs them."""
    packing = io.BytesIO()
    with tarfile.open(fileobj=packing, mode="w:gz") as tar:
        for name, content in {"../readme.md": b"x", **contents}.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packing.getvalue()


ARCHIVE = packed(CONTENTS)
PACKAGE = Package(
    "engine-web",
    "1.2.3",
    base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode(),
    {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()},
)


@dataclass
class Registry:
    """A registry: what it answers, one after the other (the last for ever after), and what it was asked for."""

    url: str
    answers: list[tuple[int, bytes, int]] = field(default_factory=lambda: [(200, ARCHIVE, len(ARCHIVE))])
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def registry() -> Iterator[Registry]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.asked.append(self.path)
            answers = running.answers
            status, body, length = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running = Registry(f"http://127.0.0.1:{server.server_port}")
        yield running
        server.shutdown()


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


def test_the_files_arrive_whole_with_their_licence(registry: Registry, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    directory = tmp_path / "new" / "engine"
    assert fetch(directory, registry=registry.url, package=PACKAGE, progress=lambda *at: seen.append(at))
    assert registry.asked == ["/engine-web/-/engine-web-1.2.3.tgz"]
    assert names(directory) == ["LICENSE.txt", "engine.mjs", "engine.wasm"]
    assert {name: load(directory, PACKAGE)[name] for name in CONTENTS} == CONTENTS
    assert b"Copyright (c) Microsoft" in load(directory, PACKAGE)["LICENSE.txt"]
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE))


def test_what_is_here_is_not_downloaded_again(registry: Registry, tmp_path: Path) -> None:
    fetch(tmp_path, registry=registry.url, package=PACKAGE)
    assert not fetch(tmp_path, registry=registry.url, package=PACKAGE)
    assert len(registry.asked) == 1


@pytest.mark.parametrize("name", CONTENTS)
def test_a_damaged_or_missing_file_is_replaced(registry: Registry, tmp_path: Path, name: str) -> None:
    for is_damaged in (True, False):
        fetch(tmp_path, registry=registry.url, package=PACKAGE)
        (tmp_path / name).unlink()
        if is_damaged:
            (tmp_path / name).write_bytes(CONTENTS[name][:-1])
        assert load(tmp_path, PACKAGE) == {}
        assert fetch(tmp_path, registry=registry.url, package=PACKAGE)
        assert (tmp_path / name).read_bytes() == CONTENTS[name]


def test_another_release_takes_the_place_of_the_last(registry: Registry, tmp_path: Path) -> None:
    fetch(tmp_path, registry=registry.url, package=PACKAGE)
    newer = {**CONTENTS, "engine.mjs": b"export const answer = 43;\n"}
    archive = packed(newer)
    registry.answers = [(200, archive, len(archive))]
    package = Package(
        "engine-web",
        "1.2.4",
        base64.b64encode(hashlib.sha512(archive).digest()).decode(),
        {name: hashlib.sha256(content).hexdigest() for name, content in newer.items()},
    )
    assert fetch(tmp_path, registry=registry.url, package=package)
    assert load(tmp_path, package)["engine.mjs"] == newer["engine.mjs"]
    assert load(tmp_path, PACKAGE) == {}


@pytest.mark.parametrize(
    "answer", [(503, b"busy", 4), (429, b"", 0), (200, ARCHIVE[:-100], len(ARCHIVE))], ids=["503", "429", "cut off"]
)
def test_a_bad_moment_is_waited_out(registry: Registry, tmp_path: Path, answer: tuple[int, bytes, int]) -> None:
    registry.answers = [answer, answer, *registry.answers]
    assert fetch(tmp_path, registry=registry.url, package=PACKAGE, pause_s=0.01)
    assert len(registry.asked) == 3
    assert load(tmp_path, PACKAGE)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((503, b"busy", 4), "answered 503"),
        ((200, ARCHIVE[:-100], len(ARCHIVE)), f"after {len(ARCHIVE) - 100:,} of {len(ARCHIVE):,} bytes"),
    ],
)
def test_a_lasting_failure_is_told_and_leaves_nothing(
    registry: Registry, tmp_path: Path, answer: tuple[int, bytes, int], message: str
) -> None:
    registry.answers = [answer]
    with pytest.raises(PenreadError, match=f"{message}.*Nothing was kept.*npm_config_registry.*--archive FILE"):
        fetch(tmp_path, registry=registry.url, package=PACKAGE, pause_s=0.01)
    assert len(registry.asked) == 4
    assert names(tmp_path) == []


def test_a_refusal_is_not_asked_for_again(registry: Registry, tmp_path: Path) -> None:
    registry.answers = [(404, b"", 0)]
    with pytest.raises(PenreadError, match=r"answered 404.*Is npm_config_registry a mirror that lacks"):
        fetch(tmp_path, registry=registry.url, package=PACKAGE, pause_s=0.01)
    assert len(registry.asked) == 1


def test_what_is_not_the_package_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.answers = [(200, b"<html>log in</html>", 19)]
    with pytest.raises(PenreadError, match="its SHA-512 differs"):
        fetch(tmp_path, registry=registry.url, package=PACKAGE, pause_s=0.01)
    assert names(tmp_path) == []


def test_no_more_is_taken_in_than_a_package_may_have(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_MAX_BYTES", 1000)
    with pytest.raises(PenreadError, match="larger than 1,000 bytes"):
        fetch(tmp_path, registry=registry.url, package=PACKAGE)


def test_other_content_than_pinned_is_refused(registry: Registry, tmp_path: Path) -> None:
    for wanted in ({"engine.mjs": "0" * 64}, {**PACKAGE.wanted, "missing.mjs": PACKAGE.wanted["engine.mjs"]}):
        with pytest.raises(PenreadError, match="than is pinned"):
            fetch(tmp_path, registry=registry.url, package=replace(PACKAGE, wanted=wanted))
        assert names(tmp_path) == []


def test_an_archive_at_hand_takes_no_network(tmp_path: Path) -> None:
    archive = tmp_path / "engine.tgz"
    archive.write_bytes(ARCHIVE)
    assert fetch(tmp_path / "engine", archive=archive, registry="http://127.0.0.1:9", package=PACKAGE)
    assert load(tmp_path / "engine", PACKAGE)
    archive.write_bytes(ARCHIVE[:-1])
    with pytest.raises(PenreadError, match=r"engine\.tgz is not engine-web 1\.2\.3"):
        fetch(tmp_path / "other", archive=archive, package=PACKAGE)


def test_npms_own_variable_names_the_registry(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_registry", f"{registry.url}/npm/")
    fetch(tmp_path, package=PACKAGE)
    assert registry.asked == ["/npm/engine-web/-/engine-web-1.2.3.tgz"]
    monkeypatch.setenv("npm_config_registry", f"file://{tmp_path}")
    with pytest.raises(PenreadError, match="must start with https:// or http://"):
        fetch(tmp_path / "other", package=PACKAGE)


def test_the_command_says_what_is_there() -> None:
    """``make test`` ran it before."""
    env = {**os.environ, "npm_config_registry": "http://127.0.0.1:9"}
    ended = subprocess.run([PENREAD, "runtime"], env=env, capture_output=True, text=True)
    assert ended.returncode == 0, f"Run penread runtime first: the tests need it.\n{ended.stderr}"
    assert f"onnxruntime-web {PINNED.version} is already in" in ended.stdout
    for name, sum_ in PINNED.wanted.items():
        assert hashlib.sha256((runtime.DIRECTORY / name).read_bytes()).hexdigest() == sum_

"""Downloading EMNIST: from a real HTTP server, with downloads that succeed, break off and lie."""

from __future__ import annotations

import functools
import hashlib
import threading
import zipfile
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from penread.errors import DataError
from penread.training.checksums import MEMBER_SHA256
from penread.training.data import fetch, load
from tests.made import typeset_subset, write_split

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Mirror:
    """A web server with an archive, and what is known of the archive."""

    root: Path
    url: str
    requests: list[str]
    md5: str = ""
    sums: dict[str, str] | None = None

    def publish(self, files: Path) -> None:
        archive = self.root / "gzip.zip"
        with zipfile.ZipFile(archive, "w") as zipped:
            for path in sorted(files.iterdir()):
                zipped.write(path, f"gzip/{path.name}")
        self.md5 = hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
        self.sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files.glob("*.gz")}

    def fetch(self, data_dir: Path, **options) -> list[Path]:
        assert self.sums
        return fetch(data_dir, **{"url": self.url, "md5": self.md5, "sums": self.sums, **options})


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    root = tmp_path / "www"
    root.mkdir()
    requests: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *_args: object) -> None:
            requests.append(format)

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=root)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mirror = Mirror(root, f"http://127.0.0.1:{server.server_port}/gzip.zip", requests)
        files = tmp_path / "files"
        for split in ("digits", "letters"):
            write_split(files, typeset_subset(split, 5, 1, "train"), typeset_subset(split, 1, 2, "test"))
        mirror.publish(files)
        yield mirror
        server.shutdown()


def names(data_dir: Path) -> list[str]:
    return sorted(path.name for path in data_dir.iterdir()) if data_dir.exists() else []


def test_the_files_arrive_whole_and_can_be_loaded(mirror: Mirror, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    data_dir = tmp_path / "new" / "emnist"
    paths = mirror.fetch(data_dir, progress=lambda done, total: seen.append((done, total)))
    assert sorted(path.name for path in paths) == names(data_dir)
    assert len(load(data_dir, "letters", "train")) == 26 * 4
    archive_bytes = (mirror.root / "gzip.zip").stat().st_size
    assert seen[-1] == (archive_bytes, archive_bytes)


def test_what_is_here_is_not_downloaded_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fetch(tmp_path / "data")
    asked = len(mirror.requests)
    mirror.fetch(tmp_path / "data")
    assert len(mirror.requests) == asked


def test_a_damaged_file_is_replaced(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fetch(tmp_path / "data")
    damaged = tmp_path / "data" / "emnist-digits-test-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    mirror.fetch(tmp_path / "data")
    assert len(load(tmp_path / "data", "digits", "test")) == 10


def test_an_interrupted_download_leaves_nothing(mirror: Mirror, tmp_path: Path) -> None:
    archive = mirror.root / "gzip.zip"
    archive.write_bytes(archive.read_bytes()[:-1000])
    with pytest.raises(DataError, match="incomplete or is not the archive"):
        mirror.fetch(tmp_path / "data")
    assert names(tmp_path / "data") == []


def test_a_connection_cut_short_leaves_nothing(tmp_path: Path) -> None:
    class Cut(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"x" * 5000)

        def log_message(self, *_args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Cut) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(DataError, match=r"Could not download|incomplete"):
            fetch(tmp_path / "data", url=f"http://127.0.0.1:{server.server_port}/gzip.zip")
        server.shutdown()
    assert names(tmp_path / "data") == []


def test_no_server_and_no_file_are_told(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Could not download"):
        mirror.fetch(tmp_path / "data", url=mirror.url.replace("gzip.zip", "missing.zip"))
    with pytest.raises(DataError, match="Could not download"):
        fetch(tmp_path / "data", url="http://127.0.0.1:9/gzip.zip")
    assert names(tmp_path / "data") == []


def test_a_wrong_file_in_a_right_archive_is_noticed(mirror: Mirror, tmp_path: Path) -> None:
    assert mirror.sums
    wrong = "emnist-letters-train-images-idx3-ubyte.gz"
    with pytest.raises(DataError, match=f"{wrong} .* is damaged"):
        mirror.fetch(tmp_path / "data", sums={**mirror.sums, wrong: "0" * 64})
    assert wrong not in names(tmp_path / "data")


def test_another_archive_is_told(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not NIST's EMNIST archive"):
        mirror.fetch(tmp_path / "data", sums=MEMBER_SHA256)
    (mirror.root / "gzip.zip").write_bytes(b"<html>moved</html>")
    page_md5 = hashlib.md5(b"<html>moved</html>", usedforsecurity=False).hexdigest()
    with pytest.raises(DataError, match="no readable zip archive"):
        mirror.fetch(tmp_path / "data", md5=page_md5)
    assert names(tmp_path / "data") == []

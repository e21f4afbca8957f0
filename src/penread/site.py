"""The page as a set of files: one description, for the server and for any web host.

    penread site DIR

Files are named by their URL, relative to the page. Besides what lies in ``web/`` there are the served bundle, the
model of English and, where it was fetched, ONNX Runtime for browsers. ``sw.js``, the page's service worker, gets the
list of the others with their sums, so whatever changes makes it another one, and a visitor's browser takes the new.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import TYPE_CHECKING, Any

import penread
from penread import runtime
from penread.errors import InputError, PenreadError
from penread.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penread.bundle import Bundle

#: Media types by the end of a file's name; files of ``web/`` that have none of these are no part of the page.
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".npz": "application/octet-stream",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}
#: What gzip makes smaller. Models and pictures are packed already.
_COMPRESSIBLE = {".css", ".html", ".js", ".json", ".mjs", ".svg", ".txt", ".wasm", ".webmanifest"}
#: Files of the page's folder; all others of ``web/`` are below ``static/``.
_BESIDE_THE_PAGE = {"index.html", "manifest.webmanifest", "sw.js"}
#: What only the browser's own "install" asks for.
_NOT_OFFLINE = ("static/icons/", "static/onnxruntime/LICENSE.txt")
#: What reading on the device takes, and of it what the page itself loads at its start.
_DEVICE = ("static/device/", "static/model/", "static/onnxruntime/")
_AT_THE_START = ("static/device/charset.js", "static/device/glyph.js", "static/device/ink.js")
#: Lists the files that ``penread site`` wrote into a folder.
MARKER = ".penread-site.json"
#: The page's sources.
WEB = Path(str(files("penread") / "web"))
_ENGLISH = files("penread") / "language" / "english.npz"


@dataclass(frozen=True, eq=False)
class PageFile:
    """One file of the page.

    Attributes:
        name: Its URL, relative to the page.
        content: Its bytes.
        integrity: Its SHA-256 as browsers write it: ``sha256-`` and base64.
    """

    name: str
    content: bytes
    integrity: str = field(init=False)
    _zipped: list[bytes] = field(default_factory=list, init=False, repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(self.content).digest()
        object.__setattr__(self, "integrity", f"sha256-{base64.b64encode(digest).decode()}")

    @property
    def media_type(self) -> str:
        """The content's type, for HTTP."""
        return MEDIA_TYPES[PurePosixPath(self.name).suffix]

    @property
    def is_compressible(self) -> bool:
        """Whether gzip makes it smaller."""
        return PurePosixPath(self.name).suffix in _COMPRESSIBLE

    def gzipped(self) -> bytes:
        """Compresses the content, once: that of the WebAssembly takes half a second."""
        with self._lock:
            if not self._zipped:
                self._zipped.append(gzip.compress(self.content, 6, mtime=0))
            return self._zipped[0]


@dataclass(frozen=True, eq=False)
class Page:
    """The page.

    Attributes:
        files: Its files by their URLs, relative to the page.
        version: Sum of all of them, hex digits.
    """

    files: Mapping[str, PageFile]
    version: str


def page_files(bundle: Bundle, *, server: bool, key: bool = False) -> Page:
    """Describes the page's files.

    Args:
        bundle: What the page reads with on the device; a server reads with the same.
        server: Whether there is the HTTP API beside the page.
        key: Whether it wants a key.
    """
    contents: dict[str, bytes] = {}
    for path in sorted(WEB.rglob("*")):
        name = path.relative_to(WEB).as_posix()
        hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
        # Of ONNX Runtime's folder only what is whole is a part of the page.
        if path.suffix in MEDIA_TYPES and path.is_file() and not hidden and not name.startswith("onnxruntime/"):
            contents[name if name in _BESIDE_THE_PAGE else f"static/{name}"] = path.read_bytes()
    engine = runtime.load()
    contents |= {f"static/onnxruntime/{name}": content for name, content in engine.items()}
    contents["static/model/model.json"] = bundle.info.model_dump_json(indent=2).encode()
    contents["static/model/model.onnx"] = bundle.onnx
    contents["static/model/english.npz"] = _ENGLISH.read_bytes()
    config: dict[str, Any] = {"server": server, "device": bool(engine), "version": penread.__version__}
    if key:
        config["key"] = True
    contents["config.json"] = _json({**config, "unclear_above": bundle.info.rejection.get("unclear")})

    worker = contents.pop("sw.js")
    described = {name: PageFile(name, content) for name, content in sorted(contents.items())}
    sums = "\n".join(
        [hashlib.sha256(worker).hexdigest(), *(f"{each.integrity} {each.name}" for each in described.values())]
    )
    version = hashlib.sha256(sums.encode()).hexdigest()
    # Without the engine the rest of reading on the device is of no use.
    device = [name for name in described if name.startswith(_DEVICE) and name not in _AT_THE_START]
    offline = [name for name in described if not name.startswith(_NOT_OFFLINE)]
    release = {
        "version": version,
        "shell": {_asked_for(name): described[name].integrity for name in offline if name not in device},
        "device": {name: described[name].integrity for name in offline if name in device and engine},
    }
    described["sw.js"] = PageFile("sw.js", b"self.RELEASE = " + _json(release) + b";\n" + worker)
    return Page(described, version)


def write_site(page: Page, directory: Path) -> None:
    """Writes the page into a folder, as static files for any web host.

    An older site in the folder is replaced: its files that the page no longer has are deleted, and no other.

    Args:
        page: The page, with the files of the device.
        directory: The folder; it is made.

    Raises:
        InputError: The folder has files that are not an older site's, in the way.
        PenreadError: The page can't read on the device, and there will be no server.
    """
    if not json.loads(page.files["config.json"].content)["device"]:
        raise PenreadError("The page on a web host reads on the device, with ONNX Runtime: run penread runtime first.")
    older = _older_site(directory)
    for name in page.files:
        _check_place(directory, name, is_ours=name in older)
    # Whenever this is broken off, the next time all that was written is known as ours.
    _mark(directory, older | set(page.files), page.version)
    # The service worker comes last: it fetches the others.
    for name in sorted(page.files, key=lambda name: (name == "sw.js", name)):
        write_bytes(directory / name, page.files[name].content)
    for name in sorted(older - set(page.files)):
        (directory / name).unlink(missing_ok=True)
        for folder in list((directory / name).parents)[: len(PurePosixPath(name).parts) - 1]:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    _mark(directory, set(page.files), page.version)


def _older_site(directory: Path) -> set[str]:
    """Lists the files in a folder that this program wrote, and makes sure that others may be written there."""
    if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
        return set()
    if not directory.is_dir():
        raise InputError(f"{directory} is a file: name a folder, new or empty.")
    try:
        names = json.loads((directory / MARKER).read_bytes())["files"]
        # Whoever may have edited the list, what is outside of the folder is nobody's business here.
        return {str(name) for name in names if _is_inside(directory, name) and not (directory / name).is_dir()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{directory} is not empty, and not an older site that penread wrote: name a new folder, or an empty one."
        ) from error


def _check_place(directory: Path, name: str, *, is_ours: bool) -> None:
    """Refuses to write a file over what isn't ours, or through a link."""
    if not _is_inside(directory, name):
        raise InputError(f"{directory / name} leads out of the folder by a link: take the link away.")
    folders = list((directory / name).parents)[: len(PurePosixPath(name).parts) - 1]
    taken = [folder for folder in folders if folder.exists() and not folder.is_dir()]
    if (directory / name).is_dir() or ((directory / name).exists() and not is_ours):
        taken.append(directory / name)
    if taken:
        raise InputError(f"{taken[0]} is in the way and was not written by penread site: move it away.")


def _is_inside(directory: Path, name: str) -> bool:
    """Tells whether a file of that name would lie in the folder, wherever links lead."""
    whole = directory.resolve()
    found = (directory / name).resolve()
    return found.is_relative_to(whole) and found != whole and found == whole / name


def _mark(directory: Path, names: set[str], version: str) -> None:
    write_bytes(directory / MARKER, _json({"version": version, "files": sorted(names)}))


def _asked_for(name: str) -> str:
    # The page itself goes by the name of its folder: some hosts lead from its file's name to there.
    return "" if name == "index.html" else name


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()

"""ONNX Runtime for browsers, with which the page reads on the visitor's own device.

It comes from npm's registry, pinned, and is kept neither in the repository nor in the wheel:

    penread runtime
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import os
import tarfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from penread.errors import PenreadError
from penread.files import write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

#: Where the files are kept: beside the page's own.
DIRECTORY = Path(str(files("penread") / "web" / "onnxruntime"))

_REGISTRY = "https://registry.npmjs.org"
_TRIES = 4
_TIMEOUT_S = 60
_CHUNK_BYTES = 1 << 18
_MAX_BYTES = 100 * 1000 * 1000


@dataclass(frozen=True)
class Package:
    """A release of a package in npm's registry, and what is wanted of it.

    Attributes:
        name: Its name.
        version: Its version.
        sha512: Sum of the archive as npm writes it, base64.
        wanted: The files to take out of the archive's ``dist``, with their SHA-256, hex digits.
    """

    name: str
    version: str
    sha512: str
    wanted: dict[str, str]

    def url(self, registry: str) -> str:
        """Gives the archive's address.

        Args:
            registry: The registry's address.
        """
        return f"{registry.rstrip('/')}/{self.name}/-/{self.name}-{self.version}.tgz"


#: The release that the page is tested with.
PINNED = Package(
    "onnxruntime-web",
    "1.30.0",
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    {
        "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
        "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
        "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    },
)

#: The archive names its licence, but has no copy of it, which must go wherever the files go.
LICENSE = """\
ONNX Runtime Web, https://github.com/microsoft/onnxruntime
What it is made with: https://github.com/microsoft/onnxruntime/blob/main/ThirdPartyNotices.txt

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


class _Unreachable(Exception):  # noqa: N818 - it never leaves this module
    """A download that may go better the next time."""


def load(directory: Path | None = None, package: Package = PINNED) -> dict[str, bytes]:
    """Reads the files that were fetched, with their licence.

    Args:
        directory: Where they are kept; ``DIRECTORY`` where None.
        package: The release they must be of.

    Returns:
        Their contents by name; none where one is missing, or is not the pinned release's.
    """
    directory = directory or DIRECTORY
    try:
        contents = {name: (directory / name).read_bytes() for name in package.wanted}
    except OSError:
        return {}
    if any(hashlib.sha256(contents[name]).hexdigest() != sum_ for name, sum_ in package.wanted.items()):
        return {}
    return {**contents, "LICENSE.txt": LICENSE.encode()}


def fetch(
    directory: Path | None = None,
    *,
    archive: Path | None = None,
    registry: str | None = None,
    package: Package = PINNED,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    pause_s: float = 1,
) -> bool:
    """Fetches the files, unless they are there and whole. What is there afterwards is whole, or as it was.

    Args:
        directory: Where to put them; ``DIRECTORY`` where None.
        archive: The package's archive, where it was downloaded by other means.
        registry: The registry's address; where None, the one that the environment's ``npm_config_registry`` names,
            as for npm itself, else npm's own.
        package: The release to fetch.
        progress: Called with the bytes that have come, and all there are or 0.
        pause_s: Seconds before the second try; each further pause is twice as long.

    Returns:
        Whether anything had to be fetched.

    Raises:
        PenreadError: The archive can't be downloaded or read, or is not the pinned one.
    """
    directory = directory or DIRECTORY
    if load(directory, package):
        return False
    if archive is not None:
        content, source = archive.read_bytes(), str(archive)
    else:
        source = package.url(registry or _registry())
        content = _download(source, progress, pause_s)
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != package.sha512:
        raise PenreadError(
            f"{source} is not {package.name} {package.version} as npm's registry has it: its SHA-512 differs. "
            "Nothing was kept. A registry set by npm_config_registry may have answered with something else."
        )
    for name, unpacked in _unpack(content, package).items():
        write_bytes(directory / name, unpacked)
    write_bytes(directory / "LICENSE.txt", LICENSE.encode())
    return True


def _registry() -> str:
    return os.environ.get("npm_config_registry") or os.environ.get("NPM_CONFIG_REGISTRY") or _REGISTRY  # noqa: SIM112 - npm's own way to write it


def _download(url: str, progress: Callable[[int, int], None], pause_s: float) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise PenreadError(f"npm_config_registry must start with https:// or http://; this leads to {url}")
    problem = ""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(pause_s * 2 ** (attempt - 1))
        try:
            return _try_download(url, progress)
        except _Unreachable as error:
            problem = str(error)
    raise PenreadError(
        f"Could not download {url}: {problem}. Nothing was kept. Try again; or behind a proxy set https_proxy; or name "
        "a mirror of npm's registry in npm_config_registry; or download this file elsewhere and give it: "
        "penread runtime --archive FILE"
    )


def _try_download(url: str, progress: Callable[[int, int], None]) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:  # noqa: S310 - http and https only, see above
            total_bytes = int(response.headers.get("Content-Length") or 0)
            content = io.BytesIO()
            while chunk := response.read(_CHUNK_BYTES):
                content.write(chunk)
                if content.tell() > _MAX_BYTES:
                    raise PenreadError(f"{url} is larger than {_MAX_BYTES:,} bytes: it is not the package.")
                progress(content.tell(), total_bytes)
    except urllib.error.HTTPError as error:
        # What a server refuses it refuses the next time, too, unless it is only busy.
        if error.code < 500 and error.code != 429:
            raise PenreadError(
                f"Could not download {url}: the registry answered {error.code} {error.reason}. "
                "Is npm_config_registry a mirror that lacks the package?"
            ) from error
        raise _Unreachable(f"the registry answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _Unreachable(str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Unreachable(str(error) or type(error).__name__) from error
    if content.tell() < total_bytes:
        raise _Unreachable(f"the connection ended after {content.tell():,} of {total_bytes:,} bytes")
    return content.getvalue()


def _unpack(archive: bytes, package: Package) -> dict[str, bytes]:
    unpacked = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for name, sum_ in package.wanted.items():
            try:
                member = tar.extractfile(f"package/dist/{name}")
            except KeyError:
                member = None
            content = member.read() if member else b""
            if hashlib.sha256(content).hexdigest() != sum_:
                raise PenreadError(f"{package.name} {package.version} has another {name} than is pinned. Report it.")
            unpacked[name] = content
    return unpacked

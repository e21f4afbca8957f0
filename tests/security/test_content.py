"""Hostile images and bodies: bombs, lies and nonsense are refused in words, and take neither memory nor the service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.conftest import ROOT, serving
from tests.security.bombs import FORM, JSON, as_json, bodies, form, images, letter
from tests.security.wire import PREDICT, Held, reads_as_ever

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = images()
BODIES = bodies()
# Those that are read as what they are, since what is odd about them isn't the picture.
READABLE = {
    "a small PNG of 200 MB of data",
    "a TIFF of strips without rows",
    "a TIFF whose pages go in a circle",
    "a TIFF of 20,000 pages",
    "a GIF of 100,000 frames",
    "a JPEG with EXIF in a circle",
    "a JPEG with megabytes of EXIF",
    "a JPEG of several pictures, it says",
    "a JPEG with profiles of 255 parts",
    "a PNG with zipped text",
    "a PNG with text in a language",
    "a PNG with a colour profile",
    "a PNG of 10,000 texts",
    "a WebP of a size that isn't so",
}
# Far less than what the bombs unzip to, and about what the largest picture takes that is allowed.
MAX_PEAK_BYTES = 200e6


@pytest.fixture(scope="module")
def attacked() -> Iterator[tuple[str, int]]:
    """A server: its address and its process."""
    with serving("--log-level", "warning") as (address, process):
        for path in (PREDICT, "/api/v1/read"):
            httpx2.post(address + path, files={"image": ("a", letter())}, timeout=60).raise_for_status()
        yield address, process.pid


def peak_bytes(pid: int) -> int:
    """The most memory that a process had since it was last asked to forget it."""
    lines = Path("/proc", str(pid), "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def post(attacked: tuple[str, int], path: str, content: bytes, kind: str) -> httpx2.Response:
    """Sends a body; checks that it takes little memory, and that a refusal says something."""
    address, pid = attacked
    Path("/proc", str(pid), "clear_refs").write_text("5")
    before = Held.by(pid).memory_bytes
    headers = {"content-type": kind} if kind else {}
    response = httpx2.post(address + path, content=content, headers=headers, timeout=60)
    assert peak_bytes(pid) - before < MAX_PEAK_BYTES
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text
    if response.status_code != 200:
        assert response.headers["content-type"] == "application/problem+json"
        assert 0 < len(response.json()["detail"]) < 1_000
    reads_as_ever(address)
    return response


@pytest.mark.parametrize("name", IMAGES)
def test_hostile_images(attacked: tuple[str, int], name: str) -> None:
    for path in (PREDICT, "/api/v1/read"):
        statuses = {
            post(attacked, path, form(IMAGES[name]), FORM).status_code,
            post(attacked, path, as_json(IMAGES[name]), JSON).status_code,
        }
        assert statuses <= ({200, 422} if name in READABLE else {422})
        assert len(statuses) == 1


@pytest.mark.parametrize("name", BODIES)
def test_hostile_bodies(attacked: tuple[str, int], name: str) -> None:
    kind, content = BODIES[name]
    for path in (PREDICT, "/api/v1/read", "/api/v1/explain"):
        assert post(attacked, path, content, kind).status_code in {400, 413, 415, 422}


def test_the_last_of_a_field_that_is_there_twice_counts(attacked: tuple[str, int]) -> None:
    content = b'{"strokes": [], "top_k": 0, "strokes": [[[5, 0], [5, 40], [30, 40]]], "top_k": 1}'
    response = post(attacked, PREDICT, content, JSON)
    assert [each["char"] for each in response.json()["candidates"]] == ["L"]


def test_hundreds_of_broken_files_and_bodies() -> None:
    """The whole of it is thousands; what is broken is a function of the seed."""
    script = str(ROOT / "benchmarks" / "serving" / "malformed.py")
    env = {**os.environ, "COLUMNS": "120", "PENREAD_PORT": "0"}
    command = [sys.executable, script, "--cases", "300", "--seed", "1"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [line.split("│")[1:-1] for line in ended.stdout.splitlines() if line.startswith("│")]
    heading = next(line for line in ended.stdout.splitlines() if "broken" in line)
    assert heading.replace("┃", " ").split() == ["broken", "200", "400", "422"]
    counts = [int(cell) for cell in rows[-1][1:]]
    assert sum(counts) == 300
    assert min(counts) > 0

"""What the image is made of, without a container engine: its pinned packages, its commands, what it may write."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from typing import TYPE_CHECKING

import httpx2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from penread import Ink
from penread.server.settings import Settings
from tests.conftest import ROOT, STROKES_L, serving

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# The system that an image has, with each Python that penread runs on.
SYSTEMS = [
    {
        "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": machine,
        "python_version": version, "python_full_version": f"{version}.0", "implementation_name": "cpython",
        "platform_python_implementation": "CPython", "extra": "",
    }
    for machine in ("x86_64", "aarch64")
    for version in ("3.11", "3.12", "3.13")
]  # fmt: skip


def pinned(name: str) -> dict[str, tuple[Requirement, list[str]]]:
    """The packages of a requirements file, with their hashes."""
    text = (ROOT / "deploy" / name).read_text("utf-8")
    found: dict[str, tuple[Requirement, list[str]]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            wanted, *hashes = re.split(r"\s+--hash=sha256:", line.strip())
            requirement = Requirement(wanted)
            found[canonicalize_name(requirement.name)] = (requirement, hashes)
    return found


def version_of(requirement: Requirement) -> str:
    [specifier] = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def constrained() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return {canonicalize_name(each.name): version_of(each) for each in map(Requirement, lines)}


@pytest.mark.parametrize("name", ["requirements.txt", "build-requirements.txt"])
def test_every_package_is_pinned_by_its_hashes(name: str) -> None:
    packages = pinned(name)
    assert packages
    for requirement, hashes in packages.values():
        assert version_of(requirement)
        assert hashes
        assert all(re.fullmatch(r"[0-9a-f]{64}", each) for each in hashes), requirement
    # Where they come from is the builder's affair.
    text = (ROOT / "deploy" / name).read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("name", ["requirements.txt", "build-requirements.txt"])
def test_the_versions_are_those_that_are_tested(name: str) -> None:
    tested = constrained()
    for package, (requirement, _) in pinned(name).items():
        on_linux = [system for system in SYSTEMS if not requirement.marker or requirement.marker.evaluate(system)]
        if on_linux and (name == "requirements.txt" or package in tested):
            assert tested.get(package) == version_of(requirement), f"{package}: run `make deploy/requirements.txt`"


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("requirements.txt", PROJECT["project"]["dependencies"]),
        ("build-requirements.txt", PROJECT["build-system"]["requires"]),
    ],
)
def test_nothing_is_missing(name: str, asked: list[str]) -> None:
    """pip refuses what a package wants and the file hasn't; that must not wait for the next image."""
    packages = pinned(name)
    for line in asked:
        requirement = Requirement(line)
        package, _ = packages[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version_of(package)), line
    if name == "build-requirements.txt":
        return
    for system in SYSTEMS:
        waiting = [Requirement(line) for line in asked]
        seen: set[str] = set()
        while waiting:
            wanted = waiting.pop()
            name_and_extras = f"{canonicalize_name(wanted.name)}{sorted(wanted.extras)}"
            if name_and_extras in seen:
                continue
            seen.add(name_and_extras)
            assert canonicalize_name(wanted.name) in packages, f"{wanted}: run `make deploy/requirements.txt`"
            for line in requires(wanted.name) or []:
                further = Requirement(line)
                extras = wanted.extras or {""}
                if not further.marker or any(further.marker.evaluate({**system, "extra": extra}) for extra in extras):
                    waiting.append(further)


def test_what_is_copied_is_let_through() -> None:
    """The build's context begins with nothing; a file that is copied and not named there breaks the image alone."""
    first, *let_through = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line]
    assert first == "*"
    allowed = [line[1:] for line in let_through if line.startswith("!")]
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    assert {"src", "pyproject.toml", "deploy/requirements.txt"} <= set(copied)
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / source).exists() for source in copied)
    secret = ["deploy/.env", "deploy/certs/privkey.pem", ".git", "tests", ".venv"]
    assert not any(fnmatch.fnmatch(name, pattern) for name in secret for pattern in allowed)


def test_what_the_build_reads_is_copied() -> None:
    """The wheel takes its readme and its licence from files, and penread runs from what is in it."""
    copied = " ".join(re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)).split()
    assert PROJECT["project"]["readme"] in copied
    assert set(PROJECT["project"]["license-files"]) <= set(copied)


def test_the_health_check_tells_a_server_that_answers_from_one_that_does_not() -> None:
    [found] = re.findall(r"^HEALTHCHECK .*?CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    command = json.loads(found)
    assert command[0] == "python3"
    command[0] = sys.executable
    with serving() as (address, _):
        env = {**os.environ, "PENREAD_PORT": address.rpartition(":")[2]}
        healthy = subprocess.run(command, env=env, capture_output=True, text=True)
        assert healthy.returncode == 0, healthy.stderr
    ended = subprocess.run(command, env=env, capture_output=True, text=True)
    assert ended.returncode != 0


def test_the_images_variables_are_settings() -> None:
    named = set(re.findall(r"\bPENREAD_(\w+)=", DOCKERFILE))
    assert {"HOST", "PORT"} <= named
    assert {name.lower() for name in named} <= set(Settings.model_fields)
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    assert re.search(r"^EXPOSE 8000$", DOCKERFILE, re.MULTILINE)


# Python asks this hook before it opens, makes, renames or removes anything.
_READ_ONLY = """
import os, sys

ALLOWED = os.environ["TMPDIR"]
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NAMES = {
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.utime",
}


def refuse(event, args):
    if event == "open" and not (isinstance(args[2], int) and args[2] & WRITES):
        return
    if event not in NAMES and event != "open":
        return
    for path in args[: 2 if event in {"os.rename", "os.link", "os.symlink"} else 1]:
        if isinstance(path, (str, bytes, os.PathLike)):
            path = os.path.abspath(os.fsdecode(path))
            if not path.startswith((ALLOWED + "/", "/dev/", "/proc/")) and path != ALLOWED:
                raise OSError(30, f"Read-only file system ({event})", path)


sys.addaudithook(refuse)
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_where_only_tmp_can_be_written(workers: str, tmp_path: Path) -> None:
    hook, scratch = tmp_path / "hook", tmp_path / "tmp"
    hook.mkdir()
    scratch.mkdir()
    (hook / "sitecustomize.py").write_text(_READ_ONLY)
    env = {
        **os.environ, "PYTHONPATH": str(hook), "TMPDIR": str(scratch), "HOME": "/nonexistent",
        "PYTHONDONTWRITEBYTECODE": "1", "PENREAD_WORKERS": workers,
    }  # fmt: skip
    elsewhere = tmp_path / "elsewhere"
    refused = subprocess.run(
        [sys.executable, "-c", f"open({str(elsewhere)!r}, 'w')"], env=env, capture_output=True, text=True
    )
    assert "Read-only file system" in refused.stderr
    with serving(env=env) as (address, process):
        for _ in range(4):
            answer = httpx2.post(f"{address}/api/v1/predict", json={"strokes": STROKES_L})
            assert answer.json()["char"] == "L"
        # A form this large is kept in a file while it arrives.
        large = b"P5 28 28 255\n" + (255 - Ink(STROKES_L).glyph()).tobytes() + bytes(4_000_000)
        form = httpx2.post(f"{address}/api/v1/predict", files={"image": ("l.pgm", large)}, timeout=60)
        assert form.json()["char"] == "L", form.text
        assert httpx2.get(f"{address}/metrics").status_code == 200
        assert httpx2.get(f"{address}/").status_code == 200
    assert process.returncode == 0
    assert not elsewhere.exists()

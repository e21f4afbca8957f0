"""Thousands of broken images and bodies against a server: none may bring an answer 5xx, an end, or memory that grows.

    python benchmarks/serving/malformed.py --cases 5000

Real files of every format are cut, flipped, shuffled and stuck together, and so are bodies of JSON and forms around
them. What is sent is a function of the seed. Prints a table of the answers by kind, and the memory of the server.
"""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import httpx2
import numpy as np
import typer
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATHS = ("/api/v1/predict", "/api/v1/read", "/api/v1/explain")
# Cases until every format's decoder, every route and every thread has had its first; of few cases, half of them.
WARM_UP = 500
#: The growth of memory after the warm-up that is taken for none: Python's and the decoders' pools breathe.
MAX_GROWTH_BYTES = 64 * 1024 * 1024

_JSON = "application/json"


class Case(NamedTuple):
    """A request.

    Attributes:
        kind: What it was made of.
        path: Where it goes.
        content_type: What it says that it is.
        body: What it is.
    """

    kind: str
    path: str
    content_type: str
    body: bytes


def _originals() -> dict[str, bytes]:
    """Makes images of two letters in every format and in modes that decoders have code of their own for."""
    image = Image.new("L", (160, 120), 245)
    pen = ImageDraw.Draw(image)
    pen.line([(20, 20), (20, 100), (60, 100)], 10, 9)
    pen.line([(90, 20), (150, 20)], 10, 9)
    pen.line([(120, 20), (120, 100)], 10, 9)
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds: dict[str, tuple[str, str, dict[str, object]]] = {
        "PNG": ("RGBA", "PNG", {}),
        "PNG, palette": ("P", "PNG", {}),
        "PNG, 16 bits": ("I;16", "PNG", {}),
        "PNG, 1 bit": ("1", "PNG", {}),
        "JPEG": ("RGB", "JPEG", {"exif": exif.tobytes()}),
        "JPEG, progressive": ("L", "JPEG", {"progressive": True}),
        "WebP": ("RGB", "WEBP", {}),
        "WebP, lossless": ("RGBA", "WEBP", {"lossless": True}),
        "GIF": ("P", "GIF", {}),
        "GIF, frames": ("P", "GIF", {"save_all": True, "append_images": [image.rotate(9).convert("P")] * 3}),
        "BMP": ("RGB", "BMP", {}),
        "BMP, 1 bit": ("1", "BMP", {}),
        "TIFF": ("RGB", "TIFF", {"compression": "raw"}),
        "TIFF, LZW": ("L", "TIFF", {"compression": "tiff_lzw"}),
        "TIFF, fax": ("1", "TIFF", {"compression": "group4"}),
        "PPM": ("RGB", "PPM", {}),
    }
    originals = {}
    for name, (mode, kind, options) in kinds.items():
        content = io.BytesIO()
        converted = (
            Image.fromarray(np.asarray(image).astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
        )
        converted.save(content, kind, **options)
        originals[name] = content.getvalue()
    return originals


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(len(content))]


def _flip(content: bytes, rng: np.random.Generator) -> bytes:
    """Turns bits over, mostly in the head, where sizes and offsets are."""
    broken = bytearray(content)
    reach = len(broken) if rng.random() < 0.5 else min(len(broken), 64)
    for place in rng.integers(reach, size=rng.integers(1, 9)):
        broken[place] ^= 1 << int(rng.integers(8))
    return bytes(broken)


def _swap(content: bytes, rng: np.random.Generator) -> bytes:
    """Takes two pieces out and puts each in the other's place."""
    a, b, c, d = np.sort(rng.integers(len(content) + 1, size=4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _repeat(content: bytes, rng: np.random.Generator) -> bytes:
    a, b = np.sort(rng.integers(len(content) + 1, size=2))
    return content[:b] + content[a:b] * int(rng.integers(1, 9)) + content[b:]


def _extremes(content: bytes, rng: np.random.Generator) -> bytes:
    """Writes the numbers that are one too many, or far too many."""
    broken = bytearray(content)
    value = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\x01"]
    place = int(rng.integers(min(len(broken), 128)))
    chosen = value[rng.integers(len(value))]
    broken[place : place + len(chosen)] = chosen
    return bytes(broken)


def _noise(content: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(content)))
    return content[:place] + rng.bytes(len(content) - place)


BREAKERS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (_cut, _flip, _swap, _repeat, _extremes, _noise)


def _form(image: bytes, fields: dict[str, str]) -> bytes:
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    ]
    file = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + image + b"\r\n"
    return "".join(parts).encode() + file + b"--x--\r\n"


def cases(count: int, seed: int) -> Iterator[Case]:
    """Makes broken requests.

    Args:
        count: How many.
        seed: What they are a function of.
    """
    rng = np.random.default_rng(seed)
    originals = _originals()
    names = list(originals)
    drawing = {"strokes": [[[5, 0], [5, 40], [30, 40]]], "top_k": 3, "charset": "upper", "unclear_above": 0.5}
    for number in range(count):
        path = PATHS[rng.integers(len(PATHS))]
        breaker = BREAKERS[number % len(BREAKERS)]
        name = names[number // len(BREAKERS) % len(names)]
        image = originals[name]
        match number % 5:
            case 0 | 1:
                broken = breaker(image, rng)
                yield Case(name, path, "multipart/form-data; boundary=x", _form(broken, {}))
            case 2:
                text = base64.b64encode(breaker(image, rng)).decode()
                yield Case(name, path, _JSON, json.dumps({"image": text}).encode())
            case 3:
                body = json.dumps(drawing if rng.random() < 0.7 else {"image": base64.b64encode(image).decode()})
                yield Case("JSON", path, _JSON, breaker(body.encode(), rng))
            case _:
                form = _form(image, {"top_k": "3", "charset": "upper"})
                # The file is most of the form: what is around it is broken as often.
                head = form.index(image)
                broken = breaker(form, rng) if rng.random() < 0.3 else breaker(form[:head], rng) + form[head:]
                yield Case("form", path, "multipart/form-data; boundary=x", broken)


class Outcome(NamedTuple):
    """What became of the cases.

    Attributes:
        statuses: How often each status was answered, by kind.
        memory_bytes: The memory of the server after the warm-up, and in the end.
        slowest: The slowest request: seconds and the case.
        failed: Cases that were answered 5xx, or not at all.
    """

    statuses: dict[str, Counter[int]]
    memory_bytes: tuple[int, int]
    slowest: tuple[float, Case | None]
    failed: list[tuple[int, Case]]


def attack(address: str, pid: int, count: int, seed: int) -> Outcome:
    """Sends broken requests to a server, one after the other.

    Args:
        address: The server's address.
        pid: Its process.
        count: How many requests.
        seed: What they are a function of.
    """
    statuses: dict[str, Counter[int]] = defaultdict(Counter)
    failed: list[tuple[int, Case]] = []
    slowest: tuple[float, Case | None] = (0.0, None)
    first = _memory_bytes(pid)
    with httpx2.Client(base_url=address, timeout=120) as client:
        for number, case in enumerate(cases(count, seed)):
            begun = time.perf_counter()
            try:
                status = client.post(
                    case.path, content=case.body, headers={"content-type": case.content_type}
                ).status_code
            except httpx2.TransportError:
                status = 0
            took_s = time.perf_counter() - begun
            if took_s > slowest[0]:
                slowest = (took_s, case)
            statuses[case.kind][status] += 1
            if status == 0 or status >= 500:
                failed.append((number, case))
            if number + 1 == warm_up(count):
                first = _memory_bytes(pid)
    return Outcome(dict(statuses), (first, _memory_bytes(pid)), slowest, failed)


def warm_up(count: int) -> int:
    """After how many requests of so many the memory is looked at first."""
    return min(WARM_UP, count // 2)


def _memory_bytes(pid: int) -> int:
    """Looks up the resident memory of a process."""
    return int(Path("/proc", str(pid), "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _serving() -> Iterator[tuple[str, int]]:
    """Runs ``penread serve`` on a free port; gives its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    penread = Path(sys.executable).with_name("penread")
    process = subprocess.Popen([penread, "serve", "--port", str(port), "--log-level", "error"])  # noqa: S603 - ours
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx2.get(f"{address}/healthz").raise_for_status()
                break
            except httpx2.TransportError:
                if process.poll() is not None:
                    raise SystemExit("penread serve didn't start.") from None
                time.sleep(0.05)
        yield address, process.pid
        if process.poll() is not None:
            raise SystemExit(f"penread serve ended with {process.returncode}.")
    finally:
        process.terminate()
        process.wait(timeout=30)


def main(
    cases: Annotated[int, typer.Option(min=1, help="How many requests.")] = 5000,
    seed: Annotated[int, typer.Option(help="What they are a function of.")] = 0,
) -> None:
    """Send broken requests to a server of its own, and print how it answered."""
    with _serving() as (address, pid):
        outcome = attack(address, pid, cases, seed)
        drawing = {"strokes": [[[5, 0], [5, 40], [30, 40]]]}
        is_well = httpx2.post(address + PATHS[0], json=drawing).json()["char"] == "L"
    console = Console()
    found = sorted({status for counts in outcome.statuses.values() for status in counts})
    table = Table("broken", *(str(status) if status else "no answer" for status in found))
    for kind, counts in outcome.statuses.items():
        table.add_row(kind, *(f"{counts[status]:,}" for status in found))
    table.add_section()
    table.add_row("all", *(f"{sum(counts[status] for counts in outcome.statuses.values()):,}" for status in found))
    console.print(table)
    first, last = outcome.memory_bytes
    slowest_s, slowest = outcome.slowest
    console.print(f"memory: {first / 1e6:.0f} MB after {warm_up(cases):,} requests, {last / 1e6:.0f} MB in the end")
    if slowest:
        console.print(f"slowest: {slowest_s:.2f} s, {slowest.kind} at {slowest.path}")
    for number, case in outcome.failed:
        console.print(f"failed: case {number}, {case.kind} at {case.path}")
    if outcome.failed or not is_well or last - first > MAX_GROWTH_BYTES:
        raise SystemExit("The server failed, or its memory grew.")


if __name__ == "__main__":
    typer.run(main)

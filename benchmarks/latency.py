"""Times the steps from strokes or an image to a prediction on one CPU thread, pages, and a server's answer.

    python benchmarks/latency.py

Medians over many calls of the same L; a start is a whole process, from nothing to its first answer. The page is a
photograph of 12 megapixels with 400 characters, made here; its memory is what a process needs at most to read it.
"""

from __future__ import annotations

import io
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

from penread import Ink, Recognizer, to_glyph

if TYPE_CHECKING:
    from collections.abc import Callable

_STROKES = [[[5.0, 0.0], [5.0, 20.0], [5.0, 40.0], [18.0, 40.0], [30.0, 40.0]]]


def median_ms(call: Callable[[], object], calls: int = 500) -> float:
    """Gives the median time of a call, after a few to warm up."""
    for _ in range(min(calls, 10)):
        call()
    times = []
    for _ in range(calls):
        started_s = time.perf_counter()
        call()
        times.append(time.perf_counter() - started_s)
    return statistics.median(times) * 1e3


def start_to_answer_s() -> tuple[float, float]:
    """Starts a server; gives the time to its first answer, and the median time of a request after that, in ms."""
    import httpx2  # noqa: PLC0415 - of the test tools; the other rows do without

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started_s = time.perf_counter()
    command = [str(Path(sys.executable).with_name("penread")), "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:  # noqa: S603 - our own
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                while True:
                    try:
                        client.post("/api/v1/predict", json={"strokes": _STROKES}).raise_for_status()
                        break
                    except httpx2.TransportError:
                        time.sleep(0.01)
                first_s = time.perf_counter() - started_s
                return first_s, median_ms(lambda: client.post("/api/v1/predict", json={"strokes": _STROKES}), 200)
        finally:
            server.terminate()


def image_of_l() -> bytes:
    """Draws the L on 280×280 pixels, as a PNG."""
    image = Image.new("L", (280, 280), 255)
    for stroke in _STROKES:
        ImageDraw.Draw(image).line([(60 + 4 * x, 50 + 4 * y) for x, y in stroke], fill=0, width=16, joint="curve")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def photographed_page() -> bytes:
    """Makes a photograph of a page: 20 lines of 20 characters, 4000×3000 pixels, under a lamp, as a JPEG."""
    rng = np.random.default_rng(1)
    page = np.full((3000, 4000), 240.0, np.float32)
    letter = np.asarray(Image.open(io.BytesIO(image_of_l())).resize((110, 110)), np.float32)
    for line in range(20):
        for place in range(20):
            top, left = 80 + line * 143, 120 + place * 190 + int(rng.integers(0, 30))
            page[top : top + 110, left : left + 110] = letter * (240 / 255)
    rows, columns = np.mgrid[0:3000, 0:4000].astype(np.float32)
    page *= 1 - 0.4 * rows / 3000 * columns / 4000
    page += rng.normal(0, 4, page.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(page, 0, 255).astype(np.uint8)).convert("RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def page_memory_mb(page: bytes) -> float:
    """Reads the page in a process of its own; gives the most memory that it took."""
    code = (
        "import resource, sys; from penread import Recognizer; Recognizer().read(sys.stdin.buffer.read()); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=page, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own
    return int(done.stdout) / 1024


def main() -> None:
    """Prints the table."""
    recognizer = Recognizer()
    ink = Ink(_STROKES)
    glyph = ink.glyph()
    batch = np.repeat(glyph[None], 256, axis=0)
    starts = [start_to_answer_s() for _ in range(5)]
    table = Table("step", "median", title=f"{recognizer.info.name}, {recognizer.info.parameters:,} parameters")
    table.add_row("strokes to glyph", f"{median_ms(ink.glyph):.3f} ms")
    table.add_row("glyph to logits, one", f"{median_ms(lambda: recognizer.logits(glyph[None])):.3f} ms")
    table.add_row("glyph to logits, each of 256", f"{median_ms(lambda: recognizer.logits(batch), 20) / 256:.3f} ms")
    table.add_row("strokes to prediction", f"{median_ms(lambda: recognizer.predict(ink)):.3f} ms")
    image, page = image_of_l(), photographed_page()
    table.add_row("image of 280×280 to glyph", f"{median_ms(lambda: to_glyph(image)):.3f} ms")
    table.add_row("image of 280×280 to prediction", f"{median_ms(lambda: recognizer.predict(image)):.3f} ms")
    table.add_row("page, 12 megapixels, 400 characters", f"{median_ms(lambda: recognizer.read(page), 5) / 1e3:.2f} s")
    table.add_row("the same: memory at most", f"{page_memory_mb(page):,.0f} MB")
    table.add_row("request over HTTP on loopback", f"{statistics.median(each[1] for each in starts):.2f} ms")
    table.add_row("penread serve: start to first answer", f"{statistics.median(each[0] for each in starts):.2f} s")
    Console().print(table)


if __name__ == "__main__":
    main()

"""Times the steps from strokes to a prediction on one CPU thread, and from there to a server's answer.

    python benchmarks/latency.py

Medians over many calls of the same L; a start is a whole process, from nothing to its first answer.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from penread import Ink, Recognizer

if TYPE_CHECKING:
    from collections.abc import Callable

_STROKES = [[[5.0, 0.0], [5.0, 20.0], [5.0, 40.0], [18.0, 40.0], [30.0, 40.0]]]


def median_ms(call: Callable[[], object], calls: int = 500) -> float:
    """Gives the median time of a call, after a few to warm up."""
    for _ in range(10):
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
    table.add_row("request over HTTP on loopback", f"{statistics.median(each[1] for each in starts):.2f} ms")
    table.add_row("penread serve: start to first answer", f"{statistics.median(each[0] for each in starts):.2f} s")
    Console().print(table)


if __name__ == "__main__":
    main()

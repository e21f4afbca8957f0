"""Puts penread's own server under load: does it start fast, keep its memory, refuse in time, and end in order?

    python benchmarks/serving/load.py start
    python benchmarks/serving/load.py soak drawings/chars74k_hnd.json
    python benchmarks/serving/load.py overload drawings/chars74k_hnd.json
    python benchmarks/serving/load.py stop drawings/chars74k_hnd.json

Each prints what it found beside the bound that it should keep. Further options of ``penread serve`` are taken from the
environment, PENREAD_QUEUE and its like. The client shares the cores with the server: where it sends more than they can
carry, all times have its part in them.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from client import LOST, REFUSED, SILENT, Client, Load
from servers import Drawing, Kind, Running, answers_to, load_drawings, running, servers, wide_console

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2
    from client import Answers

app = typer.Typer(help=__doc__, add_completion=False)
Drawings = Annotated[Path, typer.Argument(help='A file of drawings: [{"label": "A", "strokes": [...]}, ...].')]

_START_S, _REST_MB = 1.5, 200
_GROWTH = 0.05
_TIMES_SLOWER, _REFUSAL_MS = 5, 50
_OVERLOAD = 10
# The flood keeps under PENREAD_MAX_CONNECTIONS, so that it is the queue that refuses; the rest is for the probe.
_FLOOD_CONNECTIONS, _PROBE_CONNECTIONS = 800, 100
_NAMES = {LOST: "closed", REFUSED: "refused", SILENT: "no answer"}
_PENREAD = "penread serve"


@contextmanager
def penread_serving(drawing: Drawing) -> Iterator[Running]:
    """Runs our server until the end of the block, from its first good answer on."""
    server = servers()[_PENREAD]
    with running(server, Path(sys.executable), answers_to(server, drawing, "strokes")) as started:
        yield started


def requests(started: Running, drawings: list[Drawing], kinds: tuple[Kind, ...]) -> list[bytes]:
    """Gives the bodies to send in turn: each drawing in each form."""
    return [started.server.request(drawing, kind) for drawing in drawings for kind in kinds]


def in_words(statuses: dict[int, int]) -> str:
    """Lists statuses with their counts."""
    return ", ".join(
        f"{_NAMES.get(status, str(status))}: {count:,}" for status, count in sorted(statuses.items())[::-1]
    )


def verdict(holds: bool) -> str:
    """Says whether a bound was kept."""
    return "kept" if holds else "[bold red]broken[/]"


@app.command()
def start(times: Annotated[int, typer.Option(min=1)] = 5, rest_s: Annotated[float, typer.Option(min=0)] = 3.0) -> None:
    """Time from the start to ready, and memory at rest."""

    def is_ready(client: httpx2.Client) -> bool:
        status = client.get("/v2/health/ready").status_code
        if status not in (200, 503):
            raise SystemExit(f"/v2/health/ready is answered {status}: it says 200 or 503.")
        return status == 200

    ready_s, pss_mb, rss_mb = [], [], []
    for _ in range(times):
        with running(servers()[_PENREAD], Path(sys.executable), is_ready) as started:
            ready_s.append(started.start_s)
            time.sleep(rest_s)
            pss_mb.append(started.memory_mb())
            rss_mb.append(started.memory_mb("Rss"))
    table = Table("measure", "median", "worst", "bound", "", title=f"{times} starts")
    for name, values, unit, bound in (
        ("start to ready", ready_s, "s", _START_S),
        ("memory at rest (PSS)", pss_mb, "MB", _REST_MB),
        ("memory at rest (RSS)", rss_mb, "MB", _REST_MB),
    ):
        median = statistics.median(values)
        digits = 2 if unit == "s" else 0
        table.add_row(
            name,
            f"{median:.{digits}f} {unit}",
            f"{max(values):.{digits}f} {unit}",
            f"{bound} {unit}",
            verdict(median <= bound),
        )
    wide_console().print(table)


@app.command()
def soak(
    drawings: Drawings,
    seconds: Annotated[float, typer.Option(min=1)] = 300.0,
    connections: Annotated[int, typer.Option(min=1)] = 64,
) -> None:
    """Errors and growth of memory, over minutes of strokes and drawings of 280×280 in turn."""
    samples = load_drawings(drawings)
    client = Client()
    memory: list[tuple[float, float]] = []
    try:
        with penread_serving(samples[0]) as started:
            at_rest_mb = started.memory_mb()
            bodies = requests(started, samples, ("strokes", "280×280 PNG"))
            begun = time.monotonic()
            going = client.start(Load(started.port, started.server.path, bodies, seconds, connections))
            while not going.done():
                memory.append((time.monotonic() - begun, started.memory_mb()))
                time.sleep(min(1.0, seconds / 50))
            answers = going.result()
            alive = started.process.poll() is None
    finally:
        client.close()
    warm_s = min(60.0, seconds / 5)
    window_s = seconds / 10
    early = [mb for at_s, mb in memory if warm_s <= at_s < warm_s + window_s]
    late = [mb for at_s, mb in memory if seconds - window_s <= at_s < seconds]
    growth = statistics.median(late) / statistics.median(early) - 1
    errors = {status: count for status, count in answers.statuses().items() if status != 200}
    table = Table("measure", "", "bound", "", title=f"{connections} connections for {seconds:g} s")
    table.add_row("answers", f"{answers.count(200):,}, {answers.per_s():,.0f} a second", "", "")
    table.add_row("others", in_words(errors) or "none", "none", verdict(not errors and alive))
    table.add_row("memory at rest", f"{at_rest_mb:.0f} MB", "", "")
    table.add_row(f"memory after {warm_s:.0f} s", f"{statistics.median(early):.1f} MB", "", "")
    table.add_row("memory at the end", f"{statistics.median(late):.1f} MB", "", "")
    table.add_row("growth between them", f"{growth:+.1%}", f"{_GROWTH:.0%}", verdict(growth < _GROWTH))
    wide_console().print(table)


@app.command()
def overload(
    drawings: Drawings,
    seconds: Annotated[float, typer.Option(min=1, help="Of the flood, and of the times without it.")] = 20.0,
) -> None:
    """Ten times as many requests as the server can answer: times of what is admitted and of what is refused.

    The flood comes at its rate whether answers come or not, over up to 800 connections. A probe of few requests, from
    a process of its own, sees what a user would see, through the flood and for some seconds after it.
    """
    samples = load_drawings(drawings)
    client = Client(2)
    try:
        for kind in ("strokes", "280×280 PNG"):
            with penread_serving(samples[0]) as started:
                _overload(started, requests(started, samples, (kind,)), client, seconds, kind)
    finally:
        client.close()


def _overload(started: Running, bodies: list[bytes], client: Client, seconds: float, kind: Kind) -> None:
    def load(duration_s: float, connections: int, rate: float | None = None, begin_at: float | None = None) -> Load:
        return Load(started.port, started.server.path, bodies, duration_s, connections, rate, begin_at)

    client.send(load(min(2.0, seconds), 8))
    alone = client.send(load(seconds, 1))
    capacity = max(client.send(load(max(seconds / 4, 0.5), connections)).per_s() for connections in (8, 16, 32, 64))

    rate = _OVERLOAD * capacity
    settle_s, after_s = seconds / 10, max(seconds / 4, 1.0)
    begin_at = time.monotonic() + 0.5
    ends_at = begin_at + seconds
    flooding = client.start(load(seconds, _FLOOD_CONNECTIONS, rate, begin_at))
    probing = client.start(
        load(seconds - settle_s + after_s, _PROBE_CONNECTIONS, max(capacity / 10, 20.0), begin_at + settle_s)
    )
    flood, probe = flooding.result(), probing.result()
    during, after = _part(probe, 0.0, ends_at), _part(probe, ends_at + 0.5, np.inf)

    alone_ms, bound_ms = alone.percentile_ms(99), _TIMES_SLOWER * alone.percentile_ms(99)
    table = Table(
        *("requests", "of them 200", "p50 of 200", "p99 of 200", "bound", "", "p99 of 503", "bound", "", "others"),
        title=f"{kind}: capacity {capacity:,.0f}/s; the flood {rate:,.0f}/s, of which "
        f"{len(flood.status) / seconds:,.0f}/s were sent",
    )
    for name, answers in (
        ("alone, one at a time", alone),
        ("the flood", flood),
        ("the probe, in the flood", during),
        ("the probe, 0.5 s after it", after),
    ):
        slow_ms, refused_ms = answers.percentile_ms(99), answers.percentile_ms(99, 503)
        others = {status: count for status, count in answers.statuses().items() if status not in (200, 503)}
        table.add_row(
            name,
            f"{answers.count(200):,} of {len(answers.status):,}",
            f"{answers.percentile_ms(50):.2f} ms" if answers.count(200) else "none",
            f"{slow_ms:.2f} ms, {slow_ms / alone_ms:.1f} times" if answers.count(200) else "none",
            f"{bound_ms:.1f} ms",
            verdict(slow_ms <= bound_ms),
            f"{refused_ms:.2f} ms" if answers.count(503) else "",
            f"{_REFUSAL_MS} ms" if answers.count(503) else "",
            verdict(refused_ms <= _REFUSAL_MS) if answers.count(503) else "",
            in_words(others),
        )
    wide_console().print(table)


def _part(answers: Answers, since: float, until: float) -> Answers:
    """Takes the requests that were sent, or due, in a span of ``time.monotonic()``."""
    kept = (answers.sent_at >= since) & (answers.sent_at < until)
    return type(answers)(
        answers.sent_at[kept],
        answers.latency_s[kept],
        answers.status[kept],
        max(answers.begun_at, since),
        min(answers.begun_at + answers.duration_s, until) - max(answers.begun_at, since),
        answers.not_sent,
    )


@app.command()
def stop(
    drawings: Drawings,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of load, before SIGTERM.")] = 5.0,
    connections: Annotated[int, typer.Option(min=1)] = 64,
) -> None:
    """SIGTERM under load: is all that was sent before it answered, and does the server end in order?"""
    samples = load_drawings(drawings)
    client = Client()
    try:
        with penread_serving(samples[0]) as started:
            bodies = requests(started, samples, ("strokes", "280×280 PNG"))
            going = client.start(Load(started.port, started.server.path, bodies, seconds + 2, connections))
            time.sleep(seconds)
            signalled_at = time.monotonic()
            status, took_s = started.stop()
            answers = going.result()
    finally:
        client.close()
    in_flight = (answers.sent_at < signalled_at) & (answers.sent_at + answers.latency_s >= signalled_at)
    before = _part(answers, 0.0, signalled_at)
    later = _part(answers, signalled_at, np.inf)
    unanswered = sum(count for each, count in before.statuses().items() if each <= 0)
    table = Table("measure", "", "bound", "", title=f"SIGTERM with {connections} connections")
    table.add_row("sent before it", in_words(before.statuses()), "all answered", verdict(not unanswered))
    table.add_row("of these still unanswered when it came", f"{int(in_flight.sum())}", "", "")
    table.add_row("sent after it, and connections tried", in_words(later.statuses()) or "none", "", "")
    table.add_row("SIGTERM to the end", f"{took_s:.2f} s", "", "")
    table.add_row("exit status", f"{status}", "0", verdict(status == 0))
    wide_console().print(table)


if __name__ == "__main__":
    app()

"""Measures penread's server beside what people would use instead, all with the same model.onnx, in one run.

    python -m venv .venv-serving && .venv-serving/bin/pip install -r benchmarks/serving/requirements.txt
    python benchmarks/serving/run.py drawings/chars74k_hnd.json --peers-venv .venv-serving --chart docs/serving.png

The servers: FastAPI and ONNX Runtime as a tutorial writes it, LitServe, BentoML; a file each beside this one. There is
none on torch: the bundle's weights are 8-bit integers in ONNX, and another network would be another benchmark. They
take a ready glyph as a PNG of 28×28, or a drawing of 280×280, which they only shrink. penread takes the same pictures,
which it cleans, cuts out and draws anew, and the strokes themselves.

Each round starts each server alone, has it answer all drawings (what is answered wrong is not timed), and asks it over
1, 8 and 64 connections that send the next request when the last one is answered. The client is a process of its own
on the same cores. Processor time is that of all processes of the server, for an answer; it bears a busy machine best.
Figures are medians over rounds; compare them with others of the same run only. Each server logs as
it does by itself, into a file.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import httpx2
import typer
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from penread import Recognizer
from penread.charset import stands_for
from penread.files import replacing

sys.path.insert(0, str(Path(__file__).parent))
from client import Client, Load
from servers import Drawing, Kind, Running, Server, answers_to, load_drawings, running, servers, wide_console

if TYPE_CHECKING:
    from client import Answers

_CONNECTIONS = (1, 8, 64)
_OURS = "penread serve"
# BentoML learns how long to wait for a batch, and everybody's caches fill.
_WARM_S = 2.0
# What a peer's environment must have to start it, and penread's own has not.
_NEEDS = {"LitServe": "litserve", "BentoML": "bentoml"}
_COLOURS = {_OURS: "tab:blue", "FastAPI": "tab:gray", "LitServe": "tab:purple", "BentoML": "tab:orange"}


@dataclass
class Measured:
    """A server's figures, a row a round.

    Attributes:
        start_s: From its start to its first good answer.
        rest_mb: Memory after that.
        loaded_mb: Memory after all loads.
        right: The part of the drawings that is answered with its label, by the form in which they are sent.
        loads: What came back, by form and number of connections.
        processor_ms: The processor time of an answer, likewise.
    """

    start_s: list[float] = field(default_factory=list)
    rest_mb: list[float] = field(default_factory=list)
    loaded_mb: list[float] = field(default_factory=list)
    right: dict[Kind, float] = field(default_factory=dict)
    loads: dict[tuple[Kind, int], list[Answers]] = field(default_factory=lambda: defaultdict(list))
    processor_ms: dict[tuple[Kind, int], list[float]] = field(default_factory=lambda: defaultdict(list))

    def per_s(self, kind: Kind, connections: int) -> float:
        """Gives the right answers a second, of the median round."""
        return statistics.median(answers.per_s() for answers in self.loads[kind, connections])

    def percentile_ms(self, percent: float, kind: Kind, connections: int) -> float:
        """Gives a percentile of the answers' times, of the median round."""
        return statistics.median(answers.percentile_ms(percent) for answers in self.loads[kind, connections])


def python_of(peers_venv: Path | None, chosen: list[str]) -> Path:
    """Finds the Python that starts the peers.

    Raises:
        SystemExit: The environment isn't there, or a peer isn't installed in it.
    """
    venv = peers_venv or Path(".venv-serving")
    python = Path(sys.executable) if peers_venv is None else peers_venv / "bin" / "python"
    needed = [_NEEDS[name] for name in chosen if name in _NEEDS]
    code = "import sys, importlib.util as u; sys.exit(any(u.find_spec(name) is None for name in sys.argv[1:]))"
    if needed and (not python.exists() or subprocess.run([python, "-c", code, *needed], check=False).returncode):  # noqa: S603 - our own
        raise SystemExit(
            f"{' and '.join(needed)} must be installed in {venv}, which --peers-venv then names: python -m venv {venv} "
            f"&& {venv}/bin/pip install -r benchmarks/serving/requirements.txt"
        )
    return python


def check(started: Running, drawings: list[Drawing], kind: Kind) -> list[str | None]:
    """Has a server answer all drawings, eight at a time; gives the characters.

    Raises:
        SystemExit: An answer is not what the server's own steps come to without HTTP.
    """
    server = started.server

    def ask(drawing: Drawing) -> str | None:
        answer = client.post(
            server.path, content=server.request(drawing, kind), headers={"Content-Type": "application/json"}
        )
        answer.raise_for_status()
        return server.char(answer.json())

    with (
        httpx2.Client(base_url=f"http://127.0.0.1:{started.port}", timeout=30) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        chars = list(threads.map(ask, drawings))
    wrong = [
        f"{drawing.label}: {char} instead of {expected}"
        for drawing, char in zip(drawings, chars, strict=True)
        if char != (expected := server.expected(drawing, kind))
    ]
    if wrong:
        raise SystemExit(f"{server.name} answers wrong and is not timed. {kind}: {'; '.join(wrong[:5])}")
    return chars


def measure(
    server: Server, python: Path, drawings: list[Drawing], client: Client, seconds: float, measured: Measured
) -> None:
    """Measures a server for a round."""
    class_of = {char: both[0] for both in stands_for(Recognizer().info.chars) for char in both}
    with running(server, python, answers_to(server, drawings[0], server.kinds[0])) as started:
        measured.start_s.append(started.start_s)
        measured.rest_mb.append(started.memory_mb())
        for kind in server.kinds:
            chars = check(started, drawings, kind)
            right = [
                class_of[each.label] == class_of.get(char or "") for each, char in zip(drawings, chars, strict=True)
            ]
            measured.right[kind] = sum(right) / len(right)
            bodies = [server.request(drawing, kind) for drawing in drawings]
            client.send(Load(started.port, server.path, bodies, min(_WARM_S, seconds), max(_CONNECTIONS)))
            for connections in _CONNECTIONS:
                load = Load(started.port, server.path, bodies, seconds, connections)
                before_s = started.processor_s()
                answers = client.send(load)
                took_ms = (started.processor_s() - before_s) * 1e3
                measured.loads[kind, connections].append(answers)
                measured.processor_ms[kind, connections].append(took_ms / max(answers.count(200), 1))
        measured.loaded_mb.append(started.memory_mb())


def print_tables(results: dict[str, Measured], rounds: int, seconds: float) -> None:
    """Prints what was measured."""
    console = wide_console()
    table = Table(
        *("server", "sent", "connections", "answers/s", "of penread's", "p50", "p99", "processor time each", "errors"),
        title=f"{rounds} rounds of {seconds:g} s",
    )
    ours = results[_OURS]
    for name, measured in results.items():
        for (kind, connections), rounds_of in measured.loads.items():
            beside = ours.loads.get((kind, connections), [])
            # Round by round: what slows the machine down for a while slows both.
            ratios = [theirs.per_s() / own.per_s() for theirs, own in zip(rounds_of, beside, strict=False)]
            errors = sum(len(answers.status) - answers.count(200) for answers in rounds_of)
            table.add_row(
                name,
                kind,
                f"{connections}",
                f"{measured.per_s(kind, connections):,.0f}",
                f"{statistics.median(ratios):.2f}" if ratios and name != _OURS else "",
                f"{measured.percentile_ms(50, kind, connections):.2f} ms",
                f"{measured.percentile_ms(99, kind, connections):.2f} ms",
                f"{statistics.median(measured.processor_ms[kind, connections]):.2f} ms",
                f"{errors}",
            )
    console.print(table)
    table = Table(
        "server",
        "start to first answer",
        "memory at rest",
        "after the load",
        *(f"right, {kind}" for kind in ours.right),
    )
    for name, measured in results.items():
        table.add_row(
            name,
            f"{statistics.median(measured.start_s):.2f} s",
            f"{statistics.median(measured.rest_mb):,.0f} MB",
            f"{statistics.median(measured.loaded_mb):,.0f} MB",
            *(f"{measured.right[kind]:.1%}" if kind in measured.right else "" for kind in ours.right),
        )
    console.print(table)


def draw(results: dict[str, Measured], picture: Path) -> None:
    """Draws answers a second and p99 by connections: ready glyphs and strokes on the left, drawings on the right."""
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, sharey="row")
    columns: tuple[tuple[Kind, ...], ...] = (("28×28 PNG", "strokes"), ("280×280 PNG",))
    for column, kinds in enumerate(columns):
        upper, lower = grid[0][column], grid[1][column]
        for name, measured in results.items():
            for kind in kinds:
                if kind not in measured.right:
                    continue
                label = {_OURS: f"penread, {kind}", "FastAPI": "FastAPI, as a tutorial"}.get(name, name)
                style = {"color": _COLOURS[name], "linestyle": "--" if kind == "strokes" else "-", "marker": "o"}
                upper.plot(_CONNECTIONS, [measured.per_s(kind, each) for each in _CONNECTIONS], label=label, **style)
                lower.plot(_CONNECTIONS, [measured.percentile_ms(99, kind, each) for each in _CONNECTIONS], **style)
        upper.set_title("a ready glyph, PNG of 28×28, or strokes" if column == 0 else "a drawing, PNG of 280×280")
        upper.set_xscale("log", base=2)
        upper.set_xticks(_CONNECTIONS, [str(each) for each in _CONNECTIONS])
        lower.set_yscale("log")
        lower.set_xlabel("connections")
        upper.legend(loc="best", fontsize=8)
        for axes in (upper, lower):
            axes.grid(alpha=0.3)
    grid[0][0].set_ylabel("answers a second")
    grid[0][0].set_ylim(bottom=0)
    grid[1][0].set_ylabel("p99, ms")
    with replacing(picture) as path:
        figure.savefig(path, dpi=110)


def main(
    drawings: Annotated[Path, typer.Argument(help='A file of drawings: [{"label": "A", "strokes": [...]}, ...].')],
    peers_venv: Annotated[Path | None, typer.Option(help="The virtual environment with the peers.")] = None,
    server: Annotated[list[str] | None, typer.Option(help="Only these; penread serve is always there.")] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of each load.")] = 5.0,
    chart: Annotated[Path | None, typer.Option(help="Draw the figures into this PNG file.")] = None,
) -> None:
    """Prints two tables, and draws them."""
    known = servers()
    if unknown := set(server or ()) - set(known):
        raise SystemExit(f"There is no server {', '.join(unknown)}: it is one of {', '.join(known)}.")
    chosen = [known[name] for name in known if not server or name in server or name == _OURS]
    python = python_of(peers_venv, [each.name for each in chosen])
    samples = load_drawings(drawings)
    results = {each.name: Measured() for each in chosen}
    client = Client()
    progress = Console(stderr=True)
    try:
        for number in range(rounds):
            # There and back, so that nobody always comes after the same one.
            for each in chosen if number % 2 == 0 else chosen[::-1]:
                progress.print(f"round {number + 1} of {rounds}: {each.name}")
                measure(each, python, samples, client, seconds, results[each.name])
    finally:
        client.close()
    print_tables(results, rounds, seconds)
    if chart is not None:
        draw(results, chart)


if __name__ == "__main__":
    typer.run(main)

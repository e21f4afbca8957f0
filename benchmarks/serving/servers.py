"""The servers that are measured: how each is started, asked and watched, and the drawings that they are asked about."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import numpy as np
from PIL import Image, ImageDraw
from rich.console import Console

from penread import Ink, Recognizer
from penread.bundle import DEFAULT_BUNDLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

Kind = Literal["strokes", "28×28 PNG", "280×280 PNG"]
KINDS: tuple[Kind, ...] = ("strokes", "28×28 PNG", "280×280 PNG")

HERE = Path(__file__).parent
_SIDE_PX, _PEN_PX, _MARGIN_PX = 280, 14, 40
# Drawings that are sent in turn. Each is checked before anything is timed.
_DRAWINGS = 256
_START_S = 90.0
_STOP_S = 40.0


@dataclass(frozen=True)
class Drawing:
    """A drawing, in the forms in which it is sent.

    Attributes:
        label: The character.
        strokes: As in the file.
        png: The two pictures as base64: a ready glyph, ink white on black; and what a page's canvas would give, dark on
            light.
    """

    label: str
    strokes: list[list[list[float]]]
    png: dict[Kind, str]


def load_drawings(path: Path) -> list[Drawing]:
    """Takes drawings evenly from a file of ``{"label", "strokes"}``, and makes their pictures."""
    loaded: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    order = np.random.default_rng(1).permutation(len(loaded))[:_DRAWINGS]
    drawings = []
    for each in (loaded[index] for index in order):
        glyph = Image.fromarray(Ink(each["strokes"]).glyph())
        png: dict[Kind, str] = {"28×28 PNG": _base64(glyph), "280×280 PNG": _base64(_on_canvas(each["strokes"]))}
        drawings.append(Drawing(each["label"], each["strokes"], png))
    return drawings


def _base64(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _on_canvas(strokes: list[list[list[float]]]) -> Image.Image:
    """Draws strokes with a round pen in the middle of a canvas, four times as fine and reduced."""
    fine = 4
    points = np.concatenate([np.asarray(stroke, np.float64) for stroke in strokes])
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = (_SIDE_PX - 2 * _MARGIN_PX) / max(float(extent.max()), 1e-9)
    corner = (_SIDE_PX - extent * scale) / 2
    image = Image.new("L", (_SIDE_PX * fine, _SIDE_PX * fine), 255)
    draw = ImageDraw.Draw(image)
    radius = _PEN_PX * fine / 2
    for stroke in strokes:
        path = ((np.asarray(stroke, np.float64) - low) * scale + corner) * fine
        draw.line([(float(x), float(y)) for x, y in path], fill=0, width=round(2 * radius), joint="curve")
        for x, y in path:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=0)
    return image.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)


@dataclass(frozen=True)
class Server:
    """A server as it is started and asked.

    Attributes:
        name: As in the tables.
        command: What starts it, given a port and the Python of its environment.
        path: Where it is asked.
        kinds: The forms of a drawing that it takes.
        body: A drawing in a form, as what it takes for JSON.
        char: The character in its answer.
        expected: What it must answer, so that what it does is what is timed; the same pipeline without HTTP.
    """

    name: str
    command: Callable[[int, Path], list[str]]
    path: str
    kinds: tuple[Kind, ...]
    body: Callable[[Drawing, Kind], Any]
    char: Callable[[Any], str | None]
    expected: Callable[[Drawing, Kind], str | None]

    def request(self, drawing: Drawing, kind: Kind) -> bytes:
        """Gives a request's body."""
        return json.dumps(self.body(drawing, kind), separators=(",", ":")).encode()


def servers() -> dict[str, Server]:
    """Gives the servers by name: ours first."""
    recognizer = Recognizer()

    def ours(drawing: Drawing, kind: Kind) -> str | None:
        source = Ink(drawing.strokes) if kind == "strokes" else base64.b64decode(drawing.png[kind])
        return recognizer.predict(source).char

    def peers(drawing: Drawing, kind: Kind) -> str | None:
        # Theirs is the code of peer_model; a glyph of their own making is read by our recogniser.
        os.environ["PENREAD_PEER_BUNDLE"] = str(bundle_dir())
        sys.path.insert(0, str(HERE))
        from peer_model import glyph_of  # noqa: PLC0415 - it is the peers', and found beside this file

        glyph: NDArray[np.uint8] = glyph_of(drawing.png[kind])
        return recognizer.info.chars[int(recognizer.logits(glyph[None]).argmax())]

    def picture(drawing: Drawing, kind: Kind) -> Any:  # noqa: ANN401 - JSON
        return {"image": drawing.png[kind]}

    penread = Server(
        "penread serve",
        lambda port, _: [str(Path(sys.executable).with_name("penread")), "serve", "--port", str(port)],
        "/api/v1/predict",
        KINDS,
        lambda drawing, kind: {"strokes": drawing.strokes} if kind == "strokes" else picture(drawing, kind),
        lambda answer: answer["char"],
        ours,
    )
    plain = Server(
        "FastAPI",
        lambda port, python: [
            *(str(python), "-m", "uvicorn", "--app-dir", str(HERE), "fastapi_server:app", "--port", str(port)),
        ],
        "/predict",
        KINDS[1:],
        picture,
        lambda answer: answer["char"],
        peers,
    )
    litserve = Server(
        "LitServe",
        lambda port, python: [str(python), str(HERE / "litserve_server.py"), "--port", str(port)],
        "/predict",
        KINDS[1:],
        picture,
        lambda answer: answer["char"],
        peers,
    )
    bentoml = Server(
        "BentoML",
        lambda port, python: [
            *(str(python), "-m", "bentoml", "serve", "--working-dir", str(HERE), "bentoml_server:Reader"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        "/predict",
        KINDS[1:],
        lambda drawing, kind: {"images": [drawing.png[kind]]},
        lambda answer: answer[0]["char"],
        peers,
    )
    return {each.name: each for each in (penread, plain, litserve, bentoml)}


def bundle_dir() -> Path:
    """Gives the directory of the bundle that all servers serve."""
    import penread  # noqa: PLC0415 - for its place alone

    return Path(penread.__file__).parent / "models" / DEFAULT_BUNDLE


@dataclass
class Running:
    """A server that runs.

    Attributes:
        server: Which.
        port: On 127.0.0.1.
        process: The one that was started; it may have started others.
        start_s: From its start to its first good answer.
    """

    server: Server
    port: int
    process: subprocess.Popen[bytes]
    start_s: float = 0.0
    _home: tempfile.TemporaryDirectory[str] = field(default_factory=tempfile.TemporaryDirectory, repr=False)

    def memory_mb(self, what: Literal["Pss", "Rss"] = "Pss") -> float:
        """Gives the memory of all its processes: what they share counts once (Pss), or for each (Rss)."""
        return sum(_memory_kb(pid, what) for pid in _tree(self.process.pid)) * 1024 / 1e6

    def processor_s(self) -> float:
        """Gives the processor time that all its processes have taken so far, seconds."""
        return sum(_ticks(pid) for pid in _tree(self.process.pid)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> tuple[int, float]:
        """Ends it with SIGTERM; gives its exit status, and how long it took, seconds."""
        begun = time.monotonic()
        pids = _tree(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        took_s = time.monotonic() - begun
        # Some leave processes behind.
        for pid in pids[1:]:
            if _session(pid) == self.process.pid:
                os.kill(pid, signal.SIGKILL)
        self._home.cleanup()
        return status, took_s


def _tree(pid: int) -> list[int]:
    """Lists a process and all that it started, directly or not."""
    found = [pid]
    for each in found:
        try:
            tasks = list(Path(f"/proc/{each}/task").iterdir())
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            # It has ended meanwhile.
            continue
    return found


def _memory_kb(pid: int, what: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{what}:")), 0)


def _ticks(pid: int) -> int:
    try:
        # The name before the last bracket may hold anything; user and system time are the 12th and 13th after it.
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(after_name[11]) + int(after_name[12])


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def wide_console() -> Console:
    """Gives a console for the tables: as wide as the terminal, and wide enough where there is none."""
    return Console(width=None if sys.stdout.isatty() else 170)


def free_port() -> int:
    """Finds a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(server: Server, python: Path, probe: Callable[[httpx2.Client], bool], **env: str) -> Iterator[Running]:
    """Starts a server, waits for a good answer, and ends it.

    Args:
        server: Which.
        python: The Python of its environment.
        probe: Asks it; tells whether the answer was good.
        env: Further variables of its environment.

    Raises:
        SystemExit: It doesn't start. What it printed is shown.
    """
    port = free_port()
    home = tempfile.TemporaryDirectory()
    log = Path(home.name, "log")
    environment = {
        **os.environ,
        "PENREAD_PEER_BUNDLE": str(bundle_dir()),
        "BENTOML_HOME": home.name,
        "BENTOML_DO_NOT_TRACK": "True",
        **env,
    }
    begun = time.monotonic()
    with log.open("wb") as printed:
        # Each logs as it does by itself; in a session of its own, so that what it leaves behind is found.
        process = subprocess.Popen(  # noqa: S603 - the commands above
            server.command(port, python), env=environment, stdout=printed, stderr=printed, start_new_session=True
        )
    started = Running(server, port, process, _home=home)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=5) as client:
            while not _is_good(probe, client):
                if process.poll() is not None or time.monotonic() - begun > _START_S:
                    raise SystemExit(f"{server.name} does not start. It printed:\n{log.read_text()[-3000:]}")
                time.sleep(0.01)
        started.start_s = time.monotonic() - begun
        yield started
    finally:
        started.stop()


def _is_good(probe: Callable[[httpx2.Client], bool], client: httpx2.Client) -> bool:
    try:
        return probe(client)
    except httpx2.TransportError:
        return False


def answers_to(server: Server, drawing: Drawing, kind: Kind) -> Callable[[httpx2.Client], bool]:
    """Gives a probe that asks for a drawing. 503 is not yet; any other answer but the right one ends the benchmark."""
    body, expected = server.request(drawing, kind), server.expected(drawing, kind)

    def probe(client: httpx2.Client) -> bool:
        answer = client.post(server.path, content=body, headers={"Content-Type": "application/json"})
        if answer.status_code == 503:
            return False
        if answer.status_code != 200 or server.char(answer.json()) != expected:
            raise SystemExit(f"{server.name} should answer {expected}. It says {answer.status_code}: {answer.text}")
        return True

    return probe

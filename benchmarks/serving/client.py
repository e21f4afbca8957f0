"""Loads a server with requests, from a process of its own, and takes down when each was sent and how it was answered.

Two ways. *Closed*: so many connections, each sends its next request when the last one is answered. *Open*: so many
requests a second, whether the server keeps up or not; a time begins when the request was due, so what waits for a
connection waits as a user would. uvloop and httptools keep it cheap, for it shares the cores with the server.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import multiprocessing
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import httptools
import numpy as np
import uvloop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from numpy.typing import NDArray

#: Statuses beside HTTP's: the connection was closed before an answer, it could not be opened, no answer came in time.
LOST, REFUSED, SILENT = 0, -1, -2

# What is under way when the time is up has so long to be answered.
_PATIENCE_S = 15.0
# A connection that could not be opened is tried again after this.
_PAUSE_S = 0.02
_TICK_S = 0.001


@dataclass(frozen=True)
class Load:
    """What to send.

    Attributes:
        port: The server's, on 127.0.0.1.
        path: Of the request.
        bodies: JSON, sent in turn.
        duration_s: For how long requests are begun.
        connections: How many are open, or with a rate: the most that are.
        rate: Requests a second; None to send the next one when the last one is answered.
        begin_at: ``time.monotonic()`` of the beginning; None for at once.
    """

    port: int
    path: str
    bodies: list[bytes]
    duration_s: float
    connections: int
    rate: float | None = None
    begin_at: float | None = None


@dataclass(frozen=True)
class Answers:
    """What came of it, a row a request.

    Attributes:
        sent_at: ``time.monotonic()`` when it was sent, or was due. Shape (N,), seconds.
        latency_s: From then to the last byte of the answer, or to the end of the connection. Shape (N,).
        status: HTTP's, or ``LOST``, ``REFUSED``, ``SILENT``. Shape (N,).
        begun_at: When the first request was due.
        duration_s: For how long requests were begun.
        not_sent: Requests that were due while all connections were taken, and so were not sent.
    """

    sent_at: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    status: NDArray[np.int64]
    begun_at: float
    duration_s: float
    not_sent: int

    def latencies_ms(self, status: int = 200) -> NDArray[np.float64]:
        """Gives the times of the answers with a status, in ms."""
        return np.asarray(self.latency_s[self.status == status] * 1e3)

    def percentile_ms(self, percent: float, status: int = 200) -> float:
        """Gives a percentile of the times of the answers with a status, in ms; NaN where there are none."""
        times = self.latencies_ms(status)
        return float(np.percentile(times, percent)) if len(times) else float("nan")

    def count(self, status: int) -> int:
        """Counts answers with a status."""
        return int(np.count_nonzero(self.status == status))

    def per_s(self, status: int = 200) -> float:
        """Gives how many answers with a status came a second, while requests were begun."""
        in_time = self.sent_at + self.latency_s <= self.begun_at + self.duration_s
        return int(np.count_nonzero(in_time & (self.status == status))) / self.duration_s

    def statuses(self) -> dict[int, int]:
        """Counts each status."""
        found, counts = np.unique(self.status, return_counts=True)
        return {int(status): int(count) for status, count in zip(found, counts, strict=True)}


class Client:
    """Processes that send loads: nothing else that the benchmark does slows them down.

    Args:
        processes: How many loads may run at a time.
    """

    def __init__(self, processes: int = 1) -> None:
        # Spawned, not forked: ONNX Runtime's threads don't survive a fork.
        self._pool = ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))
        # The processes start now, not when they are timed.
        for ready in [self._pool.submit(time.sleep, 0.2) for _ in range(processes)]:
            ready.result()

    def start(self, load: Load) -> Future[Answers]:
        """Begins to send a load."""
        return self._pool.submit(send, load)

    def send(self, load: Load) -> Answers:
        """Sends a load, and waits for its end."""
        return self.start(load).result()

    def close(self) -> None:
        """Ends the processes."""
        self._pool.shutdown()


def send(load: Load) -> Answers:
    """Sends a load from this process."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        return uvloop.run(_send(load))
    finally:
        gc.enable()


async def _send(load: Load) -> Answers:
    sender = _Sender(load)
    if load.begin_at is not None:
        await asyncio.sleep(max(load.begin_at - time.monotonic(), 0))
    begun_at = time.monotonic()
    await (sender.closed(begun_at) if load.rate is None else sender.open(begun_at, load.rate))
    await sender.finish()
    rows = np.array(sender.rows, np.float64).reshape(-1, 3)
    return Answers(
        rows[:, 0], rows[:, 1], rows[:, 2].astype(np.int64), begun_at, load.duration_s, sender.not_sent
    )  # fmt: skip


class _Sender:
    """The connections of a load, and what came back on them."""

    def __init__(self, load: Load) -> None:
        self.load = load
        head = f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nContent-Type: application/json\r\n"
        requests = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in load.bodies]
        self.requests: Iterator[bytes] = itertools.cycle(requests)
        self.rows: list[tuple[float, float, int]] = []
        self.not_sent = 0
        self.connections: set[_Connection] = set()
        self._idle: deque[_Connection] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._ends_at = 0.0

    async def closed(self, begun_at: float) -> None:
        self._ends_at = begun_at + self.load.duration_s
        await asyncio.gather(*(self._keep_busy() for _ in range(self.load.connections)))

    async def open(self, begun_at: float, rate: float) -> None:
        self._ends_at = begun_at + self.load.duration_s
        total = round(rate * self.load.duration_s)
        due = 0
        while due < total:
            until = min(int((time.monotonic() - begun_at) * rate) + 1, total)
            for number in range(due, until):
                self._send_due(begun_at + number / rate)
            due = until
            await asyncio.sleep(_TICK_S)

    async def finish(self) -> None:
        """Waits for what is under way, and closes."""
        patient_until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < patient_until:
            if not self._opening and not any(each.sent_at for each in self.connections):
                break
            await asyncio.sleep(0.01)
        for task in list(self._opening):
            task.cancel()
        for connection in list(self.connections):
            if connection.sent_at:
                self.note(connection.sent_at, SILENT)
                connection.sent_at = 0.0
            connection.close()

    def note(self, sent_at: float, status: int) -> None:
        self.rows.append((sent_at, time.monotonic() - sent_at, status))

    async def connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.load.port)
        return connection

    async def _keep_busy(self) -> None:
        """One connection of a closed load, opened anew whenever it ends."""
        while time.monotonic() < self._ends_at:
            try:
                connection = await self.connect()
            except OSError:
                self.note(time.monotonic(), REFUSED)
                await asyncio.sleep(_PAUSE_S)
                continue
            connection.send(next(self.requests), time.monotonic())
            try:
                async with asyncio.timeout(max(self._ends_at - time.monotonic(), 0) + _PATIENCE_S):
                    await connection.ended
            except TimeoutError:
                return

    def _send_due(self, due_at: float) -> None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                connection.send(next(self.requests), due_at)
                return
        if len(self.connections) + len(self._opening) >= self.load.connections:
            self.not_sent += 1
            return
        task = asyncio.get_running_loop().create_task(self._send_on_new(due_at))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _send_on_new(self, due_at: float) -> None:
        try:
            connection = await self.connect()
        except OSError:
            self.note(due_at, REFUSED)
        else:
            connection.send(next(self.requests), due_at)

    def answered(self, connection: _Connection) -> None:
        """Sends the next request on a connection that is free again, or keeps it for one that is due."""
        if self.load.rate is not None:
            self._idle.append(connection)
        elif time.monotonic() < self._ends_at:
            connection.send(next(self.requests), time.monotonic())
        else:
            connection.close()


class _Connection(asyncio.Protocol):
    """A connection; httptools calls it as an answer comes in."""

    def __init__(self, sender: _Sender) -> None:
        self._sender = sender
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, since: float) -> None:
        """Sends a request whose time began at ``since``."""
        if self._transport is None:
            self._sender.note(since, LOST)
            return
        self.sent_at = since
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._sender.connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if not self.sent_at:
            # Nobody asked: a server says so that it has waited too long for the next request.
            self.close()
            return
        self._sender.note(self.sent_at, self._parser.get_status_code())
        self.sent_at = 0.0
        if self._parser.should_keep_alive():
            self._sender.answered(self)
        else:
            self.close()

    def connection_lost(self, _error: Exception | None) -> None:
        if self.sent_at:
            self._sender.note(self.sent_at, LOST)
            self.sent_at = 0.0
        self._sender.connections.discard(self)
        self._transport = None
        if not self.ended.done():
            self.ended.set_result(None)

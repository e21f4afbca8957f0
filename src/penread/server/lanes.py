"""Bounded queues before the processor: what comes beyond them is refused at once, so that no wait grows and grows.

A queue takes a burst. When it is full, work comes faster than it can be done, and a long queue would only make
everybody wait: who is far back in it is told so, too, and until nothing has had to be refused for a while, just as much
is let in as keeps the processor busy.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from numpy.typing import NDArray
    from starlette.types import Receive

    from penread.recognizer import Recognizer

    #: Logits, float (N, classes), and log-probabilities of the kinds of ink, float (N, 3).
    Scores = tuple[NDArray[np.float64], NDArray[np.float64]]

_Result = TypeVar("_Result")

# A burst that long after the last refusal is a new one.
_CALM_S = 1.0
# How fast the mean duration of work follows what is measured.
_FORGETTING = 0.1


class Overloaded(Exception):  # noqa: N818 - it is an answer, 503, more than an error
    """There is no room in a queue.

    Attributes:
        retry_after_s: In how many seconds there should be.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Too many requests are waiting.")
        self.retry_after_s = retry_after_s


class ClientGone(Exception):  # noqa: N818 - nobody failed
    """The client has closed its connection, so that nobody waits for the answer."""


class QueueWatcher(Protocol):
    """Is told of what happens in the queues."""

    def queue(self, lane: str, waiting: int, running: int) -> None:
        """Takes how many wait and run in a lane, whenever that has changed."""

    def rejected(self, reason: str) -> None:
        """Counts a request that was refused."""

    def batch(self, glyphs: int) -> None:
        """Counts a run of the graph, of so many glyphs."""


class Queue:
    """The books of a queue: who waits, who runs, and whether there is room. It is used on the event loop alone.

    Args:
        name: The lane's name.
        room: How many may wait.
        inside_when_full: How many may run or wait once it was full, for a while.
        running_at_once: How many run at a time.
        shed: Refuses all who wait but the first so many; called when the queue is full.
        watcher: Is told of changes.
    """

    def __init__(
        self,
        name: str,
        *,
        room: int,
        inside_when_full: int,
        running_at_once: int,
        shed: Callable[[int], None],
        watcher: QueueWatcher,
    ) -> None:
        self._name = name
        self._room = room
        self._inside_when_full = min(inside_when_full, running_at_once + room)
        self._running_at_once = running_at_once
        self._shed = shed
        self._watcher = watcher
        self._inside = 0
        self._coming = 0
        self._full_until_s = 0.0
        self._mean_s = 0.0

    @property
    def was_full(self) -> bool:
        """Whether it was full a moment ago."""
        return time.monotonic() < self._full_until_s

    def refuse(self) -> int | None:
        """Tells whether to refuse, for want of room: the seconds after which to come again, or None."""
        was_full = self.was_full
        bound = self._inside_when_full if was_full else self._running_at_once + self._room
        if self._inside + self._coming < bound:
            return None
        self._watcher.rejected("queue")
        # A place that is kept for a request may be kept in vain: what it holds may be no drawing.
        if self._inside >= bound:
            self._full_until_s = time.monotonic() + _CALM_S
            if not was_full:
                self._shed(max(self._inside_when_full - self._running_at_once, 0))
        return self._retry_after_s()

    def check(self) -> None:
        """Refuses where there is no room.

        Raises:
            Overloaded: So it is.
        """
        if (retry_after_s := self.refuse()) is not None:
            raise Overloaded(retry_after_s)

    def expect(self) -> None:
        """Keeps a place for a request until it enters, in this turn of the event loop: others come in the same turn."""
        if not self._coming:
            asyncio.get_running_loop().call_soon(self._expect_none)
        self._coming += 1

    def enter(self, count: int = 1) -> None:
        """Takes in so much work; ``check`` comes first."""
        self._inside += count
        self._tell()

    def leave(self, count: int, took_s: float | None = None) -> None:
        """Lets out so much work, which took so long; None where it was never done."""
        self._inside -= count
        if took_s is not None:
            self._mean_s += _FORGETTING * (took_s - self._mean_s)
        self._tell()

    def refused(self) -> Overloaded:
        """Counts a request that waited, and is refused; gives what to raise for it."""
        self._watcher.rejected("queue")
        return Overloaded(self._retry_after_s())

    def _retry_after_s(self) -> int:
        return max(1, math.ceil(self._inside * self._mean_s / self._running_at_once))

    def _expect_none(self) -> None:
        self._coming = 0

    def _tell(self) -> None:
        running = min(self._inside, self._running_at_once)
        self._watcher.queue(self._name, self._inside - running, running)


class Lane:
    """Threads for one kind of work, and a bounded queue before them.

    Args:
        name: For metrics.
        threads: How much runs at once.
        room: How many requests may wait.
        watcher: Is told of changes.

    Attributes:
        queue: Its queue.
    """

    #: What the names of lanes' threads begin with.
    THREADS = "lane-"

    def __init__(self, name: str, threads: int, room: int, watcher: QueueWatcher) -> None:
        self.queue = Queue(
            name, room=room, inside_when_full=2 * threads, running_at_once=threads, shed=self._shed, watcher=watcher
        )
        self._inside: dict[Future[Any], None] = {}
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"{self.THREADS}{name}")

    def check(self) -> None:
        """Refuses where there is no room, before work is put into a request in vain.

        Raises:
            Overloaded: So it is.
        """
        self.queue.check()

    async def run(self, work: Callable[[], _Result], receive: Receive) -> _Result:
        """Does work in a thread, when its turn comes.

        Args:
            work: What to do.
            receive: The request's, with its body taken already: work that nobody waits for any more is not begun.

        Raises:
            Overloaded: There is no room.
            ClientGone: The client left before it was done.
        """
        self.queue.check()
        self.queue.enter()
        loop = asyncio.get_running_loop()
        took_s: list[float] = []
        # The threads' own queue keeps what was cancelled until its turn would have come: a body isn't to wait with it.
        held = [work]

        def timed() -> _Result:
            begun = time.perf_counter()
            try:
                return held.pop()()
            finally:
                took_s.append(time.perf_counter() - begun)

        def leave(done: Future[_Result]) -> None:
            held.clear()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._leave, done, took_s[0] if took_s else None)

        done = self._threads.submit(timed)
        self._inside[done] = None
        # Not the wrapped future, which a request that was given up ends early: the thread is taken for as long as it
        # works.
        done.add_done_callback(leave)
        result: asyncio.Future[Any] = asyncio.wrap_future(done)
        left: asyncio.Future[Any] = asyncio.ensure_future(receive())
        try:
            await asyncio.wait((result, left), return_when=asyncio.FIRST_COMPLETED)
            if not result.done():
                raise ClientGone
            if result.cancelled():
                raise self.queue.refused()
            answer: _Result = result.result()
            return answer
        finally:
            left.cancel()
            result.cancel()

    def close(self) -> None:
        """Begins nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _leave(self, done: Future[Any], took_s: float | None) -> None:
        del self._inside[done]
        self.queue.leave(1, took_s)

    def _shed(self, kept: int) -> None:
        waiting = [each for each in self._inside if not each.running() and not each.done()]
        for each in waiting[kept:]:
            each.cancel()


class Batcher:
    """Gathers the glyphs of concurrent requests into runs of the graph, in a thread of its own.

    Nobody waits for others to come: what has come while the graph ran goes into its next run.

    Args:
        name: For metrics.
        recognizer: Runs the graph.
        max_batch: The most glyphs of a run, and so of a request.
        room: How many requests may wait.
        watcher: Is told of changes.

    Attributes:
        queue: Its queue.
        max_batch: The most glyphs of a run.
    """

    def __init__(self, name: str, recognizer: Recognizer, max_batch: int, room: int, watcher: QueueWatcher) -> None:
        self.max_batch = max_batch
        self._recognizer = recognizer
        # When it was full, one at a time: a second would be a third more answers, and everybody's wait half as long
        # again.
        self.queue = Queue(
            name, room=room, inside_when_full=1, running_at_once=max_batch, shed=self._shed, watcher=watcher
        )
        self._watcher = watcher
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="glyphs")
        self._waiting: deque[tuple[NDArray[np.uint8], asyncio.Future[Scores]]] = deque()
        self._is_running = False

    def check(self) -> None:
        """Refuses where there is no room, before work is put into a request in vain.

        Raises:
            Overloaded: So it is.
        """
        self.queue.check()

    async def score(self, glyphs: NDArray[np.uint8]) -> Scores:
        """Runs the graph for a request, together with others.

        Args:
            glyphs: uint8 (N, 28, 28), at most ``max_batch``.

        Raises:
            Overloaded: There is no room.
        """
        self.queue.check()
        self.queue.enter()
        result: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()
        self._waiting.append((glyphs, result))
        if not self._is_running:
            self._run()
        return await result

    def close(self) -> None:
        """Begins nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _shed(self, kept: int) -> None:
        while len(self._waiting) > kept:
            _, result = self._waiting.pop()
            self.queue.leave(1)
            if not result.done():
                result.set_exception(self.queue.refused())

    def _run(self) -> None:
        """Begins a run with what waits, as much as it takes."""
        requests: list[tuple[NDArray[np.uint8], asyncio.Future[Scores]]] = []
        room = self.max_batch
        while self._waiting and (len(self._waiting[0][0]) <= room or self._waiting[0][1].done()):
            glyphs, result = self._waiting.popleft()
            # Whoever gave up in the meantime needs no answer.
            if result.done():
                self.queue.leave(1)
                continue
            requests.append((glyphs, result))
            room -= len(glyphs)
        self._is_running = bool(requests)
        if not requests:
            return
        self._watcher.batch(self.max_batch - room)
        glyphs = requests[0][0] if len(requests) == 1 else np.concatenate([each for each, _ in requests])
        begun = time.perf_counter()
        run = asyncio.get_running_loop().run_in_executor(self._thread, self._recognizer.score, glyphs)
        run.add_done_callback(lambda done: self._give(requests, done, time.perf_counter() - begun))

    def _give(
        self,
        requests: list[tuple[NDArray[np.uint8], asyncio.Future[Scores]]],
        run: asyncio.Future[Scores],
        took_s: float,
    ) -> None:
        """Gives each request its part of a run, and begins the next one."""
        self.queue.leave(len(requests), took_s)
        self._run()
        first = 0
        for glyphs, result in requests:
            if result.done():
                pass
            elif run.cancelled():
                result.cancel()
            elif error := run.exception():
                result.set_exception(error)
            else:
                logits, kinds = run.result()
                result.set_result((logits[first : first + len(glyphs)], kinds[first : first + len(glyphs)]))
            first += len(glyphs)

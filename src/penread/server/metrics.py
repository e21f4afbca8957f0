"""What the server counts and measures, for Prometheus: GET /metrics.

Several processes share the files of a directory, PROMETHEUS_MULTIPROC_DIR, and each of them answers for all. A process
writes under a number that it holds by a lock as long as it lives. So whoever takes its place goes on with its counters,
and what a dead process had said of its queues goes without anybody having to tell.
"""

from __future__ import annotations

import functools
import itertools
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    values,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Why a request may be refused; each is there from the start, at zero.
REASONS = ("queue", "rate", "key", "connections", "body", "timeout")
#: The methods that are told apart; any other is "other".
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"))
#: The route of a request to a path that isn't there.
NO_ROUTE = "(none)"

# A character takes a millisecond, a page seconds.
_DURATIONS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_REJECTED = "rejected"

# When each counter began is a series for each, and no query here asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

router = APIRouter(include_in_schema=False)


@router.api_route("/metrics", methods=["GET", "HEAD"])
async def give_metrics(request: Request) -> Response:
    """Give the metrics in Prometheus' format."""
    metrics: Metrics = request.app.state.metrics
    accept = request.headers.get("accept", "")
    # One at a time: who asks again and again gets one core's worth of answers and no more.
    body, content_type = await run_sync(metrics.render, accept, limiter=metrics.limiter)
    return Response(body, headers={"Content-Type": content_type})


class Metrics:
    """The metrics of one application; in several processes, its part of what they say together.

    Every request pays for what is called here, so what a label's values lead to is looked up once and kept.
    All labels have few values: routes are templates, and what strangers choose freely is no label.

    Attributes:
        limiter: Lets one ``render`` run at a time.
    """

    def __init__(self) -> None:
        self.limiter = CapacityLimiter(1)
        self._registry = CollectorRegistry()
        directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        # Comes first: it sees which processes live, and takes away what the dead have left.
        self._registry.register(_Processes(Path(directory) if directory else None))
        if directory:
            _share(Path(directory))
            MultiProcessCollector(self._registry, path=directory)  # type: ignore[no-untyped-call]
        # The files speak for all processes, this one among them.
        registry = None if directory else self._registry

        requests = Counter(
            "penread_http_requests",
            "Requests answered; status 499 where the client left before.",
            ["route", "method", "status"],
            registry=registry,
        )
        durations = Histogram(
            "penread_http_request_duration_seconds",
            "From a request's head to the end of its answer.",
            ["route"],
            buckets=_DURATIONS_S,
            registry=registry,
        )
        waiting = Gauge(
            "penread_queue_waiting",
            "Requests that wait for the processor.",
            ["lane"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        running = Gauge(
            "penread_queue_running",
            "Requests that the processor is at.",
            ["lane"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        rejections = Counter("penread_rejections", "Requests refused, by reason.", ["reason"], registry=registry)
        predictions = Counter(
            "penread_predictions",
            'Characters read, by what they were read as; char is "rejected" where it was nothing.',
            ["model", "char"],
            registry=registry,
        )
        model_info = Gauge(
            "penread_model_info",
            "The models served; always 1.",
            ["name", "version"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._batch = Histogram(
            "penread_batch_glyphs", "Glyphs that the network read in one run.", buckets=_BATCHES, registry=registry
        )
        self._requests = functools.cache(requests.labels)
        self._durations = functools.cache(durations.labels)
        self._waiting = functools.cache(waiting.labels)
        self._running = functools.cache(running.labels)
        self._rejections = functools.cache(rejections.labels)
        self._predictions = functools.cache(predictions.labels)
        self._models = model_info.labels
        for reason in REASONS:
            self._rejections(reason)

    def request(self, route: str, method: str, status: int, duration_s: float | None) -> None:
        """Counts a request.

        Args:
            route: The route's template, such as ``/v2/models/{name}``, or ``NO_ROUTE``.
            method: One of ``METHODS``, or "other".
            status: HTTP status; 499 where the client left before the answer.
            duration_s: How long it took, seconds; None where it was refused at the door: it would stand for thousands
                that took no time.
        """
        self._requests(route, method, status).inc()
        if duration_s is not None:
            self._durations(route).observe(duration_s)

    def queue(self, lane: str, waiting: int, running: int) -> None:
        """Takes how many requests are in a lane now.

        Args:
            lane: The lane's name.
            waiting: Requests that wait.
            running: Requests that run.
        """
        self._waiting(lane).set(waiting)
        self._running(lane).set(running)

    def rejected(self, reason: str) -> None:
        """Counts a request that was refused.

        Args:
            reason: One of ``REASONS``.
        """
        self._rejections(reason).inc()

    def batch(self, glyphs: int) -> None:
        """Counts a run of the network.

        Args:
            glyphs: How many glyphs it read.
        """
        self._batch.observe(glyphs)

    def predicted(self, model: str, char: str | None) -> None:
        """Counts a character that was read.

        Args:
            model: The model's name.
            char: What it was read as; None where it was rejected.
        """
        self._predictions(model, char or _REJECTED).inc()

    def model(self, name: str, version: str) -> None:
        """Tells of a model that is served.

        Args:
            name: The model's name.
            version: Its version.
        """
        self._models(name, version).set(1)
        self._predictions(name, _REJECTED)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Words the metrics.

        Args:
            accept: The request's header Accept: Prometheus' text, or OpenMetrics where it is asked for.

        Returns:
            The body, and its content type.
        """
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):
            # A version that is no version.
            encode, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
        return encode(self._registry), content_type


class _Processes(Collector):
    """Memory, processor time and open files of each process of the server, by its number.

    Args:
        directory: What the processes share; None where there is one.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def collect(self) -> Iterable[Metric]:
        """Gives Prometheus' usual ``process_`` metrics, with a label ``worker``."""
        families: dict[str, Metric] = {}
        workers = _workers(self._directory) if self._directory else [("0", str(os.getpid()))]
        for number, pid in workers:
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    family.add_sample(sample.name, {**sample.labels, "worker": number}, sample.value)
        return families.values()


@functools.cache
def _share(directory: Path) -> IO[str]:
    """Takes the first number that is free in a directory, and makes all metrics to come write there under it.

    Returns:
        The file whose lock is the number's; kept open here for as long as the process lives.
    """
    for number in itertools.count():
        lock = (directory / f"worker_{number}.lock").open("a+")
        if not _locks(lock, exclusively=True):
            lock.close()
            continue
        mark_process_dead(number, str(directory))  # type: ignore[no-untyped-call]
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        values.ValueClass = values.MultiProcessValue(functools.partial(int, number))  # type: ignore[no-untyped-call]
        return lock
    raise AssertionError  # pragma: no cover - numbers don't end


def _workers(directory: Path) -> Iterator[tuple[str, str]]:
    """Gives number and pid of each process that lives, and takes away what the others had said of their queues."""
    for path in sorted(directory.glob("worker_*.lock")):
        number = path.stem.removeprefix("worker_")
        with path.open() as lock:
            if _locks(lock, exclusively=False):
                # Nobody takes the number as long as it is locked here.
                mark_process_dead(int(number), str(directory))  # type: ignore[no-untyped-call]
            elif pid := lock.read():
                yield number, pid


def _locks(file: IO[str], *, exclusively: bool) -> bool:
    """Tries to lock a file, until it is closed; tells whether that worked."""
    import fcntl  # noqa: PLC0415 - not on Windows, where one process serves

    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusively else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

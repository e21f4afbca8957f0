"""What the routes serve from: the models, and the lanes that the work goes through."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from penread.recognizer import Recognizer
from penread.server.lanes import Batcher, Lane

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from starlette.types import Receive

    from penread.bundle import Bundle
    from penread.server.lanes import Queue, Scores
    from penread.server.metrics import Metrics
    from penread.server.settings import Settings

#: The most glyphs in a run of the graph for single requests: on one thread more gain nothing, and make everybody in the
#: run wait for all of it.
MAX_BATCH = 4
# What weighs up to the size of a body while it waits, and what takes seconds, has shorter queues, for each core.
_PHOTOS_A_CORE = 16
_PAGES_A_CORE = 4
#: A body that is larger brings a photograph, or as many images as one.
LARGE_BYTES = 128 * 1024


class Service:
    """The models and the lanes of one process.

    Attributes:
        models: The recogniser of each bundle, by its name; the first is the one that the page and the API use.
        recognizer: The first.
        images: The lane for images that take milliseconds.
        photos: The lane for what takes a multiple of that: photographs, batches, explanations.
        pages: The lane for what takes seconds.
        queues: All queues: that of each model, then those of the lanes.
        is_stopping: Whether the process is about to end.

    Args:
        bundles: The bundles to serve.
        settings: The settings.
        metrics: Is told what happens.
    """

    def __init__(self, bundles: list[Bundle], settings: Settings, metrics: Metrics) -> None:
        self.models = {bundle.info.name: Recognizer(bundle) for bundle in bundles}
        self.recognizer = next(iter(self.models.values()))
        self.is_stopping = False
        self._batchers = {
            name: Batcher(
                "glyphs" if recognizer is self.recognizer else f"glyphs:{name}",
                recognizer,
                MAX_BATCH,
                settings.queue,
                metrics,
            )
            for name, recognizer in self.models.items()
        }
        cores = _cores()
        # Small images are read by Python more than by OpenCV, and of Python one thread runs at a time: with two of them
        # each took more than twice as long.
        self.images = Lane("images", 1, settings.queue, metrics)
        # These take a core and its memory; more at once than there are cores only adds the memory.
        self.photos = Lane("photos", cores, min(settings.queue, _PHOTOS_A_CORE * cores), metrics)
        # Pages take seconds: they leave a core to characters, which take milliseconds.
        self.pages = Lane("pages", max(cores - 1, 1), min(settings.queue, _PAGES_A_CORE * cores), metrics)
        self.queues = [batcher.queue for batcher in self._batchers.values()]
        self.queues += [lane.queue for lane in (self.images, self.photos, self.pages)]
        for name, recognizer in self.models.items():
            metrics.model(name, recognizer.info.version)

    @property
    def is_crowded(self) -> bool:
        """Whether any queue was full a moment ago."""
        return any(queue.was_full for queue in self.queues)

    def queue_of(
        self, path: str, content_type: str, content_length: int, *, shows_image: bool | None = None
    ) -> Queue | None:
        """Tells from a request's head in which queue it would wait.

        Args:
            path: Its path.
            content_type: Its ``Content-Type``.
            content_length: Its ``Content-Length``, 0 where it has none.
            shows_image: Whether its JSON has an image, and no drawing; None where it isn't known.

        Returns:
            The queue; None where that isn't known.
        """
        if path == "/api/v1/read":
            return self.pages.queue
        if path == "/api/v1/explain" or (path == "/api/v1/predict" and content_length > LARGE_BYTES):
            return self.photos.queue
        if path != "/api/v1/predict":
            return None
        if shows_image or content_type.startswith("multipart/"):
            return self.images.queue
        return None if shows_image is None else self.queues[0]

    def lane_of(self, image_bytes: int) -> Lane:
        """Gives the lane for images of one request.

        Args:
            image_bytes: The bytes of all of them.
        """
        return self.images if image_bytes <= LARGE_BYTES else self.photos

    async def score(self, recognizer: Recognizer, glyphs: NDArray[np.uint8], receive: Receive) -> Scores:
        """Computes what a model says of glyphs, off the event loop, a few of them together with other requests'.

        Args:
            recognizer: One of ``models``.
            glyphs: uint8 (N, 28, 28).
            receive: The request's, with its body taken already.

        Returns:
            Logits and log-probabilities of kinds, see ``Recognizer.score``.

        Raises:
            Overloaded: Too many requests wait.
            ClientGone: The client left before it was done.
        """
        batcher = self._batchers[recognizer.info.name]
        if len(glyphs) <= batcher.max_batch:
            return await batcher.score(glyphs)
        return await self.photos.run(lambda: recognizer.score(glyphs), receive)

    def close(self) -> None:
        """Begins nothing more."""
        self.is_stopping = True
        for batcher in self._batchers.values():
            batcher.close()
        for lane in (self.images, self.photos, self.pages):
            lane.close()


def _cores() -> int:
    """Counts the cores that the process may use; PYTHON_CPU_COUNT tells it a container's, from Python 3.13 on."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

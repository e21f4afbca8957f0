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
    from penread.server.lanes import Scores
    from penread.server.metrics import Metrics
    from penread.server.settings import Settings

# `benchmarks/serving` compares sizes: more gains nothing on one thread, and makes everybody in the run wait for all.
_MAX_BATCH = 8
# Images weigh up to the size of a body while they wait, and pages take seconds: queues much shorter than that of
# drawings, for each core.
_IMAGES_A_CORE = 32
_PAGES_A_CORE = 4


class Service:
    """The models and the lanes of one process.

    Attributes:
        models: The recogniser of each bundle, by its name; the first is the one that the page and the API use.
        recognizer: The first.
        images: The lane for what takes milliseconds: images, batches, explanations.
        pages: The lane for what takes seconds.
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
                _MAX_BATCH,
                settings.queue,
                metrics,
            )
            for name, recognizer in self.models.items()
        }
        # Reading an image takes a core and its memory; more at once than there are cores only adds the memory.
        cores = _cores()
        self.images = Lane("images", cores, min(settings.queue, _IMAGES_A_CORE * cores), metrics)
        # Pages take seconds: they leave a core to characters, which take milliseconds.
        self.pages = Lane("pages", max(cores - 1, 1), min(settings.queue, _PAGES_A_CORE * cores), metrics)
        for name, recognizer in self.models.items():
            metrics.model(name, recognizer.info.version)

    def check(self) -> None:
        """Refuses where too many drawings wait, before a body is read in vain.

        Raises:
            Overloaded: So it is.
        """
        self._batchers[self.recognizer.info.name].check()

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
        return await self.images.run(lambda: recognizer.score(glyphs), receive)

    def close(self) -> None:
        """Begins nothing more."""
        self.is_stopping = True
        for batcher in self._batchers.values():
            batcher.close()
        self.images.close()
        self.pages.close()


def _cores() -> int:
    """Counts the cores that the process may use; PYTHON_CPU_COUNT tells it a container's, from Python 3.13 on."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""A peer: BentoML with adaptive batching, as its guide writes it.

bentoml serve --working-dir benchmarks/serving bentoml_server:Reader --port 8001

``POST /predict`` takes ``{"images": ["<base64>"]}``: what can be batched takes a list, and a request brings a list of
one. BentoML gathers the lists of concurrent requests, and learns how long to wait for more.
"""

from __future__ import annotations

import bentoml  # type: ignore[import-not-found] # of the peers' environment
from peer_model import Answer, Model, glyph_of


@bentoml.service(workers=1)
class Reader:
    """Reads characters."""

    def __init__(self) -> None:
        # ONNX Runtime's default, a thread a core, took up to twice the processor time.
        self._model = Model(threads=1)

    # Past max_latency_ms BentoML refuses requests: with 100 ms it did so at 8 connections. 10 s were as fast.
    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=10_000)  # type: ignore[untyped-decorator] # as above
    def predict(self, images: list[str]) -> list[Answer]:
        """Read a batch of characters."""
        return self._model.read([glyph_of(image) for image in images])

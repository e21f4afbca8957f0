"""A peer: LitServe with batching, as its guide writes it.

python benchmarks/serving/litserve_server.py --port 8001

``POST /predict`` takes ``{"image": "<base64>"}``. LitServe serves HTTP in one process and runs the model in another.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import litserve as ls  # type: ignore[import-not-found] # of the peers' environment
from peer_model import Model, glyph_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from peer_model import Answer


class Reader(ls.LitAPI):  # type: ignore[misc] # not installed where types are checked
    """What LitServe calls for a request and for a batch."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe's signature
        """Loads the model, in the process that runs it."""
        # One thread: the other core serves HTTP, in its own process. Two took up to twice the processor time.
        self._model = Model(threads=1)

    def decode_request(self, request: dict[str, str]) -> NDArray[np.uint8]:
        """Turns a request into a glyph."""
        return glyph_of(request["image"])

    def batch(self, inputs: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Gathers glyphs; ``Model.read`` stacks them."""
        return inputs

    def predict(self, x: list[NDArray[np.uint8]]) -> list[Answer]:
        """Reads a batch in one run."""
        return self._model.read(x)

    def unbatch(self, output: list[Answer]) -> list[Answer]:
        """Gives each request its own."""
        return output

    def encode_response(self, output: Answer) -> dict[str, str | float]:
        """Answers as JSON."""
        return output


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    # A batch takes what comes within about the time of a run; 10 ms made single requests slow, and 16 or 64 at most
    # made no difference. fast_queue hands requests over by ZeroMQ, which was the faster way.
    api = Reader(max_batch_size=64, batch_timeout=0.002)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=given.port, generate_client_file=False)

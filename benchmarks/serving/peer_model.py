"""What the peers share: the same model.onnx, fed the way a tutorial does it, by base64, Pillow and numpy.

PENREAD_PEER_BUNDLE names the bundle's directory. penread itself is not needed.
"""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


#: What a peer answers: the likeliest character, and its probability.
Answer = dict[str, str | float]


class Model:
    """The bundle's graph on ONNX Runtime.

    Args:
        threads: ONNX Runtime's threads for one call; 0 for its default, one a core.
    """

    def __init__(self, threads: int = 0) -> None:
        bundle = Path(os.environ["PENREAD_PEER_BUNDLE"])
        info = json.loads((bundle / "model.json").read_text("utf-8"))
        self._chars: str = info["chars"]
        self._temperature: float = info["temperature"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(bundle / "model.onnx", options, providers=["CPUExecutionProvider"])

    def read(self, glyphs: Sequence[NDArray[np.uint8]]) -> list[Answer]:
        """Reads glyphs, all in one run of the graph.

        Args:
            glyphs: One or more, each uint8 (28, 28).
        """
        logits = self._session.run(["logits"], {self._session.get_inputs()[0].name: np.stack(glyphs)})[0]
        logits = logits / self._temperature
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        probs = exp / exp.sum(axis=1, keepdims=True)
        best = probs.argmax(axis=1)
        return [
            {"char": self._chars[label], "confidence": float(row[label])}
            for label, row in zip(best, probs, strict=True)
        ]


def glyph_of(image: str) -> NDArray[np.uint8]:
    """Decodes an image as base64 and makes it EMNIST's size and polarity: uint8 (28, 28), ink 255 on 0."""
    picture = Image.open(io.BytesIO(base64.b64decode(image))).convert("L")
    if np.asarray(picture).mean() > 127:
        picture = ImageOps.invert(picture)
    if picture.size != (28, 28):
        picture = picture.resize((28, 28), Image.Resampling.BILINEAR)
    return np.asarray(picture)

"""Glyphs to predictions, on ONNX Runtime: the one recogniser behind Python, the commands, the API and the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import onnxruntime
from PIL import Image

from penread import charset as charsets
from penread import glyph as glyphs_of
from penread.bundle import DEFAULT_BUNDLE, Bundle
from penread.errors import BundleError, InputError
from penread.ink import Ink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: What can be read: ink, an image (file, content, PIL image or array), or a glyph: an array uint8 (28, 28).
Source = Ink | Path | str | bytes | Image.Image | np.ndarray

# Enough to keep the processor busy, few enough to keep the planes of a convolution in tens of megabytes.
_BATCH = 256
# A glyph's darkest pixel is 255; one whose darkest is under half of that shows no ink.
_MIN_INK = 128


@dataclass(frozen=True)
class Candidate:
    """One possible answer.

    Attributes:
        char: The character.
        confidence: Its probability, 0 to 1, among the characters that the charset allows.
    """

    char: str
    confidence: float


@dataclass(frozen=True)
class Prediction:
    """What was read.

    Attributes:
        char: The best candidate's character; None where ``rejected`` is set.
        confidence: The best candidate's confidence; 0 for a blank.
        candidates: The likeliest answers, best first; empty only for a blank.
        rejected: None, ``"blank"`` (there is no ink) or ``"unclear"`` (the model can't tell what it is).
    """

    char: str | None
    confidence: float
    candidates: list[Candidate]
    rejected: Literal["blank", "unclear"] | None


def to_glyph(source: Source) -> NDArray[np.uint8]:
    """Turns anything that can be read into its glyph.

    Args:
        source: Ink, an image, or a glyph. An array uint8 (28, 28) with a dark border is taken for a glyph, ink
            255 on 0, and given back as it is; any other array is an image.

    Returns:
        The glyph, uint8 (28, 28).

    Raises:
        InputError: It is none of these, or an image that can't be read.
    """
    if isinstance(source, Ink):
        return source.glyph()
    if isinstance(source, np.ndarray) and _is_glyph(source):
        return source
    if isinstance(source, (Path, str, bytes, Image.Image, np.ndarray)):
        return glyphs_of.from_image(source)
    raise InputError(
        f"What can't be read: {type(source).__name__}. Give Ink(strokes), an image (path, bytes, PIL image, array) "
        "or a glyph (uint8 array of 28×28)."
    )


def _is_glyph(array: NDArray[np.generic]) -> bool:
    """Tells a glyph from a picture of the same size: a glyph's border is empty, that of dark on light is not."""
    if array.shape != (28, 28) or array.dtype != np.uint8:
        return False
    border = np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])
    return bool(np.count_nonzero(border < _MIN_INK) > len(border) // 2)


class Recognizer:
    """Reads characters with one bundle. Make one and keep it; any number of threads may use it.

    Args:
        bundle: The name of a bundle that ships, a bundle's directory, or a loaded bundle.
        threads: CPU threads for one call, 0 for one a core. One is the fastest for single characters.

    Raises:
        BundleError: The bundle is missing or damaged.
    """

    def __init__(self, bundle: str | Path | Bundle = DEFAULT_BUNDLE, *, threads: int = 1) -> None:
        loaded = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(loaded.onnx, options, providers=["CPUExecutionProvider"])
        # ONNX Runtime's exceptions share no base class but Exception.
        except Exception as error:
            raise BundleError(f"ONNX Runtime can't load the model of bundle {loaded.info.name}: {error}") from error
        [glyphs], [logits] = self._session.get_inputs(), self._session.get_outputs()
        if (glyphs.type, glyphs.shape[1:], logits.shape[1:]) != ("tensor(uint8)", [28, 28], [len(loaded.info.chars)]):
            raise BundleError(
                f"The model of bundle {loaded.info.name} takes {glyphs.type} {glyphs.shape} and gives {logits.shape}: "
                f"it must take uint8 (N, 28, 28) and give logits for the {len(loaded.info.chars)} chars of model.json."
            )
        self._input = glyphs.name
        self.info = loaded.info

    def logits(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Computes the logits of each class, divided by the bundle's temperature.

        Args:
            glyphs: uint8 (N, 28, 28).

        Returns:
            Logits, float (N, classes).

        Raises:
            InputError: The array has another shape or type.
        """
        if glyphs.ndim != 3 or glyphs.shape[1:] != (28, 28) or glyphs.dtype != np.uint8:
            raise InputError(f"Glyphs are a uint8 array (N, 28, 28); this is {glyphs.dtype} {glyphs.shape}.")
        logits = [
            self._session.run(None, {self._input: glyphs[first : first + _BATCH]})[0]
            for first in range(0, len(glyphs), _BATCH)
        ]
        joined = np.concatenate(logits) if logits else np.zeros((0, len(self.info.chars)))
        return joined.astype(np.float64) / self.info.temperature

    def probs(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Computes the probability of each class.

        Args:
            glyphs: uint8 (N, 28, 28).

        Returns:
            Probabilities, float (N, classes), each row of sum 1.
        """
        return _softmax(self.logits(glyphs))

    def predict(self, source: Source, *, top_k: int = 5, charset: str | None = None) -> Prediction:
        """Reads one character.

        Args:
            source: Ink, an image, or a glyph.
            top_k: The most candidates to give.
            charset: The characters allowed, see ``penread.charset.select``; None for all.

        Raises:
            InputError: The source can't be read, or ``top_k`` is below 1.
            CharsetError: The charset has a character that the model has not.
        """
        return self.predict_many([source], top_k=top_k, charset=charset)[0]

    def predict_many(
        self, sources: Sequence[Source] | NDArray[np.uint8], *, top_k: int = 5, charset: str | None = None
    ) -> list[Prediction]:
        """Reads many characters, each by itself.

        Args:
            sources: Ink, images and glyphs, mixed as you like; or an array of glyphs, uint8 (N, 28, 28).
            top_k: The most candidates to give for each.
            charset: The characters allowed in all of them; None for all.

        Returns:
            A prediction for each, in order.

        Raises:
            InputError: A source can't be read (the message says which), or ``top_k`` is below 1.
            CharsetError: The charset has a character that the model has not.
        """
        if top_k < 1:
            raise InputError(f"top_k is {top_k}; it must be 1 or more.")
        if isinstance(sources, (str, bytes, Path, Image.Image, Ink)):
            raise InputError("predict_many takes a list of sources; predict takes one.")
        classes, answers = charsets.select(self.info.chars, charset)
        glyphs = np.zeros((len(sources), 28, 28), np.uint8)
        for number, source in enumerate(sources):
            try:
                glyphs[number] = to_glyph(source)
            except InputError as error:
                raise error if len(sources) == 1 else InputError(f"Item {number}: {error}") from error
        probs = _softmax(self.logits(glyphs)[:, classes])
        best = np.argsort(-probs, axis=1, kind="stable")[:, :top_k]
        blank = glyphs.max(axis=(1, 2), initial=0) < _MIN_INK
        return [
            Prediction(None, 0.0, [], "blank")
            if blank[row]
            else _prediction([Candidate(answers[column], float(probs[row, column])) for column in best[row]])
            for row in range(len(glyphs))
        ]


def _prediction(candidates: list[Candidate]) -> Prediction:
    return Prediction(candidates[0].char, candidates[0].confidence, candidates, None)


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

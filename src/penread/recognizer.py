"""Glyphs to predictions, on ONNX Runtime: the one recogniser behind Python, the commands, the API and the page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from PIL import Image

from penread import charset as charsets
from penread import explain as occlusion
from penread import glyph as glyphs_of
from penread import lines, paper
from penread.bundle import DEFAULT_BUNDLE, KINDS, Bundle
from penread.context import Read, alone, charset_of_each, decode, log_softmax
from penread.errors import BundleError, InputError
from penread.image import picture
from penread.ink import Ink
from penread.prediction import (
    REJECTED_CHAR,
    Candidate,
    Character,
    Explanation,
    Prediction,
    Reading,
    Reason,
    TextLine,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from penread.lattice import Line

#: What can be read: ink, an image (file, content, PIL image or array), or a glyph: an array uint8 (28, 28).
Source = Ink | Path | str | bytes | Image.Image | np.ndarray

#: Pages are read at so many pixels on the longer side: a line of a full page is some 50 pixels high then.
PAGE_PX = 2600

# Beside other characters the odds of ink being one are this much higher than by itself: the head's examples have two
# characters to three other things, pages more than a hundred.
_ODDS_IN_LINE = 200

# Enough to keep the processor busy, few enough to keep the planes of a convolution in tens of megabytes.
_BATCH = 256
# A glyph's darkest pixel is 255; one whose darkest is under half of that shows no ink.
_MIN_INK = 128
# A dot of ink is 3 pixels wide; of 243,674 training images of EMNIST the smallest character has 10.
_SPECK_PX = 7
# One in 6,000 of them has so large a square of nothing but ink.
_SOLID_PX = 11


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


def to_glyphs(sources: Sequence[Source] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turns anything that can be read into glyphs, see ``to_glyph``.

    Args:
        sources: Ink, images and glyphs, mixed as you like; or an array of glyphs, uint8 (N, 28, 28).

    Returns:
        The glyphs, uint8 (N, 28, 28).

    Raises:
        InputError: A source can't be read; where there are several, the message says which.
    """
    glyphs = np.zeros((len(sources), 28, 28), np.uint8)
    for number, source in enumerate(sources):
        try:
            glyphs[number] = to_glyph(source)
        except InputError as error:
            raise error if len(sources) == 1 else InputError(f"Item {number}: {error}") from error
    return glyphs


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
        [glyphs], [logits, *kinds] = self._session.get_inputs(), self._session.get_outputs()
        if (glyphs.type, glyphs.shape[1:], logits.shape[1:]) != ("tensor(uint8)", [28, 28], [len(loaded.info.chars)]):
            raise BundleError(
                f"The model of bundle {loaded.info.name} takes {glyphs.type} {glyphs.shape} and gives {logits.shape}: "
                f"it must take uint8 (N, 28, 28) and give logits for the {len(loaded.info.chars)} chars of model.json."
            )
        if [(each.name, each.shape[1:]) for each in kinds] not in ([], [("kinds", [len(KINDS)])]):
            raise BundleError(
                f"The model of bundle {loaded.info.name} gives more than logits: {[each.name for each in kinds]}. The "
                f"one other output that a bundle may have is kinds, (N, {len(KINDS)})."
            )
        if loaded.info.rejection and not kinds:
            raise BundleError(
                f"The model.json of bundle {loaded.info.name} has thresholds of rejection, but its model gives no "
                "kinds to compare with them: export the bundle anew."
            )
        self._input = glyphs.name
        self._gives_kinds = bool(kinds)
        self.info = loaded.info

    def score(self, glyphs: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Computes what the network says of each glyph, in one run: which character, and whether it is one at all.

        Args:
            glyphs: uint8 (N, 28, 28).

        Returns:
            Logits, float (N, classes), divided by the bundle's temperature; and log-probabilities, float (N, 3), of
            the glyph being one character, several, or something else. A bundle that can't tell takes everything
            for one character: 0, and minus infinity twice.

        Raises:
            InputError: The array has another shape or type.
        """
        if glyphs.ndim != 3 or glyphs.shape[1:] != (28, 28) or glyphs.dtype != np.uint8:
            raise InputError(f"Glyphs are a uint8 array (N, 28, 28); this is {glyphs.dtype} {glyphs.shape}.")
        runs = [
            self._session.run(None, {self._input: glyphs[first : first + _BATCH]})
            for first in range(0, len(glyphs), _BATCH)
        ]
        logits = np.concatenate([np.zeros((0, len(self.info.chars))), *(run[0] for run in runs)])
        kinds = np.tile([0.0, -np.inf, -np.inf], (len(glyphs), 1))
        if self._gives_kinds and runs:
            kinds = log_softmax(np.concatenate([run[1] for run in runs]).astype(np.float64))
        return logits / self.info.temperature, kinds

    def logits(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Computes the logits of each class, divided by the bundle's temperature.

        Args:
            glyphs: uint8 (N, 28, 28).

        Returns:
            Logits, float (N, classes).

        Raises:
            InputError: The array has another shape or type.
        """
        return self.score(glyphs)[0]

    def kinds(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Computes the probability of each kind of ink.

        Args:
            glyphs: uint8 (N, 28, 28).

        Returns:
            Probabilities of one character, several characters and something else, float (N, 3), each row of sum 1;
            1, 0, 0 for a bundle that can't tell.
        """
        return np.asarray(np.exp(self.score(glyphs)[1]))

    def probs(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Computes the probability of each class.

        Args:
            glyphs: uint8 (N, 28, 28).

        Returns:
            Probabilities, float (N, classes), each row of sum 1.
        """
        return np.asarray(np.exp(log_softmax(self.logits(glyphs))))

    def predict(
        self, source: Source, *, top_k: int = 5, charset: str | None = None, unclear_above: float | None = None
    ) -> Prediction:
        """Reads one character.

        Args:
            source: Ink, an image, or a glyph.
            top_k: The most candidates to give.
            charset: The characters allowed, see ``penread.charset.select``; None for all.
            unclear_above: Ink is rejected as unclear where the probability that it is not one character is above
                this: the lower, the more is rejected. 0 rejects practically all ink; 1 rejects none, specks and blots
                included. None takes the bundle's own threshold.

        Raises:
            InputError: The source can't be read, ``top_k`` is below 1, or ``unclear_above`` is not from 0 to 1.
            CharsetError: The charset has a character that the model has not.
        """
        return self.predict_many([source], top_k=top_k, charset=charset, unclear_above=unclear_above)[0]

    def predict_many(
        self,
        sources: Sequence[Source] | NDArray[np.uint8],
        *,
        top_k: int = 5,
        charset: str | None = None,
        unclear_above: float | None = None,
    ) -> list[Prediction]:
        """Reads many characters, each by itself.

        Args:
            sources: Ink, images and glyphs, mixed as you like; or an array of glyphs, uint8 (N, 28, 28).
            top_k: The most candidates to give for each.
            charset: The characters allowed in all of them; None for all.
            unclear_above: When to reject, see ``predict``.

        Returns:
            A prediction for each, in order.

        Raises:
            InputError: A source can't be read (the message says which), ``top_k`` is below 1, or ``unclear_above``
                is not from 0 to 1.
            CharsetError: The charset has a character that the model has not.
        """
        if isinstance(sources, (str, bytes, Path, Image.Image, Ink)):
            raise InputError("predict_many takes a list of sources; predict takes one.")
        self._checked([charset], top_k, unclear_above)
        glyphs = to_glyphs(sources)
        logits, kinds = self.score(glyphs)
        return self.decide(glyphs, logits, kinds, top_k=top_k, charset=charset, unclear_above=unclear_above)

    def decide(
        self,
        glyphs: NDArray[np.uint8],
        logits: NDArray[np.float64],
        kinds: NDArray[np.float64],
        *,
        top_k: int = 5,
        charset: str | None = None,
        unclear_above: float | None = None,
    ) -> list[Prediction]:
        """Makes predictions of what the network said: the second half of ``predict_many``, after ``score``.

        Args:
            glyphs: uint8 (N, 28, 28).
            logits: Of each class, float (N, classes), as ``score`` gives them.
            kinds: Log-probabilities of the kinds of ink, float (N, 3), as ``score`` gives them.
            top_k: The most candidates to give for each.
            charset: The characters allowed in all of them; None for all.
            unclear_above: When to reject, see ``predict``.

        Returns:
            A prediction for each, in order.

        Raises:
            InputError: ``top_k`` is below 1, or ``unclear_above`` is not from 0 to 1.
            CharsetError: The charset has a character that the model has not.
        """
        limit = self._checked([charset], top_k, unclear_above)
        log_probs, answers = alone(logits, glyphs, self.info.chars, charset)
        probs = np.exp(log_probs)
        best = np.argsort(-probs, axis=1, kind="stable")[:, :top_k]
        return [
            _prediction(
                [Candidate(answers[column], float(probs[row, column])) for column in best[row]],
                float(np.exp(kinds[row, 0])),
                _doubt(glyphs[row], kinds[row], limit),
            )
            for row in range(len(glyphs))
        ]

    def read(
        self,
        source: Source,
        *,
        charset: str | Sequence[str | None] | None = None,
        context: bool = True,
        top_k: int = 5,
        unclear_above: float | None = None,
    ) -> Reading:
        """Reads all that is written on a page: lines, words, characters.

        Args:
            source: A photograph or scan of the page; or ink with several characters side by side.
            charset: The characters allowed: on all lines, or on each.
            context: Whether a word is read as a whole: neighbours, sizes and a model of English decide between
                characters that look alike, see ``penread.context``. Without, each character is read by itself.
            top_k: The most candidates to give for each character.
            unclear_above: When to reject, see ``predict``. None takes the bundle's own threshold; in a line, where
                most ink is characters, only what is far less likely to be one is rejected.

        Returns:
            What was read, with boxes in pixels of the upright image, or in the unit of the ink.

        Raises:
            InputError: The source can't be read, there are too many characters, ``top_k`` is below 1,
                ``unclear_above`` is not from 0 to 1, or there aren't as many charsets as lines.
            CharsetError: A charset has a character that the model has not.
        """
        wanted = [charset] if charset is None or isinstance(charset, str) else charset
        limit = self._checked(wanted, top_k, unclear_above)
        found, (width, height), scale = _lines_of(source)
        per_line = charset_of_each(charset, len(found))
        spans = [span.glyph for line in found for word in line.words for span in word.spans]
        logits, kinds = self.score(np.stack(spans) if spans else np.zeros((0, 28, 28), np.uint8))
        read = decode(found, logits, kinds, self.info.chars, per_line, context=context, top_k=top_k)
        texts = []
        for line, words in zip(found, read, strict=True):
            in_line = limit if unclear_above is not None or sum(map(len, words)) < 2 else _among_characters(limit)
            characters = [[self._character(each, kinds[each.row], in_line, scale) for each in word] for word in words]
            text = " ".join("".join(each.char or REJECTED_CHAR for each in word) for word in characters)
            texts.append(TextLine(text, line.box.scaled(*scale), [each for word in characters for each in word]))
        return Reading(texts, width, height)

    def explain(self, source: Source, *, char: str | None = None, charset: str | None = None) -> Explanation:
        """Tells which parts of the ink speak for a character, and which against it.

        Up to 144 glyphs with a part covered are read, so it takes about as many times as long as ``predict``.

        Args:
            source: Ink, an image, or a glyph.
            char: The character to speak for, in either case where one class stands for both; the likeliest, where it
                is None.
            charset: The characters allowed, see ``predict``.

        Raises:
            InputError: The source can't be read, or shows no ink; or ``char`` is not in the charset.
            CharsetError: The charset has a character that the model has not.
        """
        glyph = to_glyph(source)
        if glyph.max() < _MIN_INK:
            raise InputError("There is no ink to explain: draw a character, or give an image of one.")
        parts, windows = occlusion.covered(glyph)
        glyphs = np.concatenate([glyph[None], parts])
        log_probs, answers = alone(self.score(glyphs)[0], glyphs, self.info.chars, charset)
        if char is None:
            char = answers[int(log_probs[0].argmax())]
        classes, _ = charsets.select(self.info.chars, charset)
        both_cases = charsets.stands_for(self.info.chars)
        column = next((place for place, label in enumerate(classes) if char in tuple(both_cases[label])), None)
        if column is None:
            raise InputError(f'char is "{char}"; it must be one of the characters allowed: {answers}.')
        odds = occlusion.log_odds(log_probs, column)
        lost = odds[0] - odds[1:]
        confidence = float(np.exp(log_probs[0, column]))
        return Explanation(char, confidence, glyph, occlusion.importance(glyph, windows, lost))

    def _checked(self, wanted: Iterable[str | None], top_k: int, unclear_above: float | None) -> float:
        """Refuses options that are wrong, before anything is read.

        Returns:
            The probability of being no character above which ink is rejected; infinity to reject nothing.
        """
        if top_k < 1:
            raise InputError(f"top_k is {top_k}; it must be 1 or more.")
        for charset in wanted:
            charsets.select(self.info.chars, charset)
        if unclear_above is None:
            unclear_above = self.info.rejection.get("unclear", 1.0)
        if not 0 <= unclear_above <= 1:
            raise InputError(f"unclear_above is {unclear_above}; it is a probability, 0 to 1.")
        return unclear_above if self._gives_kinds and unclear_above < 1 else np.inf

    @staticmethod
    def _character(read: Read, kinds: NDArray[np.float64], limit: float, scale: tuple[float, float]) -> Character:
        doubt = _doubt(read.span.glyph, kinds, limit)
        prediction = _prediction(read.candidates, float(np.exp(kinds[0])), doubt)
        return Character(**vars(prediction), box=read.span.box.scaled(*scale))


def _among_characters(limit: float) -> float:
    """Shifts a threshold to where characters are by so much likelier beforehand."""
    return 1.0 if limit == np.inf else 1 - (1 - limit) / (1 - limit + limit * _ODDS_IN_LINE)


def _lines_of(source: Source) -> tuple[list[Line], tuple[float, float], tuple[float, float]]:
    """Finds the lines of a source; gives its page's width and height, too, and what to scale boxes by, in x and y."""
    if isinstance(source, Ink):
        points = np.concatenate([np.zeros((1, 2)), *source.strokes])
        width, height = np.ptp(points, axis=0)
        return lines.from_strokes(source), (float(width), float(height)), (1.0, 1.0)
    if not isinstance(source, (Path, str, bytes, Image.Image, np.ndarray)):
        raise InputError(
            f"What can't be read: {type(source).__name__}. Give Ink(strokes), or an image (path, bytes, PIL image, "
            "array)."
        )
    shown, (width, height) = picture(source, PAGE_PX)
    ink = paper.page(shown)
    found = [] if ink is None else lines.from_ink_map(ink)
    # Pictures have whole pixels: the shorter side is shrunk by a little more or less than the longer one.
    return found, (float(width), float(height)), (width / shown.shape[1], height / shown.shape[0])


def _prediction(candidates: list[Candidate], one: float, doubt: Reason | None) -> Prediction:
    """Puts an answer together.

    Args:
        candidates: Best first.
        one: The probability that it is one character.
        doubt: Why it is rejected, if it is.
    """
    best = candidates[0]
    if doubt is None:
        return Prediction(best.char, best.confidence, candidates, None)
    if doubt == "empty":
        return Prediction(None, 0.0, [], "blank", doubt)
    return Prediction(None, one * best.confidence, candidates, "unclear", doubt)


def _doubt(glyph: NDArray[np.uint8], kinds: NDArray[np.float64], limit: float) -> Reason | None:
    """Tells why a glyph is not to be read as one character; None where it is."""
    if glyph.max() < _MIN_INK:
        return "empty"
    if limit == np.inf:
        return None
    inked = glyph >= _MIN_INK
    if max(np.ptp(np.flatnonzero(inked.any(axis=side))) for side in (0, 1)) + 1 < _SPECK_PX:
        return "speck"
    if _has_square(inked, _SOLID_PX):
        return "solid"
    if -np.expm1(kinds[0]) > limit:
        return "several" if kinds[1] > kinds[2] else "unknown"
    return None


def _has_square(inked: NDArray[np.bool_], side: int) -> bool:
    """Tells whether a square of so many pixels a side lies within the ink."""
    # Nearly all characters are done with here: too few of their rows have that much ink.
    if np.count_nonzero(np.count_nonzero(inked, axis=1) >= side) < side:
        return False
    counts = np.pad(inked, ((1, 0), (1, 0))).cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    within = counts[side:, side:] - counts[:-side, side:] - counts[side:, :-side] + counts[:-side, :-side]
    return bool(within.max() == side * side)

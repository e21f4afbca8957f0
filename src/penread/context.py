"""What a character is beside its neighbours: cuts words into characters and reads them together.

Alone, ``O`` and ``0``, ``S``, ``s`` and ``5`` are one drawing. In a word the neighbours tell. Each word is read as
every *kind* there is (a number, a lower-case word, ...), each with a model of its characters, for each likely cut;
what the network says to the ink, how tall the characters are beside each other, and the model of the kind are
multiplied. ``docs/models.md`` says where the numbers below come from.
"""

from __future__ import annotations

import heapq
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from penread import charset as charsets
from penread import language
from penread.errors import InputError
from penread.glyph import log_case_of_l
from penread.prediction import Candidate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from penread.lattice import Line, Span, Word

    Floats = NDArray[np.float64]

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_DIGITS, _UPPER, _LOWER = 0, 1, 2
_TYPES = (slice(0, 10), slice(10, 36), slice(36, 62))
_TYPE_SIZE = np.array([10, 26, 26])
_TYPE_OF = np.repeat([_DIGITS, _UPPER, _LOWER], _TYPE_SIZE)

# --- What the network says ---

# Its confidence is calibrated on EMNIST's writers; others are less like them. So likelihoods are flattened, and one
# glyph in so many is anything.
_FLATTEN = 1.15
_ANYTHING = 0.005

# --- Cutting ---

# The cuts of a word that are read in full: at most so many, none worse than the best by more nats.
_MAX_CUTS = 5
_CUT_MARGIN = 6.0
# A span that is no character is not worse than this, in nats: the head that says so may be wrong.
_MIN_LOG_KIND = -6.0

# --- Kinds of words ---


@dataclass(frozen=True)
class _Code:
    """A kind of characters that know nothing of each other but their types: digit, capital, small letter.

    Attributes:
        prior: How many words are of the kind.
        types: How often a run has each type.
        same: How often the next character goes on with the run.
    """

    prior: float
    types: tuple[float, float, float]
    same: float


@dataclass(frozen=True)
class _Spelled:
    """A kind of words that follow the character model.

    Attributes:
        prior: How many words are of the kind.
        first: The type of the first letter.
        rest: The type of the others.
    """

    prior: float
    first: int
    rest: int


_SPELLED = (_Spelled(0.24, _LOWER, _LOWER), _Spelled(0.13, _UPPER, _UPPER), _Spelled(0.12, _UPPER, _LOWER))
_CODES = (
    _Code(0.17, (1, 0, 0), 1),  # a number
    _Code(0.13, (0.5, 0.5, 0), 0.8),  # B200198346
    _Code(0.08, (0.5, 0.5, 0), 0.15),  # A7K2
    _Code(0.09, (10 / 36, 26 / 36, 0), 0),  # any digits and capitals
    _Code(0.02, (0.5, 0, 0.5), 0.8),  # 10kg
    _Code(0.02, (1 / 3, 1 / 3, 1 / 3), 0.5),  # anything
)
_KIND_PRIOR = np.array([kind.prior for kind in (*_SPELLED, *_CODES)])
# What a character costs on average, nats: a cut into more characters than the best gets that much back for each, so
# that cuts of few and of many compare.
_SPELLED_COST = 2.2
_COST = np.array(
    [_SPELLED_COST] * len(_SPELLED)
    + [
        sum(share * np.log(size / share) for share, size in zip(code.types, _TYPE_SIZE, strict=True) if share)
        for code in _CODES
    ]
)
# Words of a line are often of one kind: the prior weighs as much as so many words of the line.
_PRIOR_WORDS = 5.0
_PRIOR_STEPS = 2
# A number or code ends after a character with this probability; the character model knows where words end.
_END = 0.15
# Letters a word considers at each place; the rest is out of the question.
_LETTERS = 6
# One letter in so many follows no model: names, other languages.
_FOREIGN = 0.1
# One word in so many is taken from the vocabulary, the others are spelled by the character model. More read its own
# words better, and those that it hasn't worse.
_COMMON = 0.1
# Words of the vocabulary that are weighed for each word read.
_MAX_WORDS = 16

# --- Sizes ---

# Extents of groups of characters on the line, the height of a capital 1: top, bottom, and the standard deviation of
# the log of the height.
_GROUPS: tuple[tuple[str, float | None, float, float], ...] = (
    ("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZbdhkl", 1.0, 0.0, 0.18),
    ("acemnorsuvwxz", None, 0.0, 0.2),
    ("gpqy", None, -0.38, 0.2),
    ("it", 0.85, 0.0, 0.2),
    ("j", 0.85, -0.38, 0.22),
    ("f", 1.0, -0.1, 0.2),
)
_GROUP_OF = np.array([next(n for n, group in enumerate(_GROUPS) if char in group[0]) for char in _ALPHABET])
_BOTTOM, _SPREAD = (np.array([group[at] for group in _GROUPS]) for at in (2, 3))
# The height of small letters, and how many write so: some hardly tell them from capitals.
_X_HEIGHTS = ((0.5, 0.35), (0.65, 0.45), (0.85, 0.2))
_LOG_HEIGHTS = np.log(
    [[(x_height if top is None else top) - bottom for _, top, bottom, _ in _GROUPS] for x_height, _ in _X_HEIGHTS]
)
# One character in so many has any height.
_ODD_SIZE = 0.05
_ODD_RANGE = 3.0
# Grid of the log of the scale, the height of a capital.
_SCALE_STEP = 0.1
_SCALE_MARGINS = (-0.2, 0.8)
# Lines of a page have like scales: the standard deviation of the log, and how many lines have a scale of their own.
_PAGE_SPREAD = 0.2
_ODD_LINE = 0.2
# Place: spread of the bottoms of written characters around the place they should have, and of boxes that were set on
# a line (or hung from it, or centred on it), both in heights of a capital.
_PLACE_SPREAD = 0.1
_SET_SPREAD = 0.02
_LOOSE_SPREAD = 0.3
# Written lines by the spread of their baseline, and their share. An exact one is a composed line's: that its
# descenders are below it must show.
_WRITTEN = ((_PLACE_SPREAD, 0.99), (_SET_SPREAD, 0.01))
# Baselines that are tried, at most.
_BASELINES = 12


@dataclass(frozen=True)
class Read:
    """A character of a word as it was read.

    Attributes:
        span: Its span.
        row: The span's row in the arrays given to ``decode``.
        candidates: What it may be, likeliest first, one at least.
    """

    span: Span
    row: int
    candidates: list[Candidate]

    @property
    def char(self) -> str:
        """The likeliest character."""
        return self.candidates[0].char

    @property
    def confidence(self) -> float:
        """The likeliest character's probability, 0 to 1."""
        return self.candidates[0].confidence


def decode(
    lines: Sequence[Line],
    logits: Floats,
    log_kinds: Floats,
    chars: str,
    charset: str | Sequence[str | None] | None = None,
    *,
    context: bool = True,
    top_k: int = 5,
) -> list[list[list[Read]]]:
    """Cuts the words of a page into characters and reads them.

    Args:
        lines: The lines with their lattices.
        logits: What the network says to each span's glyph, divided by its temperature, float (spans, classes): all
            spans of the first word of the first line, in the order of ``word.spans``, then those of the next.
        log_kinds: Log-probabilities that a span's ink is one character, several, or something else, float
            (spans, 3); zeros where nothing tells.
        chars: The class table of the model, one character a class.
        charset: The characters allowed, see ``penread.charset.select``: for all lines, or one for each.
        context: Whether neighbours tell what a character is. Without, only the cut of a word is decided by all of
            its ink, and each character is what its glyph alone says.
        top_k: The most candidates to give for each character.

    Returns:
        For each line, for each word, its characters in reading order.

    Raises:
        InputError: ``top_k`` is below 1, there aren't as many rows or charsets as there should be, or the spans of a
            word leave no way from its first piece to its end.
        CharsetError: A charset has a character that the model has not.
    """
    if top_k < 1:
        raise InputError(f"top_k is {top_k}; it must be 1 or more.")
    per_line = charset_of_each(charset, len(lines))
    spans = sum(len(word.spans) for line in lines for word in line.words)
    if logits.shape != (spans, len(chars)) or log_kinds.shape != (spans, 3):
        raise InputError(
            f"There are {spans} spans and {len(chars)} classes, but logits of shape {logits.shape} and log_kinds of "
            f"shape {log_kinds.shape}: give a row for each span."
        )
    if not context:
        return _without_context(lines, logits, log_kinds, chars, per_line, top_k)
    return _with_context(lines, logits, log_kinds, chars, per_line, top_k)


def charset_of_each(charset: str | Sequence[str | None] | None, lines: int) -> list[str | None]:
    """Tells which charset each line has.

    Args:
        charset: One for all lines, or one for each.
        lines: How many lines there are.

    Raises:
        InputError: There are more or fewer charsets than lines.
    """
    if charset is None or isinstance(charset, str):
        return [charset] * lines
    if len(charset) != lines:
        raise InputError(
            f"{len(charset)} charset{'s' * (len(charset) != 1)} for {lines} line{'s' * (lines != 1)}: give one for all "
            "lines, or one for each."
        )
    return list(charset)


def alone(logits: Floats, glyphs: NDArray[np.uint8], chars: str, charset: str | None) -> tuple[Floats, str]:
    """Reads glyphs without regard to any other.

    Args:
        logits: What the network says to them, divided by its temperature, float (N, classes).
        glyphs: uint8 (N, 28, 28).
        chars: The class table of the model, one character a class.
        charset: The characters allowed, see ``penread.charset.select``.

    Returns:
        Log-probabilities of the characters allowed, float (N, characters), and the characters.

    Raises:
        CharsetError: The charset has a character that the model has not.
    """
    classes, answers = charsets.select(chars, charset)
    of_allowed = logits[:, list(classes)]
    allowed = _allowed(chars, charset)
    cases = [char for char in "Ll" if allowed[_ALPHABET.index(char)]]
    if len(cases) == 1 and "L" in chars and "l" not in chars:
        of_allowed[:, answers.index(cases[0])] += log_case_of_l(glyphs)[:, "Ll".index(cases[0])]
    return log_softmax(of_allowed), answers


def _with_context(
    lines: Sequence[Line], logits: Floats, log_kinds: Floats, chars: str, charset: list[str | None], top_k: int
) -> list[list[list[Read]]]:
    ink = _likelihoods(logits, chars)
    if "L" in chars and "l" not in chars and len(ink):
        glyphs = np.stack([span.glyph for line in lines for word in line.words for span in word.spans])
        ink[:, [_ALPHABET.index("L"), _ALPHABET.index("l")]] += log_case_of_l(glyphs)
    row = 0
    for line, allowed in zip(lines, charset, strict=True):
        count = sum(len(word.spans) for word in line.words)
        forbidden = ~_allowed(chars, allowed)
        ink[row : row + count, forbidden] = -np.inf
        row += count
    paths = _paths(lines, ink.max(axis=1), log_kinds)
    if not len(paths.rows):
        return [[] for _ in lines]
    boxes = _Boxes.of(lines)
    scales = _scales(paths, boxes, ink)
    evidence = np.full((len(paths.word), len(_KIND_PRIOR)), -np.inf)
    posterior = np.zeros((len(paths.rows), len(_KIND_PRIOR), len(_ALPHABET)), np.float32)
    lengths = np.diff(paths.starts)
    for length in np.unique(lengths):
        picked = np.flatnonzero(lengths == length)
        places = paths.starts[picked, None] + np.arange(length)
        sized = ink[paths.rows[places]][:, None] + scales.evidence(picked, places)
        evidence[picked], posterior[places] = _read_kinds(sized)
    evidence += scales.correction
    return _answers(lines, paths, evidence, posterior, top_k)


def _without_context(
    lines: Sequence[Line], logits: Floats, log_kinds: Floats, chars: str, charset: list[str | None], top_k: int
) -> list[list[list[Read]]]:
    """Reads each character by itself, on the best cut."""
    spans = [span for line in lines for word in line.words for span in word.spans]
    best = np.zeros(len(logits))
    row = 0
    chosen = []
    for line, allowed in zip(lines, charset, strict=True):
        rows = slice(row, row + sum(len(word.spans) for word in line.words))
        row = rows.stop
        own = [span.glyph for span in spans[rows]]
        log_probs, answers = alone(
            logits[rows], np.stack(own) if own else np.zeros((0, 28, 28), np.uint8), chars, allowed
        )
        # For the cut all classes compete: what is no digit is no good span of digits.
        classes, _ = charsets.select(chars, allowed)
        best[rows] = log_softmax(logits[rows])[:, list(classes)].max(axis=1, initial=-np.inf)
        chosen.append((log_probs, answers, rows.start))
    paths = _paths(lines, best, log_kinds)
    read: list[list[list[Read]]] = [[] for _ in lines]
    for path, line in zip(paths.first, paths.line, strict=True):
        log_probs, answers, first = chosen[line]
        read[line].append(
            [
                Read(spans[at], int(at), _candidates(np.exp(log_probs[at - first]), answers, top_k))
                for at in paths.rows[paths.starts[path] : paths.starts[path + 1]]
            ]
        )
    return read


def _candidates(probs: NDArray[np.floating], answers: str, top_k: int) -> list[Candidate]:
    order = np.argsort(-probs, kind="stable")[:top_k]
    # Sums of many probabilities come out a rounding error above 1.
    return [Candidate(answers[at], min(float(probs[at]), 1.0)) for at in order if probs[at] > 0 or at == order[0]]


# --- What the network says ---


def log_softmax(logits: Floats) -> Floats:
    """Gives the log-probabilities that logits stand for, row by row."""
    shifted = logits - logits.max(axis=1, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def _likelihoods(logits: Floats, chars: str) -> Floats:
    """Gives log p(glyph | character) up to a constant a glyph, float (spans, 62); -inf for what has no class.

    The network learnt from as many glyphs of each class, so its posterior is the likelihood; a class that stands for
    two characters says the same of both.
    """
    probs = (1 - _ANYTHING) * np.exp(log_softmax(logits / _FLATTEN)) + _ANYTHING / logits.shape[1]
    ink = np.full((len(logits), len(_ALPHABET)), -np.inf)
    log_probs = np.log(probs)
    for label, both in enumerate(charsets.stands_for(chars)):
        for char in both:
            if char in _ALPHABET:
                ink[:, _ALPHABET.index(char)] = log_probs[:, label]
    return ink


@lru_cache(maxsize=256)
def _allowed(chars: str, charset: str | None) -> NDArray[np.bool_]:
    """Tells which characters may be answered, bool (62,)."""
    charsets.select(chars, charset)  # refuses a charset that the model can't read
    readable = "".join(charsets.stands_for(chars))
    wanted = readable if charset is None else charsets.NAMED_CHARSETS.get(charset, charset)
    return np.array([char in readable and char in wanted for char in _ALPHABET])


# --- Cutting ---


@dataclass(frozen=True, eq=False)
class _Paths:
    """The likely cuts of all words of a page, one after the other.

    Attributes:
        rows: The row of each character's span, int (places,).
        starts: Where each path starts in ``rows``, and the end, int (paths + 1,).
        score: What the shape of the spans says to each path, nats, float (paths,).
        word: The word of each path, int (paths,).
        first: The first path of each word, which is the best by ``score``, int (words,).
        line: The line of each word, int (words,).
    """

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    score: Floats
    word: NDArray[np.int64]
    first: NDArray[np.int64]
    line: NDArray[np.int64]


def _paths(lines: Sequence[Line], log_confidence: Floats, log_kinds: Floats) -> _Paths:
    rows: list[int] = []
    score: list[float] = []
    starts, word_of, first, line_of = [0], [], [], list[int]()
    scores = np.maximum(log_kinds[:, 0], _MIN_LOG_KIND) + log_confidence
    row = 0
    for number, line in enumerate(lines):
        for word in line.words:
            first.append(len(score))
            for total, path in _best_cuts(word, scores[row : row + len(word.spans)]):
                rows.extend(row + at for at in path)
                starts.append(len(rows))
                score.append(total)
                word_of.append(len(line_of))
            line_of.append(number)
            row += len(word.spans)
    whole = (np.array(numbers, np.int64) for numbers in (rows, starts, word_of, first, line_of))
    rows_, starts_, word_, first_, line_ = whole
    return _Paths(rows_, starts_, np.array(score), word_, first_, line_)


def _best_cuts(word: Word, scores: Floats) -> list[tuple[float, tuple[int, ...]]]:
    """Finds the best paths through a word, best first.

    Each span's score counts as often as it has pieces. Every path has all pieces, so paths of few spans and of many
    have as many factors, and none wins for having fewer.
    """
    best: list[list[tuple[float, tuple[int, ...]]]] = [[] for _ in range(word.pieces + 1)]
    best[0] = [(0.0, ())]
    ending: list[list[int]] = [[] for _ in range(word.pieces + 1)]
    for at, span in enumerate(word.spans):
        if not 0 <= span.first < span.last <= word.pieces:
            raise InputError(f"A span has the pieces {span.first} to {span.last} of a word of {word.pieces}.")
        ending[span.last].append(at)
    for end in range(1, word.pieces + 1):
        extended: list[tuple[float, tuple[int, ...]]] = []
        for at in ending[end]:
            span = word.spans[at]
            gain = float(scores[at]) * (span.last - span.first) + span.log_prior
            extended.extend((total + gain, (*path, at)) for total, path in best[span.first])
        best[end] = heapq.nlargest(_MAX_CUTS, extended)
    if word.pieces < 1 or not best[-1]:
        raise InputError("A word's spans leave no way from its first piece to its end.")
    return [cut for cut in best[-1] if cut[0] >= best[-1][0][0] - _CUT_MARGIN]


# --- Sizes ---


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Boxes of all spans.

    Attributes:
        height: Their heights, float (spans,).
        bottom: Their lower edges, y downward, the line's slope taken away, float (spans,).
    """

    height: Floats
    bottom: Floats

    @classmethod
    def of(cls, lines: Sequence[Line]) -> _Boxes:
        edges = np.array(
            [
                (span.box.top, span.box.bottom, line.slope * (span.box.left + span.box.right) / 2)
                for line in lines
                for word in line.words
                for span in word.spans
            ]
        )
        return cls(edges[:, 1] - edges[:, 0], edges[:, 1] - edges[:, 2])


@dataclass(frozen=True, eq=False)
class _Scales:
    """What sizes and places say.

    Attributes:
        log_scale: Log of the height of a capital in each path, were it of each kind, float (paths, kinds).
        log_expected: Log of the height of each group, float (paths, kinds, groups).
        correction: Log-evidence of the sizes, less what ``evidence`` says to the likeliest scale, float (paths, kinds).
        log_height: Log of the height of each character, float (places,).
        above: How far each one's bottom is above the line's baseline, float (places,).
        placed: How sure it is that this means something, 0 to 1, float (places,).
    """

    log_scale: Floats
    log_expected: Floats
    correction: Floats
    log_height: Floats
    above: Floats
    placed: Floats

    def evidence(self, picked: NDArray[np.int64], places: NDArray[np.int64]) -> Floats:
        """Gives the log-likelihood of the boxes, float (paths, kinds, places, 62)."""
        by_group = _log_size(self.log_height[places][:, None, :, None], self.log_expected[picked][:, :, None])
        scale = np.exp(self.log_scale[picked])[:, :, None, None]
        by_group += self.placed[places][:, None, :, None] * _log_place(self.above[places][:, None, :, None], scale)
        return np.asarray(by_group[..., _GROUP_OF])


def _log_size(log_height: Floats, log_expected: Floats) -> Floats:
    """Log-likelihood of heights for each group, on the last axis."""
    off = (log_height - log_expected) / _SPREAD
    return np.asarray(
        np.log((1 - _ODD_SIZE) * np.exp(-0.5 * off**2) / (_SPREAD * np.sqrt(2 * np.pi)) + _ODD_SIZE / _ODD_RANGE)
    )


def _log_place(bottom: Floats, scale: Floats | float) -> Floats:
    """Log-likelihood of bottoms for each group, on the last axis."""
    return np.log(_near(bottom / scale - _BOTTOM, _PLACE_SPREAD))


def _near(off: Floats, spread: Floats | float) -> Floats:
    """Density of places that are off by so many heights of a capital; a few are anywhere."""
    normal = np.exp(-0.5 * (off / spread) ** 2) / (spread * np.sqrt(2 * np.pi))
    return np.asarray((1 - _ODD_SIZE) * normal + _ODD_SIZE)


def _scales(paths: _Paths, boxes: _Boxes, ink: Floats) -> _Scales:
    """Estimates the scale of each path, under each kind, from its own characters and the rest of the page."""
    log_height = np.log(np.maximum(boxes.height, 1e-9))
    log_height = np.maximum(log_height, np.median(log_height[paths.rows]) - 2.5)[paths.rows]
    low, high = np.quantile(log_height, [0.02, 0.98]) + _SCALE_MARGINS
    scales = np.arange(low, high + _SCALE_STEP, _SCALE_STEP)
    grid = np.repeat(scales, len(_X_HEIGHTS))
    log_expected = (scales[:, None, None] + _LOG_HEIGHTS).reshape(len(grid), -1)
    # Each place's likelihood for each group and type of character.
    member = np.zeros((len(_ALPHABET), len(_GROUPS), 3))
    member[np.arange(len(_ALPHABET)), _GROUP_OF, _TYPE_OF] = 1 / _TYPE_SIZE[_TYPE_OF]
    weights = (np.exp(ink[paths.rows]) @ member.reshape(len(_ALPHABET), -1)).reshape(-1, len(_GROUPS), 3)
    size = np.exp(_log_size(log_height[:, None, None], log_expected))
    by_kind = _alone(size @ weights, paths.starts)  # (paths, grid, kinds)
    best = by_kind[paths.first]
    by_word = np.logaddexp.reduce(best + np.log(_KIND_PRIOR), axis=2)  # (words, grid)
    by_line = np.zeros((int(paths.line[-1]) + 1, len(grid)))
    np.add.at(by_line, paths.line, by_word)
    prior = _page_prior(by_line, grid)
    others = (prior + by_line)[paths.line] - by_word
    others -= np.logaddexp.reduce(others, axis=1, keepdims=True)
    joint = others[paths.word][:, :, None] + by_kind
    evidence = np.logaddexp.reduce(joint, axis=1)  # (paths, kinds)
    # The likeliest hand is put in below; what is lost by that is given back.
    at = joint.argmax(axis=1)
    correction = evidence - np.take_along_axis(by_kind, at[:, None], axis=1)[:, 0]
    above, placed = _baselines(paths, boxes, by_line + prior, grid, weights, size)
    return _Scales(grid[at], log_expected[at], correction, log_height, above, placed)


def _alone(by_type: Floats, starts: NDArray[np.int64]) -> Floats:
    """Multiplies the places of each path, for each kind, as if its characters knew nothing of each other.

    Args:
        by_type: Likelihood of each place for each scale and type, float (places, grid, 3).
        starts: Where each path starts, and the end.

    Returns:
        Log-likelihoods, float (paths, grid, kinds).
    """
    mixed = by_type @ np.array([np.eye(3)[word.rest] for word in _SPELLED] + [code.types for code in _CODES]).T
    for kind, word in enumerate(_SPELLED):
        mixed[starts[:-1], :, kind] = by_type[starts[:-1], :, word.first]
    return np.asarray(np.add.reduceat(np.log(mixed + 1e-30), starts[:-1], axis=0))


def _page_prior(by_line: Floats, grid: Floats) -> Floats:
    """Gives each line's prior of the scale from the other lines, log, float (lines, grid)."""
    near = np.exp(-0.5 * ((grid[:, None] - grid) / _PAGE_SPREAD) ** 2)
    same = np.tile(np.eye(len(_X_HEIGHTS)), (len(grid) // len(_X_HEIGHTS),) * 2)
    near = near * (same + 0.3)
    near /= near.sum(axis=1, keepdims=True)
    share = np.tile([share for _, share in _X_HEIGHTS], len(grid) // len(_X_HEIGHTS))
    share /= share.sum()
    like = (1 - _ODD_LINE) * near + _ODD_LINE * share
    normal = np.exp(by_line - by_line.max(axis=1, keepdims=True))
    of_page = np.log(normal @ like.T)  # each line's evidence for the page's scale
    others = of_page.sum(axis=0) - of_page + np.log(share)
    page = np.exp(others - others.max(axis=1, keepdims=True))
    page /= page.sum(axis=1, keepdims=True)
    return np.asarray(np.log(page @ like))


def _baselines(
    paths: _Paths, boxes: _Boxes, by_line: Floats, grid: Floats, weights: Floats, size: Floats
) -> tuple[Floats, Floats]:
    """Finds how far each place's bottom is above its line's baseline, and how sure it is that this means something.

    By the best cut; the baseline found goes for all.
    """
    above = np.zeros(len(paths.rows))
    placed = np.zeros(len(paths.rows))
    lengths = np.diff(paths.starts)
    line_of = np.repeat(paths.line[paths.word], lengths)
    of_best = np.repeat(np.isin(np.arange(len(lengths)), paths.first), lengths)
    for line in np.unique(paths.line):
        places = np.flatnonzero(line_of == line)
        best = places[of_best[places]]
        at = int(np.argmax(by_line[line]))
        groups = (size[best, at][:, :, None] * weights[best]).sum(axis=2)
        groups /= groups.sum(axis=1, keepdims=True)
        rows = paths.rows[best]
        baseline, sure = _baseline(boxes.bottom[rows], boxes.height[rows], groups, float(np.exp(grid[at])))
        above[places] = baseline - boxes.bottom[paths.rows[places]]
        placed[places] = sure
    return above, placed


def _baseline(bottom: Floats, height: Floats, groups: Floats, scale: float) -> tuple[float, float]:
    """Finds the baseline of a line, and how sure it is that characters were written on it.

    Written lines have descenders below the baseline. Boxes that were set on a line, hung from it or centred on it
    have their edges or middles at one height exactly; then place says nothing.

    Args:
        bottom: Bottom edge of each character, y downward, float (characters,).
        height: Height of each, float (characters,).
        groups: How likely each is of each group, float (characters, groups).
        scale: Height of a capital.
    """
    guesses = (
        np.unique(bottom) if len(bottom) <= _BASELINES else np.quantile(bottom, np.linspace(0.05, 0.95, _BASELINES))
    )
    off = ((guesses[:, None] - bottom) / scale)[..., None] - _BOTTOM
    written = np.logaddexp.reduce(
        [
            np.log((_near(off, np.where(_BOTTOM < 0, _PLACE_SPREAD, spread)) * groups).sum(axis=2)).sum(axis=1)
            + np.log(share)
            for spread, share in _WRITTEN
        ]
    )
    laid = [
        np.log(_near((edge - np.median(edge)) / scale, spread)).sum()
        for edge in (bottom, bottom - height, bottom - height / 2)
        for spread in (_SET_SPREAD, _LOOSE_SPREAD)
    ]
    odds = written.max() - (np.logaddexp.reduce(laid) - np.log(len(laid)))
    return float(guesses[np.argmax(written)]), float(1 / (1 + np.exp(-np.clip(odds, -50, 50))))


# --- Kinds of words ---


def _read_kinds(sized: Floats) -> tuple[Floats, NDArray[np.float32]]:
    """Reads paths of one length as each kind.

    Args:
        sized: Log-likelihoods, float (paths, kinds, places, 62).

    Returns:
        The log-evidence of each kind, float (paths, kinds), and the posterior of each place under each, float32
        (paths, places, kinds, 62).
    """
    count, kinds, length, _ = sized.shape
    posterior = np.zeros((count, length, kinds, len(_ALPHABET)), np.float32)
    cases = [[_TYPES[word.first]] + [_TYPES[word.rest]] * (length - 1) for word in _SPELLED]
    letters = np.zeros((count, len(_SPELLED), length, 26))
    for kind, case in enumerate(cases):
        for at in range(length):
            letters[:, kind, at] = sized[:, kind, at, case[at]]
    word_evidence, word_posterior = _mixed(_spelled(letters), _common(letters))
    for kind, case in enumerate(cases):
        for at in range(length):
            posterior[:, at, kind, case[at]] = word_posterior[:, kind, at]
    code_evidence, code_posterior = _coded(sized[:, len(_SPELLED) :])
    posterior[:, :, len(_SPELLED) :] = code_posterior.transpose(0, 2, 1, 3)
    return np.concatenate([word_evidence, code_evidence], axis=1), posterior


def _coded(sized: Floats) -> tuple[Floats, NDArray[np.float32]]:
    """Reads codes: runs of a type of characters, any character within a type.

    Args:
        sized: Log-likelihoods, float (paths, codes, places, 62).

    Returns:
        Log-evidence, float (paths, codes), and the posterior of each place, float32 (paths, codes, places, 62).
    """
    length = sized.shape[2]
    types = np.array([code.types for code in _CODES])
    same = np.array([code.same for code in _CODES])[:, None, None]
    after = same * np.eye(3) + (1 - same) * types[:, None]
    of_char = sized - np.log(_TYPE_SIZE)[_TYPE_OF]
    top = np.maximum(of_char.max(axis=3, keepdims=True), -1e4)
    of_char = np.exp(of_char - top)
    of_type = np.stack([of_char[..., each].sum(axis=3) for each in _TYPES], axis=3)
    # Forward and backward over the types, each place's numbers made to add up to 1.
    evidence = top.sum(axis=(2, 3)) + np.log(_END) + (length - 1) * np.log(1 - _END)
    forward: list[Floats] = []
    for at in range(length):
        state = of_type[:, :, at] * (np.einsum("pks,kst->pkt", forward[-1], after) if at else types)
        total = np.maximum(state.sum(axis=2, keepdims=True), 1e-30)
        with np.errstate(divide="ignore"):
            evidence += np.log(total[:, :, 0])
        forward.append(state / total)
    posterior = np.zeros(sized.shape, np.float32)
    back = np.ones_like(forward[-1])
    for at in range(length - 1, -1, -1):
        share = forward[at] * back / np.maximum(of_type[:, :, at], 1e-30)
        share /= np.maximum((share * of_type[:, :, at]).sum(axis=2, keepdims=True), 1e-30)
        posterior[:, :, at] = share[..., _TYPE_OF] * of_char[:, :, at]
        back = np.einsum("kst,pkt->pks", after, back * of_type[:, :, at])
        back /= np.maximum(back.max(axis=2, keepdims=True), 1e-30)
    return evidence, posterior


@lru_cache(maxsize=1)
def _model() -> NDArray[np.float32]:
    """The character model with foreign words let in, probabilities, flat."""
    probs = np.exp(language.english().letters.astype(np.float64))
    ends = probs[..., :1]
    foreign = np.concatenate([ends, (1 - ends) / 26 * np.ones(26)], axis=3)
    mixed = (1 - _FOREIGN) * probs + _FOREIGN * foreign
    return np.asarray(mixed, np.float32).ravel()


def _mixed(
    spelled: tuple[Floats, NDArray[np.float32]], common: tuple[Floats, NDArray[np.float32]] | None
) -> tuple[Floats, NDArray[np.float32]]:
    """Weighs what the character model and the vocabulary say."""
    if common is None:
        return spelled
    by_letter = spelled[0] + np.log(1 - _COMMON)
    evidence = np.logaddexp(by_letter, common[0] + np.log(_COMMON))
    with np.errstate(invalid="ignore"):
        share = np.nan_to_num(np.exp(by_letter - evidence)).astype(np.float32)[:, :, None, None]
    return evidence, share * spelled[1] + (1 - share) * common[1]


def _common(letters: Floats) -> tuple[Floats, NDArray[np.float32]] | None:
    """Reads words as words of the vocabulary; as ``_spelled``, but None where it has none so long."""
    count, cases, length, _ = letters.shape
    vocabulary = language.english().words.get(length)
    if vocabulary is None:
        return None
    ink = np.maximum(letters, -1e4).reshape(count * cases, length, 26).astype(np.float32)
    score = np.repeat(vocabulary.log_probs[None], len(ink), axis=0)
    for at in range(length):
        score += ink[:, at, vocabulary.letters[:, at]]
    keep = min(_MAX_WORDS, len(vocabulary.letters))
    best = np.argpartition(-score, keep - 1, axis=1)[:, :keep]
    kept = np.take_along_axis(score, best, axis=1).astype(np.float64)
    evidence = np.logaddexp.reduce(kept, axis=1)
    share = np.exp(kept - evidence[:, None]).astype(np.float32)
    posterior = np.zeros((len(ink), length, 26), np.float32)
    rows, places = np.arange(len(ink))[:, None, None], np.arange(length)
    np.add.at(posterior, (rows, places, vocabulary.letters[best]), share[:, :, None])
    return evidence.reshape(count, cases), posterior.reshape(count, cases, length, 26)


def _spelled(letters: Floats) -> tuple[Floats, NDArray[np.float32]]:
    """Reads words by the character model, exactly, over the likely letters of each place.

    Args:
        letters: Log-likelihoods of a to z, float (paths, cases, places, 26).

    Returns:
        Log-evidence, float (paths, cases), and the posterior of each place, float32 (paths, cases, places, 26).
    """
    count, cases, length, _ = letters.shape
    keep = min(_LETTERS, 26)
    seen = letters.max(axis=1)
    likely = np.argpartition(-seen, keep - 1, axis=2)[:, :, :keep]
    ink = np.take_along_axis(letters, likely[:, None], axis=3)
    top = ink.max(axis=3, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    ink = np.exp(ink - top).astype(np.float32)  # (paths, cases, places, letters)
    before = np.zeros((count, 3, keep), np.int64)
    symbols = np.concatenate([before, likely + 1], axis=1)
    model = _model()

    def follow(at: int) -> NDArray[np.float32]:
        """The model's probabilities of the letters at a place, (paths, letters of the places before and of it)."""
        a, b, c, d = (symbols[:, at + back] for back in range(4))
        index = ((a[:, :, None, None, None] * 27 + b[:, None, :, None, None]) * 27 + c[:, None, None, :, None]) * 27
        return np.asarray(model[index + d[:, None, None, None, :]])

    steps = [follow(at) for at in range(length)]
    a, b, c = (symbols[:, length + back] for back in range(3))
    ending = model[((a[:, :, None, None] * 27 + b[:, None, :, None]) * 27 + c[:, None, None, :]) * 27]
    state = np.zeros((count, cases, keep, keep, keep), np.float32)
    state[:, :, 0, 0, 0] = 1
    evidence = top.sum(axis=(2, 3))
    forward = []
    for at in range(length):
        state = np.einsum("pkabc,pabcd->pkbcd", state, steps[at]) * ink[:, :, at, None, None, :]
        state, evidence = _rescaled(state, evidence)
        forward.append(state)
    last = (state * ending[:, None]).sum(axis=(2, 3, 4))
    with np.errstate(divide="ignore"):
        evidence = evidence + np.log(last)
    back = np.broadcast_to(ending[:, None], state.shape)
    posterior = np.zeros((count, cases, length, 26), np.float32)
    for at in range(length - 1, -1, -1):
        both = (forward[at] * back).sum(axis=(2, 3))
        both /= np.maximum(both.sum(axis=2, keepdims=True), 1e-30)
        np.put_along_axis(posterior[:, :, at], np.broadcast_to(likely[:, at, None], both.shape), both, axis=2)
        if at:
            back = np.einsum("pabcd,pkbcd->pkabc", steps[at], back * ink[:, :, at, None, None, :])
            back, _ = _rescaled(back, evidence)
    return evidence, posterior


def _rescaled(state: NDArray[np.float32], evidence: Floats) -> tuple[NDArray[np.float32], Floats]:
    """Keeps the numbers of a long word from vanishing."""
    total = np.maximum(state.sum(axis=(2, 3, 4)), 1e-30)
    return state / total[:, :, None, None, None], evidence + np.log(total)


# --- The answer ---


def _priors(paths: _Paths, total: Floats) -> Floats:
    """Gives each word's log-prior of the kinds: words of a line are often of one kind, float (words, kinds)."""
    own = np.maximum.reduceat(total, paths.first, axis=0)
    prior = np.broadcast_to(_KIND_PRIOR, own.shape)
    for _ in range(_PRIOR_STEPS):
        joint = own + np.log(prior)
        share = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
        by_line = np.zeros((int(paths.line[-1]) + 1, len(_KIND_PRIOR)))
        np.add.at(by_line, paths.line, share)
        prior = _KIND_PRIOR * _PRIOR_WORDS + by_line[paths.line] - share
        prior = prior / prior.sum(axis=1, keepdims=True)
    return np.asarray(np.log(prior))


def _answers(
    lines: Sequence[Line], paths: _Paths, evidence: Floats, posterior: NDArray[np.float32], top_k: int
) -> list[list[list[Read]]]:
    """Weighs cuts and kinds, and reads each word on its likeliest cut, all kinds together."""
    spans = [span for line in lines for word in line.words for span in word.spans]
    lengths = np.diff(paths.starts)
    more = lengths - lengths[paths.first][paths.word]
    total = evidence + paths.score[:, None] + _COST * more[:, None]
    total += _priors(paths, total)[paths.word]
    by_path = np.logaddexp.reduce(total, axis=1)
    ends = [*paths.first[1:].tolist(), len(by_path)]
    read: list[list[list[Read]]] = [[] for _ in lines]
    for number, (first, end) in enumerate(zip(paths.first.tolist(), ends, strict=True)):
        chosen = first + int(np.argmax(by_path[first:end]))
        kinds = np.exp(total[chosen] - by_path[chosen])
        places = range(paths.starts[chosen], paths.starts[chosen + 1])
        marginals = kinds @ posterior[places.start : places.stop]
        read[paths.line[number]].append(
            [
                Read(spans[paths.rows[place]], int(paths.rows[place]), _candidates(probs, _ALPHABET, top_k))
                for place, probs in zip(places, marginals, strict=True)
            ]
        )
    return read

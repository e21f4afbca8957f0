"""Scoring a bundle on a split's test subset, through the very recogniser that serves.

    penread evaluate --split pool47 --data-dir data/emnist

The bundle and the test may have different classes (a bundle of 47 on the letters test, say). Classes that share a
character are then one *group*: the class C of Balanced, the classes C and c of byclass. Every figure is by
group; where the classes are the same, each is a group of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score

from penread.charset import look_alikes_of, stands_for
from penread.errors import DataError
from penread.training.data import Subset, load_training, training_sums

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from penread.bundle import ModelInfo
    from penread.recognizer import Recognizer

#: Confidences are put in this many bins of equal width for the expected calibration error.
ECE_BINS = 15


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability diagram.

    Attributes:
        images: How many predictions have a confidence in the bin.
        confidence: Their mean confidence.
        accuracy: The part of them that is right.
    """

    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Evaluation:
    """The figures of a bundle on a test.

    Attributes:
        bundle: Name and version.
        split: The split whose test subset was read.
        images: How many images.
        loss: Mean cross-entropy, nats.
        accuracy: The part that was read right.
        accuracy_interval: Its 95 % interval (Wilson).
        top2_accuracy: The part whose right answer is among the first two.
        top3_accuracy: Among the first three.
        folded_accuracy: The part that was read right or as a look-alike (``penread.charset.LOOK_ALIKES``).
        errors: How many images were read wrong.
        look_alike_errors: How many of them as a look-alike.
        macro_f1: Mean over the groups of the harmonic mean of precision and recall.
        ece: Expected calibration error over 15 bins of equal width.
        per_class_accuracy: For each group, the part of its images that was read right.
        caution: Why the figures may be too good, or None: the bundle may have learnt from the test's images.
        groups: What each group stands for.
        reliability: The bins of ``ece`` that aren't empty.
        labels: The group of each image, int (N,).
        probs: Probability of each group, float (N, groups).
    """

    bundle: str
    split: str
    images: int
    loss: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    top2_accuracy: float
    top3_accuracy: float
    folded_accuracy: float
    errors: int
    look_alike_errors: int
    macro_f1: float
    ece: float
    per_class_accuracy: dict[str, float]
    caution: str | None
    groups: list[str]
    reliability: list[Bin]
    labels: NDArray[np.int64] = field(repr=False)
    probs: NDArray[np.float64] = field(repr=False)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """How many images of each group (row) were read as each group (column), int (groups, groups)."""
        return np.asarray(confusion_matrix(self.labels, self.probs.argmax(axis=1), labels=np.arange(len(self.groups))))

    def to_json(self) -> dict[str, Any]:
        """Gives the figures without the arrays, fit for JSON."""
        figures = asdict(self)
        del figures["labels"], figures["probs"]
        return figures


def evaluate(recognizer: Recognizer, test: Subset, data_dir: Path) -> Evaluation:
    """Scores a recogniser.

    Args:
        recognizer: The bundle, loaded.
        test: What to score it on.
        data_dir: The folder with EMNIST's files, to look whether the bundle has seen the test.

    Raises:
        DataError: The test has characters that the bundle has no class for.
    """
    groups, class_group, label_group = _groups(recognizer.info.chars, test)
    by_class = recognizer.probs(test.images)
    probs = np.zeros((len(test), len(groups)))
    for column, group in enumerate(class_group):
        probs[:, group] += by_class[:, column]
    labels = np.array(label_group)[test.labels]

    ranked = np.argsort(-probs, axis=1, kind="stable")
    rank = (ranked == labels[:, None]).argmax(axis=1)
    right = rank == 0
    interval = binomtest(int(right.sum()), len(test)).proportion_ci(method="wilson")
    tested = np.unique(labels)
    families = np.array([look_alikes_of(group[0]) for group in groups])
    in_family = families[labels] == families[ranked[:, 0]]
    bins = _reliability(probs.max(axis=1), right)
    return Evaluation(
        bundle=f"{recognizer.info.name} {recognizer.info.version}",
        split=test.split,
        images=len(test),
        loss=float(-np.log(np.maximum(probs[np.arange(len(test)), labels], 1e-12)).mean()),
        accuracy=float(right.mean()),
        accuracy_interval=(float(interval.low), float(interval.high)),
        top2_accuracy=float((rank < 2).mean()),
        top3_accuracy=float((rank < 3).mean()),
        folded_accuracy=float(in_family.mean()),
        errors=int((~right).sum()),
        look_alike_errors=int((in_family & ~right).sum()),
        macro_f1=float(f1_score(labels, ranked[:, 0], labels=tested, average="macro", zero_division=0)),
        ece=sum(part.images * abs(part.accuracy - part.confidence) for part in bins) / len(test),
        per_class_accuracy={groups[group]: float(right[labels == group].mean()) for group in tested},
        caution=_caution(recognizer.info, test, data_dir),
        groups=groups,
        reliability=bins,
        labels=labels,
        probs=probs,
    )


def _groups(chars: str, test: Subset) -> tuple[list[str], list[int], list[int]]:
    """Joins the classes of a bundle and of a test that share a character.

    Args:
        chars: The bundle's class table.
        test: The test.

    Returns:
        The groups' names; the group of each of the bundle's classes; the group of each of the test's labels.
    """
    sets: list[set[str]] = []
    for both in stands_for(chars) + stands_for(test.chars):
        joined = set(both).union(*(other for other in sets if other & set(both)))
        sets = [other for other in sets if not other & joined] + [joined]
    names = ["".join(char for char in chars if char in members) for members in sets]
    unread = [
        char
        for char in test.chars
        if not any(name and char in members for name, members in zip(names, sets, strict=True))
    ]
    if unread:
        raise DataError(f"The bundle has no class for {' '.join(unread)}, so it can't be scored on {test.split}.")
    # In the order of the bundle's classes, as the axes of a confusion matrix are read.
    order = sorted(range(len(sets)), key=lambda group: chars.index(names[group][0]))
    where = {char: position for position, group in enumerate(order) for char in sets[group]}
    return (
        [names[group] for group in order],
        [where[char] for char in chars],
        [where[char] for char in test.chars],
    )


def _reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    number = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    return [
        Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (number == index for index in range(ECE_BINS))
        if inside.any()
    ]


def _caution(info: ModelInfo, test: Subset, data_dir: Path) -> str | None:
    """Says whether a bundle may have learnt from the images it is scored on.

    A split's own train and test files share no image, but EMNIST made all its splits from one pool: the test of
    one lies partly in the train of another.
    """
    trained = info.trained_on.split
    if trained == test.split:
        return None
    known = f"{info.name} was trained on {trained}; EMNIST made {trained} and {test.split} from one pool of images."
    try:
        at_hand = training_sums(data_dir, trained) == info.trained_on.sha256
    except DataError:
        at_hand = False
    if not at_hand:
        return f"{known} It may have seen images of this test: the figures may be too good."
    train, val = load_training(data_dir, trained)
    # Validation too: it takes part in the choice of a model.
    learnt = {image.tobytes() for subset in (train, val) for image in subset.images}
    seen = sum(image.tobytes() in learnt for image in test.images)
    if seen == 0:
        return None
    return f"{known} It has seen {seen:,} of these {len(test):,} images: the figures are too good."

"""The figures of an evaluation, against a computation by hand; and its pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from penread import DataError, Recognizer
from penread.bundle import TrainedOn, shipped
from penread.charset import SPLIT_CHARS
from penread.training.data import Subset, load, training_sums
from penread.training.evaluate import evaluate
from penread.training.report import write_report
from tests.conftest import HAS_SHARED, REAL_EMNIST
from tests.made import typeset_subset, write_split


@dataclass
class Scripted:
    """A recogniser whose probabilities are given: what evaluate makes of them can be computed by hand."""

    answers: np.ndarray
    chars: str
    trained_split: str = "digits"
    sums: dict[str, str] = field(default_factory=dict)

    @property
    def info(self) -> SimpleNamespace:
        trained_on = TrainedOn(split=self.trained_split, images=1, sha256=self.sums)
        return SimpleNamespace(name="scripted", version="1", chars=self.chars, trained_on=trained_on)

    def probs(self, images: np.ndarray) -> np.ndarray:
        assert len(images) == len(self.answers)
        return self.answers


def subset(labels: list[int], split: str) -> Subset:
    images = np.zeros((len(labels), 28, 28), np.uint8)
    return Subset(images, np.array(labels), SPLIT_CHARS[split], split, "test")


def rows(*probs: dict[str, float], chars: str) -> np.ndarray:
    return np.array([[row.get(char, 0.0) for char in chars] for row in probs])


def test_figures_by_hand(tmp_path: Path) -> None:
    digits = SPLIT_CHARS["digits"]
    scripted = Scripted(
        rows({"0": 0.9, "1": 0.1}, {"1": 0.6, "0": 0.4}, {"0": 0.5, "1": 0.3, "7": 0.2}, {"7": 1.0}, chars=digits),
        digits,
    )
    found = evaluate(scripted, subset([0, 1, 7, 7], "digits"), tmp_path)  # type: ignore[arg-type]
    assert found.accuracy == 3 / 4
    assert found.top2_accuracy == 3 / 4
    assert found.top3_accuracy == 1
    assert found.loss == pytest.approx(-(np.log(0.9) + np.log(0.6) + np.log(0.2) + np.log(1.0)) / 4)
    assert found.folded_accuracy == 3 / 4
    assert (found.errors, found.look_alike_errors) == (1, 0)
    assert found.per_class_accuracy == {"0": 1, "1": 1, "7": 0.5}
    # F1: 0 has precision 1/2 and recall 1; 1 is right; 7 has precision 1 and recall 1/2.
    assert found.macro_f1 == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)
    assert found.ece == pytest.approx((0.1 + 0.4 + 0.5 + 0.0) / 4)
    assert found.confusion[7].tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    # Wilson's interval for 3 of 4.
    assert list(found.accuracy_interval) == pytest.approx([0.3006, 0.9544], abs=1e-3)
    assert found.caution is None


def test_classes_that_share_a_character_are_one_group(tmp_path: Path) -> None:
    balanced = SPLIT_CHARS["balanced"]
    # letters' class A is A or a; balanced has both, and C for both cases.
    scripted = Scripted(
        rows({"A": 0.3, "a": 0.3, "O": 0.4}, {"C": 1.0}, {"0": 0.6, "O": 0.4}, chars=balanced), balanced, "balanced"
    )
    found = evaluate(scripted, subset([0, 2, 14], "letters"), tmp_path)  # type: ignore[arg-type]
    assert found.accuracy == 2 / 3
    assert found.folded_accuracy == 1  # an O read as 0
    assert (found.errors, found.look_alike_errors) == (1, 1)
    assert "Aa" in found.groups
    assert "C" in found.groups
    assert len(found.groups) == 36
    assert found.loss == pytest.approx(-(np.log(0.6) + np.log(1) + np.log(0.4)) / 3)


def test_a_test_with_other_characters_is_refused(tmp_path: Path) -> None:
    scripted = Scripted(np.zeros((1, 10)), SPLIT_CHARS["digits"])
    with pytest.raises(DataError, match="no class for A B C"):
        evaluate(scripted, subset([0], "letters"), tmp_path)  # type: ignore[arg-type]


def test_a_bundle_that_has_seen_the_test_is_told(tmp_path: Path) -> None:
    digits = SPLIT_CHARS["digits"]
    test = typeset_subset("mnist", 2, 1, "test")
    # Marked in a corner, so that none is among the training images by chance.
    marked = test.images.copy()
    marked[:, 0, 0] = 1 + np.arange(len(test))
    test = replace(test, images=marked)
    scripted = Scripted(np.full((20, 10), 0.1), digits)
    # Its training files are not at hand: it may have seen them.
    caution = evaluate(scripted, test, tmp_path).caution  # type: ignore[arg-type]
    assert caution
    assert "trained on digits" in caution
    assert "may have seen images of this test" in caution
    # They are at hand, and seven of the test's images are among them.
    train = typeset_subset("digits", 5, 2, "train")
    mixed = Subset(np.concatenate([train.images, test.images[:7]]), np.concatenate([train.labels, test.labels[:7]]),
                   digits, "digits", "train")  # fmt: skip
    write_split(tmp_path, mixed, typeset_subset("digits", 1, 3, "test"))
    scripted.sums = training_sums(tmp_path, "digits")
    assert "It has seen 7 of these 20 images" in str(evaluate(scripted, test, tmp_path).caution)  # type: ignore[arg-type]
    # They are at hand, and none is.
    write_split(tmp_path, train, typeset_subset("digits", 1, 3, "test"))
    # (These are other files than those it learnt from: what it saw is not known.)
    assert "may have seen" in str(evaluate(scripted, test, tmp_path).caution)  # type: ignore[arg-type]
    scripted.sums = training_sums(tmp_path, "digits")
    assert evaluate(scripted, test, tmp_path).caution is None  # type: ignore[arg-type]
    # One of them is missing.
    (tmp_path / "emnist-digits-train-images-idx3-ubyte.gz").unlink()
    assert "may have seen" in str(evaluate(scripted, test, tmp_path).caution)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_bundle_is_as_good_as_it_says(name: str, small_emnist: Path) -> None:
    """On the whole real test where it is at hand; on the small one the figure is only near."""
    recognizer = Recognizer(name, threads=0)
    data_dir = REAL_EMNIST if HAS_SHARED else small_emnist
    found = evaluate(recognizer, load(data_dir, "pool47", "test"), data_dir)
    assert recognizer.info.measured
    if HAS_SHARED:
        # In 8-bit integers another processor may round the other way.
        near = 5e-4 if recognizer.info.precision == "float32" else 2e-3
        assert found.accuracy >= (0.868 if name == "reference" else 0.9)
        assert found.loss <= (0.36 if name == "reference" else 0.26)
        assert found.ece <= (0.02 if name == "reference" else 0.01)
        assert found.accuracy == pytest.approx(recognizer.info.measured.accuracy, abs=near)
        assert found.loss == pytest.approx(recognizer.info.measured.loss, abs=near)
        assert found.images == recognizer.info.measured.images
    else:
        assert found.accuracy > 0.6
    assert found.caution is None


def test_the_report(recognizer: Recognizer, small_emnist: Path, tmp_path: Path) -> None:
    test = load(small_emnist, "pool47", "test")
    found = evaluate(recognizer, test, small_emnist)
    paths = write_report(found, test.images, tmp_path / "report")
    assert sorted(path.name for path in paths) == [
        "confused_pairs.png", "confusion.png", "errors.png", "metrics.json", "reliability.png",
    ]  # fmt: skip
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert metrics["accuracy"] == found.accuracy
    assert metrics["accuracy_interval"] == list(found.accuracy_interval)
    assert len(metrics["per_class_accuracy"]) == 47
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                picture.load()
                assert picture.width >= 600


def test_a_report_without_errors_can_be_drawn(tmp_path: Path) -> None:
    digits = SPLIT_CHARS["digits"]
    perfect = Scripted(np.eye(10), digits)
    test = subset(list(range(10)), "digits")
    found = evaluate(perfect, test, tmp_path)  # type: ignore[arg-type]
    write_report(found, test.images, tmp_path)
    assert (tmp_path / "confused_pairs.png").exists()

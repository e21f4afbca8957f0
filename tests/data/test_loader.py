"""EMNIST's files: what is loaded, and what is said of a file that is not right."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from penread.charset import SPLIT_CHARS
from penread.errors import DataError
from penread.training.data import load, load_training, read_mapping, verify
from tests.conftest import HAS_SHARED, REAL_EMNIST
from tests.made import typeset_subset, write_split


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A small ``digits`` split, to be broken."""
    write_split(tmp_path, typeset_subset("digits", 10, 1, "train"), typeset_subset("digits", 2, 2, "test"))
    return tmp_path


def image_file(data_dir: Path) -> Path:
    return data_dir / "emnist-digits-test-images-idx3-ubyte.gz"


def label_file(data_dir: Path) -> Path:
    return data_dir / "emnist-digits-test-labels-idx1-ubyte.gz"


@pytest.mark.parametrize("split", SPLIT_CHARS)
@pytest.mark.parametrize("compress", [True, False], ids=["gzip", "plain"])
def test_every_split_comes_back_as_written(tmp_path: Path, split: str, compress: bool) -> None:
    train, test = typeset_subset(split, 5, 1, "train"), typeset_subset(split, 1, 2, "test")
    write_split(tmp_path, train, test, compress=compress)
    loaded = load(tmp_path, split, "test")
    assert loaded.chars == SPLIT_CHARS[split]
    # Upright: as the tests drew them, though the files hold them transposed.
    np.testing.assert_array_equal(loaded.images, test.images)
    np.testing.assert_array_equal(loaded.labels, test.labels)
    assert loaded.images.dtype == np.uint8


def test_letters_labels_start_at_one(tmp_path: Path) -> None:
    path = tmp_path / "emnist-letters-mapping.txt"
    path.write_text("".join(f"{i} {64 + i} {96 + i}\n" for i in range(1, 27)))
    assert read_mapping(path) == (SPLIT_CHARS["letters"], 1)


def test_validation_is_carved_from_train(small_emnist: Path) -> None:
    train, val = load_training(small_emnist, "pool47")
    assert np.bincount(val.labels).tolist() == [8] * 47  # a fifth of 40
    assert np.bincount(train.labels).tolist() == [32] * 47
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in val.images)
    again = load(small_emnist, "pool47", "val")
    np.testing.assert_array_equal(again.images, val.images)


def test_pool47_as_it_is_published(small_emnist: Path) -> None:
    """The whole real files where they are at hand; else the small ones."""
    data_dir, of_train, of_test, of_val_class = (
        (REAL_EMNIST, 248_374, 6_840, 100) if HAS_SHARED else (small_emnist, 47 * 40, 47 * 10, 8)
    )
    test = load(data_dir, "pool47", "test")
    assert len(test) == of_test
    train, val = load_training(data_dir, "pool47")
    assert len(train) + len(val) == of_train
    assert np.bincount(val.labels).tolist() == [of_val_class] * 47
    # Upright: a 1 is tall, an L has its ink low and left.
    ones = test.images[test.labels == test.chars.index("1")].mean(axis=0)
    assert ones.sum(axis=1).max() < ones.sum(axis=0).max()
    tees = test.images[test.labels == test.chars.index("T")].mean(axis=0)
    assert tees[:10].sum() > tees[18:].sum()
    seen = {image.tobytes() for image in train.images}
    assert not any(image.tobytes() in seen for image in test.images)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: image_file(d).unlink(), "has no emnist-digits-test-images"),
        (lambda d: (d / "emnist-digits-mapping.txt").unlink(), "has no emnist-digits-mapping.txt"),
        (lambda d: image_file(d).write_bytes(image_file(d).read_bytes()[:-20]), "damaged or incomplete"),
        (lambda d: image_file(d).write_bytes(b"not gzip at all"), "damaged or incomplete"),
        (lambda d: recompress(image_file(d), lambda raw: raw[:-1]), "truncated or has a wrong header"),
        (lambda d: recompress(image_file(d), lambda raw: raw + b"x"), "truncated or has a wrong header"),
        (lambda d: recompress(image_file(d), lambda raw: raw[:6]), "truncated or has a wrong header"),
        (lambda d: recompress(image_file(d), lambda _: b""), "no IDX file"),
        (lambda d: recompress(image_file(d), lambda raw: b"\x89PNG" + raw[4:]), "no IDX file"),
        (lambda d: recompress(label_file(d), lambda raw: raw[:8] + b"\x0b" + raw[9:]), "of another split"),
        (lambda d: recompress(label_file(d), lambda raw: raw[:7] + bytes([raw[7] - 1]) + raw[8:-1]), "20 images but"),
        (lambda d: shutil.copy(label_file(d), image_file(d)), "holds no 28×28 images"),
        (lambda d: (d / "emnist-digits-mapping.txt").write_text("0 65\n1 66\n"), "of another split"),
        (lambda d: (d / "emnist-digits-mapping.txt").write_text("<html>"), "no mapping file"),
        (lambda d: (d / "emnist-digits-mapping.txt").write_text("0 48\n2 49\n"), "don't count up"),
        (lambda d: (d / "emnist-digits-mapping.txt").write_bytes(b"\xff\xfe"), "no mapping file"),
    ],
)
def test_a_damaged_file_is_told(digits: Path, damage, message: str) -> None:
    damage(digits)
    with pytest.raises(DataError, match=message):
        load(digits, "digits", "test")
    [report] = [each for each in verify(digits) if each.subset == "test"]
    assert report.error
    assert report.images == 0


def recompress(path: Path, change) -> None:
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def test_a_readable_file_that_is_not_nists_is_told(digits: Path) -> None:
    assert all("SHA-256" in (report.error or "") for report in verify(digits))


def test_unknown_split_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one of balanced, byclass"):
        load(tmp_path, "latin", "test")
    with pytest.raises(DataError, match="no EMNIST files"):
        verify(tmp_path)


def test_a_class_without_images_is_told(tmp_path: Path) -> None:
    train = typeset_subset("digits", 5, 1, "train")
    write_split(tmp_path, train.take(np.flatnonzero(train.labels != 7)), typeset_subset("digits", 1, 2, "test"))
    with pytest.raises(DataError, match="no image of class '7'"):
        load_training(tmp_path, "digits")

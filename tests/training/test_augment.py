"""Distortions: characters stay what they are, each looks different, and the same seed distorts the same way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from penread import Recognizer
from penread.training.augment import augment
from penread.training.data import Subset, load


@pytest.fixture(scope="module")
def glyphs(small_emnist: Path) -> Subset:
    return load(small_emnist, "pool47", "train")


def distorted(images: np.ndarray, seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return augment(torch.from_numpy(images))


def test_distorted_glyphs_are_glyphs(glyphs: Subset) -> None:
    planes = distorted(glyphs.images, 1)
    assert planes.shape == (len(glyphs), 28, 28)
    assert planes.dtype == torch.float32
    assert planes.min() >= 0
    assert planes.max() <= 255
    ink = planes.sum((1, 2)) / torch.from_numpy(glyphs.images).float().sum((1, 2))
    # Nothing vanishes and nothing fills the plane; some strokes get thicker, some thinner.
    assert (ink > 0.2).float().mean() > 0.99
    assert (ink < 3).float().mean() > 0.99
    assert ink.quantile(0.1) < 0.8
    assert ink.quantile(0.9) > 1.2


def test_the_same_seed_distorts_the_same_way(glyphs: Subset) -> None:
    few = glyphs.images[:50]
    assert torch.equal(distorted(few, 1), distorted(few, 1))
    assert not torch.equal(distorted(few, 1), distorted(few, 2))


def test_some_stay_as_they_are(glyphs: Subset) -> None:
    torch.manual_seed(5)
    planes = augment(torch.from_numpy(glyphs.images), 0.3)
    same = (planes.round().to(torch.uint8) == torch.from_numpy(glyphs.images)).flatten(1).all(1)
    assert same.float().mean().item() == pytest.approx(0.3, abs=0.05)


def test_every_image_is_distorted_differently(glyphs: Subset) -> None:
    same = np.repeat(glyphs.images[:1], 30, axis=0)
    planes = distorted(same, 3).flatten(1)
    assert torch.cdist(planes, planes)[~torch.eye(30, dtype=torch.bool)].min() > 0


def test_distorted_characters_can_still_be_read(glyphs: Subset, recognizer: Recognizer) -> None:
    """Not a measure of the model: what it reads of them must not fall far below what it reads undistorted."""

    def accuracy(images: np.ndarray) -> float:
        return float((recognizer.logits(images).argmax(axis=1) == glyphs.labels).mean())

    assert accuracy(distorted(glyphs.images, 4).round().to(torch.uint8).numpy()) > accuracy(glyphs.images) - 0.15

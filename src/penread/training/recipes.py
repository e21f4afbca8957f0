"""The recipes: named, complete training configurations. A recipe and a seed determine a run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """A complete training configuration.

    Attributes:
        name: What ``penread train --recipe`` calls it.
        network: A key of ``penread.training.networks.NETWORKS``.
        epochs: Length of the schedule. The last epoch is the result: no epoch is picked.
        epoch_images: Images an epoch; at most as many as there are to train on.
        batch_size: Images a step.
        optimizer: ``"adam"``, with an L2 penalty; or ``"muon"``, Muon for the convolutions and AdamW for all else.
        learning_rate: The optimizer's, the highest of its schedule.
        schedule: ``"constant"``; or ``"one-cycle"``, which rises over a tenth of the steps and falls as a cosine.
        weight_decay: The optimizer's.
        sampling_power: A class with n images has a share of each epoch proportional to n to this power: 0 for
            the same share for each. The loss takes the shares off again, see ``penread.training.loop``.
        label_smoothing: The part of each target that is spread over all classes, by their shares.
        augment: Whether images are distorted, see ``penread.training.augment``.
        untouched_share: The part of the images that is not distorted nevertheless.
        drawn_images: Images an epoch, beside those, in ways of writing that EMNIST lacks, see
            ``penread.training.styles``. The teacher has no say in them.
        averaging: Decay, each step, of the running average of the weights that is the result; 0 for none.
        teacher_share: The part of the targets that is the teachers' belief; 0 for a recipe that learns from labels
            alone.
        begins_as_teacher: Whether the network begins with the first teacher's weights.
    """

    name: str
    network: str
    epochs: int
    epoch_images: int
    batch_size: int
    optimizer: Literal["adam", "muon"]
    learning_rate: float
    schedule: Literal["constant", "one-cycle"]
    weight_decay: float
    sampling_power: float = 0.0
    label_smoothing: float = 0.0
    augment: bool = False
    untouched_share: float = 0.0
    drawn_images: int = 0
    averaging: float = 0.0
    teacher_share: float = 0.0
    begins_as_teacher: bool = False

    def __post_init__(self) -> None:
        if self.label_smoothing and self.teacher_share:
            raise ValueError("A teacher's beliefs are not smoothed: give label_smoothing or teacher_share.")
        if self.untouched_share and not self.augment:
            raise ValueError("untouched_share is of the images that are distorted: set augment.")

    @property
    def needs_teacher(self) -> bool:
        """Whether a finished run must be given to learn from."""
        return self.begins_as_teacher or self.teacher_share > 0

    @property
    def sha256(self) -> str:
        """SHA-256 of all of it, hex digits: what a bundle carries to tell which recipe made it.

        What has its default value is left out, so that a field that comes to recipes later, off by default, changes
        no sum.
        """
        given = {
            each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default
        }
        return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


_REFERENCE = Recipe(
    name="reference",
    network="reference",
    epochs=20,
    # The size of EMNIST Balanced's train subset.
    epoch_images=112_800,
    batch_size=512,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    weight_decay=1e-5,
)
_FAST = replace(
    _REFERENCE,
    name="fast",
    network="residual-tiny",
    epochs=2,
    epoch_images=75_000,
    batch_size=256,
    optimizer="muon",
    learning_rate=1e-2,
    schedule="one-cycle",
    weight_decay=0.1,
    sampling_power=0.5,
)
_LARGE = replace(
    _FAST,
    name="large",
    network="residual-large",
    epochs=16,
    epoch_images=112_800,
    label_smoothing=0.05,
    augment=True,
    averaging=0.999,
)
_LARGE_TUNED = replace(
    _LARGE,
    name="large-tuned",
    epochs=3,
    learning_rate=4e-3,
    label_smoothing=0.0,
    untouched_share=0.5,
    drawn_images=8_000,
    averaging=0.99,
    begins_as_teacher=True,
)
_MEDIUM = replace(
    _LARGE,
    name="medium",
    network="residual-medium",
    epochs=17,
    label_smoothing=0.0,
    untouched_share=0.35,
    drawn_images=8_000,
    teacher_share=0.5,
)
_BEST = replace(
    _MEDIUM,
    name="best",
    network="residual-large",
    epochs=18,
    untouched_share=0.4,
    drawn_images=12_000,
    begins_as_teacher=True,
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (_REFERENCE, _FAST, _LARGE, _LARGE_TUNED, _MEDIUM, _BEST)
}

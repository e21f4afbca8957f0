"""The recipes: named, complete training configurations. A recipe and a seed determine a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A complete training configuration.

    Attributes:
        name: What ``penread train --recipe`` calls it.
        network: A key of ``penread.training.networks.NETWORKS``.
        epochs: Length of the schedule. The last epoch is the result: no epoch is picked.
        epoch_images: Images an epoch, sampled evenly by class; at most as many as there are to train on.
        batch_size: Images a step.
        learning_rate: Adam's, constant.
        weight_decay: Adam's L2 penalty.
    """

    name: str
    network: str
    epochs: int
    epoch_images: int
    batch_size: int
    learning_rate: float
    weight_decay: float


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in [
        # 112,800 is the size of EMNIST Balanced's train subset.
        Recipe(
            name="reference",
            network="reference",
            epochs=20,
            epoch_images=112_800,
            batch_size=512,
            learning_rate=1e-3,
            weight_decay=1e-5,
        ),
    ]
}

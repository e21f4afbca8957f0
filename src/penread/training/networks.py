"""The networks. Each takes glyphs as they are, uint8 (N, 28, 28), and gives logits (N, classes).

Scaling is part of the network, so that the exported graph has it inside and no other place needs to know.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ReferenceNet(nn.Module):
    """The reference network: two convolutions, two pools, two fully connected layers.

    3×3 convolution with 32 filters, ReLU, 2×2 max pooling; 3×3 convolution with 64 filters, ReLU, 2×2 max
    pooling; 128 fully connected units, ReLU, dropout 0.5; one output a class. The convolutions are padded by one
    pixel, so the planes are 28, 14 and 7 pixels wide.

    Args:
        classes: Number of outputs.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * 7 * 7, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, classes),
        )

    def forward(self, glyphs: Tensor) -> Tensor:
        """Computes logits.

        Args:
            glyphs: uint8 (N, 28, 28), ink 255 on 0.

        Returns:
            Logits, float (N, classes).
        """
        planes = glyphs.unsqueeze(1).to(torch.float32) / 255
        logits: Tensor = self.classifier(self.features(planes))
        return logits


NETWORKS: dict[str, type[nn.Module]] = {"reference": ReferenceNet}


def build(name: str, classes: int) -> nn.Module:
    """Builds a network by its name, with freshly drawn weights.

    Args:
        name: A key of ``NETWORKS``.
        classes: Number of outputs.
    """
    return NETWORKS[name](classes)

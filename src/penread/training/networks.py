"""The networks. Each takes glyphs as they are, uint8 (N, 28, 28), and gives logits (N, classes).

Scaling is part of the network, so that the exported graph has it inside and no other place needs to know.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.utils.flop_counter import FlopCounterMode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3×3 convolution and batch norm. The exported graph has the two as one."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs))


class _Residual(nn.Module):
    """Two convolutions with a shortcut around them, then ReLU. It begins as the shortcut alone."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = _convolution(width, width)
        nn.init.zeros_(self.second[1].weight)  # type: ignore[arg-type]  # a module's attributes are untyped

    def forward(self, planes: Tensor) -> Tensor:
        return relu(planes + self.second(relu(self.first(planes))))


class ResidualNet(nn.Module):
    """3×3 convolutions in three stages, on planes 28, 14 and 7 pixels wide, with residual blocks between them.

    The first convolution sees every pixel; each later stage begins with a strided one. The head takes the mean and
    the maximum of each plane: how much there is of a feature, and whether there is any.

    Args:
        classes: Number of outputs.
        widths: Filters of each stage.
        blocks: Residual blocks of each stage.
    """

    def __init__(self, classes: int, widths: tuple[int, int, int], blocks: tuple[int, int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 1
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            layers += [_convolution(inputs, width, stride=2 if stage else 1), nn.ReLU()]
            layers += [_Residual(width) for _ in range(count)]
            inputs = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(2 * inputs, classes)

    def forward(self, glyphs: Tensor) -> Tensor:
        """Computes logits.

        Args:
            glyphs: uint8 (N, 28, 28), ink 255 on 0.

        Returns:
            Logits, float (N, classes).
        """
        planes = self.features(glyphs.unsqueeze(1).to(torch.float32) / 255)
        logits: Tensor = self.classifier(torch.cat([planes.mean((2, 3)), planes.amax((2, 3))], 1))
        return logits


class Ensemble(nn.Module):
    """Networks that read together: the mean of their logits.

    Args:
        networks: Each takes glyphs and gives logits for the same classes.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, glyphs: Tensor) -> Tensor:
        """Computes logits.

        Args:
            glyphs: uint8 (N, 28, 28), ink 255 on 0.

        Returns:
            Logits, float (N, classes).
        """
        return torch.stack([network(glyphs) for network in self.networks]).mean(0)


def multiply_adds(network: nn.Module) -> int:
    """Counts the multiplications, each with its addition, that one glyph takes.

    Args:
        network: On the CPU. It is left ready to infer.
    """
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network.eval()(torch.zeros(1, 28, 28, dtype=torch.uint8))
    return int(counter.get_total_flops()) // 2


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "reference": ReferenceNet,
    "residual-tiny": partial(ResidualNet, widths=(16, 32, 64), blocks=(0, 1, 1)),
    "residual-small": partial(ResidualNet, widths=(32, 48, 96), blocks=(0, 1, 1)),
    "residual-medium": partial(ResidualNet, widths=(32, 64, 128), blocks=(0, 1, 1)),
    "residual-large": partial(ResidualNet, widths=(32, 64, 128), blocks=(1, 2, 2)),
}


def build(name: str, classes: int) -> nn.Module:
    """Builds a network by its name, with freshly drawn weights.

    Args:
        name: A key of ``NETWORKS``.
        classes: Number of outputs.
    """
    return NETWORKS[name](classes)

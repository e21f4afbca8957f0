"""The optimizers and their schedule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penread.training.recipes import Recipe

_WARM_UP = 0.1


class ConvolutionMuon(torch.optim.Muon):
    """Muon for convolutions: torch's own takes matrices, so here each filter is a row of one.

    Args:
        convolutions: Weights (outputs, inputs, height, width) in the channels-last memory format, more than one
            input each.
        learning_rate: As AdamW's: each step is scaled to the size that AdamW's would have.
        weight_decay: Decoupled, as AdamW's.
    """

    def __init__(self, convolutions: Sequence[nn.Parameter], learning_rate: float, weight_decay: float) -> None:
        self._convolutions = list(convolutions)
        super().__init__(
            # Views: a step on the matrices changes the convolutions.
            [nn.Parameter(_rows(weights.detach())) for weights in self._convolutions],
            lr=learning_rate,
            weight_decay=weight_decay,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        )

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Takes a step on the convolutions' gradients."""
        for matrix, weights in zip(self.param_groups[0]["params"], self._convolutions, strict=True):
            matrix.grad = None if weights.grad is None else weights.grad.permute(0, 2, 3, 1).flatten(1)
        super().step(closure)  # type: ignore[no-untyped-call]  # torch's stubs lack it


def _rows(weights: Tensor) -> Tensor:
    return weights.permute(0, 2, 3, 1).view(len(weights), -1)


def build(recipe: Recipe, network: nn.Module) -> list[torch.optim.Optimizer]:
    """Makes a recipe's optimizers, each for its part of the weights.

    Args:
        recipe: The recipe.
        network: In the channels-last memory format.
    """
    weights = list(network.parameters())
    if recipe.optimizer == "adam":
        return [torch.optim.Adam(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)]
    # The first convolution has one input: as a matrix it has nothing to orthogonalise that Adam doesn't do as well.
    convolutions = [each for each in weights if each.dim() == 4 and each.shape[1] > 1]
    others = [each for each in weights if not any(each is convolution for convolution in convolutions)]
    return [
        ConvolutionMuon(convolutions, recipe.learning_rate, recipe.weight_decay),
        torch.optim.AdamW(others, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, betas=(0.9, 0.99)),
    ]


def set_learning_rate(recipe: Recipe, optimizers: Sequence[torch.optim.Optimizer], progress: float) -> None:
    """Sets the learning rate of a moment of the schedule.

    Args:
        recipe: The recipe.
        optimizers: Its optimizers.
        progress: The part of all steps that is done, 0 to 1.
    """
    factor = 1.0
    if recipe.schedule == "one-cycle":
        falling = (progress - _WARM_UP) / (1 - _WARM_UP)
        factor = progress / _WARM_UP if progress < _WARM_UP else (1 + math.cos(math.pi * falling)) / 2
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * factor

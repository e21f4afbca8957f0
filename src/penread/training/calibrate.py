"""Makes confidences mean what they say: one temperature for all logits, fitted on the validation subset."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDEST = 10.0


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Finds the temperature with the least cross-entropy (C. Guo et al. 2017, arXiv:1706.04599).

    Args:
        logits: Float (N, classes), of images that were not trained on.
        labels: int64 (N,).

    Returns:
        What to divide logits by, between a tenth and ten.
    """

    def loss(log_temperature: float) -> float:
        log_probs = log_softmax(logits / math.exp(log_temperature), axis=1)
        return -float(np.take_along_axis(log_probs, labels[:, None], axis=1).mean())

    found = minimize_scalar(loss, bounds=(-math.log(_WIDEST), math.log(_WIDEST)), method="bounded")
    return math.exp(found.x)

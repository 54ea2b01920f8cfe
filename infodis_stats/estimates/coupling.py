"""What draws of contrasts say of their two sides: how far they move together, and what sampled them."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from estimators import Contrast, Draw

__all__ = ["coupling", "sampled_by"]


def coupling(draws: Sequence[Draw]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, for each draw, the correlation of the sides over replicates and the gain from it.

    The gain is the variance that independent sides would have over the variance of the difference. Both are NaN where a
    side does not vary.
    """
    products = np.array([_products(one) for one in draws])
    first, second, cross = products.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return cross / np.sqrt(first * second), (first + second) / (first + second - 2 * cross)


def _products(drawn: Draw) -> tuple[float, float, float]:
    """Return the squares of the two sides' deviations, and their product; draws may differ in their replicates."""
    sides = np.stack([_contrast(drawn).estimator.reduce(side.plan, side.losses) for side in drawn.evaluations])
    first, second = sides - sides.mean(axis=-1, keepdims=True)
    return float(first @ first), float(second @ second), float(first @ second)


def sampled_by(draws: Sequence[Draw]) -> list[str]:
    """Return the name of the estimator on either side of each draw."""
    return [_contrast(drawn).estimator.name for drawn in draws]


def _contrast(drawn: Draw) -> Contrast:
    return cast("Contrast", drawn.cell.sampler)

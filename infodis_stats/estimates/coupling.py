"""What draws of contrasts say of their two sides: how far they move together, and which of them is harder."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from estimators import Contrast, Draw
from infodis_stats.cautions import effective_positions

__all__ = ["coupling", "least_effective_positions", "sampled_by"]


def coupling(draws: Sequence[Draw]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, for each draw, the correlation of the sides over replicates and the gain from it.

    The gain is the variance that independent sides would have over the variance of the difference. Both are NaN where a
    side does not vary.
    """
    sides = np.array(
        [[_contrast(drawn).estimator.reduce(side.plan, side.losses) for side in drawn.evaluations] for drawn in draws]
    )
    centred = sides - sides.mean(axis=-1, keepdims=True)
    first, second = (centred**2).sum(axis=-1).T
    cross = (centred[:, 0] * centred[:, 1]).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return cross / np.sqrt(first * second), (first + second) / (first + second - 2 * cross)


def least_effective_positions(draws: Sequence[Draw]) -> NDArray[np.float64]:
    """Return `effective_positions` of each draw's worse side."""
    return np.array(
        [min(float(effective_positions(side.position_losses)) for side in drawn.evaluations) for drawn in draws]
    )


def sampled_by(draws: Sequence[Draw]) -> list[str]:
    """Return the name of the estimator on either side of each draw."""
    return [_contrast(drawn).estimator.name for drawn in draws]


def _contrast(drawn: Draw) -> Contrast:
    return cast("Contrast", drawn.cell.sampler)

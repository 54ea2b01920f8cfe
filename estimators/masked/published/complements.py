"""Published schemes of a mask and its complement."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from estimators.designs import IID, draw_points
from estimators.errors import PassesError
from estimators.estimator import Estimator
from estimators.masked.plan import MaskPlan

__all__ = ["PublishedDiffuCoder"]

DIFFUCODER_RATES = (0.2, 0.8)


@dataclass(frozen=True)
class PublishedDiffuCoder(Estimator):
    """DiffuCoder's coupled-GRPO: everything masked, a mask with a rate in ``(0.2, 0.8)``, and its complement.

    A token's number is the mean of its loss with everything masked and ``1/rate`` times its loss under whichever of the
    two masks has it. Each token is covered, with an expected weight of 3/2: not a likelihood.

    References
    ----------
    S. Gong et al., *DiffuCoder: Understanding and improving masked diffusion models for code generation*, arXiv
    2506.20639.
    """

    name: ClassVar[str] = "published-diffucoder"
    summary: ClassVar[str] = (
        "as published by DiffuCoder: all masked, a mask and its complement; 3 passes; expected weight 3/2"
    )
    unbiased: ClassVar[bool] = False

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`. Averages as many threes as the passes hold."""
        threes = passes // 3
        if not threes:
            raise PassesError(f"{self.name} needs at least 3 passes, got {passes}")
        points = draw_points(IID(), length, threes, replicates, rng)
        low, high = DIFFUCODER_RATES
        rate = low + (high - low) * points[..., :1]
        masked = points[..., 1:] < rate
        masks = np.stack([np.ones_like(masked), masked, ~masked], axis=2)
        weights = masks * np.stack([np.ones_like(rate), 1.0 / rate, 1.0 / (1.0 - rate)], axis=2) / (2.0 * threes)
        shape = (replicates, 3 * threes, length)
        return MaskPlan(masks.reshape(shape), weights.reshape(shape))

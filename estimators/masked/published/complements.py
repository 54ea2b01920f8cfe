"""Published schemes of a mask and its complement."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, draw_points
from estimators.errors import PassesError
from estimators.masked.mask_law import estimand_weights
from estimators.masked.masks import smallest
from estimators.masked.plan import MaskPlan
from estimators.masked.published.base import PublishedSum, Purpose
from estimators.masked.published.rates import given_mask, nodes
from estimators.plan import Plan, pass_terms

__all__ = ["PublishedDiffuCoder", "PublishedESPO"]

DIFFUCODER_RATES = (0.2, 0.8)


@dataclass(frozen=True)
class PublishedDiffuCoder(PublishedSum):
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
    source: ClassVar[str] = "apple/ml-diffucoder, src/open_r1/coupled_grpo.py"
    purpose: ClassVar[Purpose] = "policy gradient"

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

    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return the expected weight of a token loss by the mask's size; see `PublishedSum.expected_weights`."""
        rates, shares = nodes(*DIFFUCODER_RATES, length)
        of_size: NDArray[np.float64] = (shares / rates) @ given_mask(rates, length)  # the complement's is the same
        of_size[0] = 0.0
        of_size[length] += 0.5
        return of_size


@dataclass(frozen=True)
class PublishedESPO(PublishedSum):
    """ESPO's likelihood: a count uniform on ``0 .. L``, a mask of that size and its complement; unbiased.

    Losses under the mask of size ``m`` have the weight ``(L + 1)/(2 m)``, those under the complement ``(L + 1)/(2 (L -
    m))``. The released recipes average 1 or 2 such draws, some of them without the complement. Counts of a batch of
    sequences are on one grid and rounded, halves to even numbers: this is the first sequence of a batch.

    References
    ----------
    J. Ou et al., *Principled RL for diffusion LLMs emerges from a sequence-level perspective*, arXiv 2512.03759.

    Examples
    --------
    >>> print(PublishedESPO().plan(length=4, passes=2, replicates=1, rng=np.random.default_rng(0)))
    ####  0.625
    ....  0
    """

    name: ClassVar[str] = "published-espo"
    summary: ClassVar[str] = (
        "as published by ESPO: a uniform count from 0 on, a mask and its complement; 2 passes a draw"
    )
    source: ClassVar[str] = "ML-GSAI/ESPO, espo/espo_trainer.py"
    purpose: ClassVar[Purpose] = "policy gradient"
    unbiased: ClassVar[bool] = True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`. Averages as many pairs as the passes hold."""
        draws = passes // 2
        if not draws:
            raise PassesError(f"{self.name} needs at least 2 passes, got {passes}")
        points = draw_points(IID(), length, draws, replicates, rng)
        counts = np.minimum((points[..., 0] * (length + 1)).astype(np.int64), length)
        masked = smallest(points[..., 1:], counts)
        masks = np.stack([masked, ~masked], axis=2).reshape(replicates, 2 * draws, length)
        sizes = masks.sum(axis=-1, keepdims=True)
        weights = masks * ((length + 1) / (2.0 * draws * np.maximum(sizes, 1)))
        return MaskPlan(masks, weights)

    def parts(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each pair estimates; see `Estimator.parts`."""
        pairs: NDArray[np.float64] = pass_terms(plan, losses).reshape(plan.replicates, -1, 2).mean(axis=-1)
        return pairs

    def part_count(self, length: int, passes: int) -> int:
        """Return how many pairs the passes hold; see `Estimator.part_count`."""
        return passes // 2

    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return the weights of the negative log-likelihood; see `PublishedSum.expected_weights`."""
        return estimand_weights(length)

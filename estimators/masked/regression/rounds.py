"""Rounds of passes that are regressed together, however many of them there will be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import Stratified, draw_points
from estimators.masked.masks import smallest
from estimators.masked.plan import MaskPlan
from estimators.masked.regression.damping import adjusted
from estimators.masked.regression.estimator import SHARED, SHARED_LAGS, Regression
from estimators.masked.regression.strata import equal_strata
from estimators.within_variance import WithinVariance, from_residuals

__all__ = ["Pooled", "RegressionRound", "pooled", "residual_variance"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class RegressionRound(Regression):
    """A round of passes of a sample that grows: stratified sizes, for a regression over all rounds.

    The last pass of the opening round masks everything. Other passes mask less: their sizes are uniform over the sizes
    below, one pass in each of as many equal strata. Sizes that few of these would have can have passes of their own:
    tokens that determine one another show where one or two are masked.

    Parameters
    ----------
    opening : bool, default False
        Whether it is the first round.
    smallest : int, default 0
        Sizes ``1 .. smallest`` have a pass each, where there are at least four times as many positions.

    Examples
    --------
    >>> print(RegressionRound(opening=True).plan(length=6, passes=4, replicates=1, rng=np.random.default_rng(0)))
    ##....  0.833333
    #...##  0.555556
    .#####  0.333333
    ######  0.166667
    """

    opening: bool = False
    smallest: int = 0

    name: ClassVar[str] = "regression-round"
    summary: ClassVar[str] = "a round of passes that are regressed together with those of other rounds"

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent rounds; see `Estimator.plan`. The weights are those of the round alone."""
        strata = self.strata(length, passes)
        full = np.ones((replicates, self._full(length), length), dtype=bool)
        drawn, low, between = passes - full.shape[1], self._low(length), max(length - 1, 1)
        points = draw_points(Stratified(), length, drawn, replicates, rng)
        place = (points[..., 0] * drawn - low) / (drawn - low)
        sizes = np.minimum((place * between).astype(np.int64) + 1, between)
        sizes[..., :low] = 1 + np.arange(low)
        masks = np.concatenate([smallest(points[..., 1:], sizes), full], axis=1)
        return MaskPlan(masks, _weights(masks, (length,), {length: strata}))

    def blocks_plan(self, length: int, passes: int, blocks: int, rng: np.random.Generator) -> MaskPlan:
        """Plan independent blocks; see `Estimator.blocks_plan`."""
        return self.plan(length, passes, blocks, rng)

    def strata(self, length: int, passes: int) -> FloatArray:
        """Return the probability of each size ``1 .. length`` in each pass: (passes, length)."""
        full, low = self._full(length), self._low(length)
        drawn, between = passes - full, max(length - 1, 1)
        strata = np.zeros((passes, length))
        strata[:low, :low] = np.eye(low)
        strata[low:drawn, :between] = equal_strata(drawn - low, between)
        strata[drawn:, -1] = 1.0
        return strata

    def _full(self, length: int) -> int:
        return int(self.opening and length > 1)

    def _low(self, length: int) -> int:
        return self.smallest if length >= 4 * self.smallest else 0


@dataclass(frozen=True, eq=False)
class Pooled:
    """The estimate of all rounds.

    Attributes
    ----------
    plan : MaskPlan
        All passes, with the weights that they have together: those that mask everything last.
    losses : array of float64, shape (1, passes, length)
        In the order of the plan, nats.
    estimate : float
        Nats.
    residuals : array of float64, shape (drawn,)
        How far each drawn pass alone would move the estimate off, nats; the estimate moves by their mean.
    masked : array of float64, shape (drawn,)
        The share of the positions that each drawn pass masks.
    """

    plan: MaskPlan
    losses: FloatArray
    estimate: float
    residuals: FloatArray
    masked: FloatArray

    @property
    def variance(self) -> WithinVariance:
        """The variance of the estimate, from its residuals: one replicate."""
        return residual_variance(self.residuals, self.masked)


def residual_variance(residuals: FloatArray, masked: FloatArray) -> WithinVariance:
    """Return the variance of the mean of residuals (drawn,) of passes with these masked shares, as one replicate.

    Residuals of several samples under the same masks may be combined before: the variance is that of the combination.
    """
    about_trend = from_residuals(residuals[None], masked[None])
    return WithinVariance(about_trend.variance, np.array([len(residuals) - 2.0]))


def pooled(
    rounds: Sequence[RegressionRound], plans: Sequence[MaskPlan], losses: Sequence[Sequence[FloatArray]]
) -> list[Pooled]:
    """Regress the passes of all rounds together: unbiased for every number of rounds that is fixed in advance.

    Parameters
    ----------
    rounds : sequence of RegressionRound
        The first one is the opening.
    plans : sequence of MaskPlan
        Of one replicate each.
    losses : sequence of sequences of arrays, shape (1, passes, length)
        For each target under these masks its losses in each round, nats.

    Returns
    -------
    list of Pooled
        One for each target. `Regression` describes the estimate and its variance; sums over blocks are taken first.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rounds = [RegressionRound(opening=True), RegressionRound()]
    >>> plans = [each.plan(6, 9, 1, rng) for each in rounds]
    >>> (result,) = pooled(rounds, plans, [[plan.masks * np.log(2.0) for plan in plans]])
    >>> round(result.estimate, 3), result.plan.passes, len(result.residuals)
    (4.159, 18, 17)
    """
    lengths = plans[0].block_lengths
    numbers = [plan.passes for plan in plans]
    full = int(max(lengths) > 1)
    # The pass that masks everything is the last of the opening round; it moves to the end of all.
    order = np.r_[: numbers[0] - full, numbers[0] : sum(numbers), numbers[0] - full : numbers[0]]
    masks = np.concatenate([plan.masks for plan in plans], axis=1)[:, order]
    values = np.stack([np.concatenate(each, axis=1) for each in losses], axis=1)[:, :, order]
    strata = {
        length: np.concatenate([each.strata(length, number) for each, number in zip(rounds, numbers, strict=True)])[
            order
        ]
        for length in set(lengths)
    }
    weights = _weights(masks, lengths, strata)
    plan = replace(plans[0], masks=masks, weights=weights, **_passes_of_blocks(plans[0], len(order)))
    result = adjusted(masks, weights, values, lengths, strata)
    drawn = len(order) - full
    factors = np.where(result.has_lags[0], SHARED_LAGS, SHARED)
    residuals = drawn * factors[:, None] * result.residuals[0, :, :drawn].sum(axis=-1)
    masked = masks[0, :drawn].mean(axis=-1)
    return [
        Pooled(plan, values[:, number], float(estimate), of_target, masked)
        for number, (estimate, of_target) in enumerate(zip(result.estimates[0], residuals, strict=True))
    ]


def _passes_of_blocks(plan: MaskPlan, passes: int) -> dict[str, tuple[int, ...]]:
    return {"passes_of_blocks": (passes,) * len(plan.block_lengths)} if hasattr(plan, "passes_of_blocks") else {}


def _weights(masks: NDArray[np.bool_], lengths: Sequence[int], strata: Mapping[int, FloatArray]) -> FloatArray:
    # 1 / (m P(m)), summed over the passes: blocks follow one another.
    weights, start = np.zeros(masks.shape), 0
    for length in lengths:
        inside = masks[..., start : start + length]
        sizes = inside.sum(axis=-1)
        expected = np.append(0.0, strata[length].sum(axis=0))[sizes] * sizes
        share = np.divide(1.0, expected, out=np.zeros_like(expected), where=expected > 0)
        weights[..., start : start + length] = inside * share[..., None]
        start += length
    return weights

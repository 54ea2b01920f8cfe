"""The estimator: stratified sizes, reduced by regression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import Stratified, draw_points, spread
from estimators.estimator import Estimator
from estimators.masked.plan import MaskPlan, mask_plan
from estimators.masked.regression.damping import Adjusted, adjusted
from estimators.masked.regression.strata import full_mask_passes, size_strata, sized_masks
from estimators.plan import Plan
from estimators.reduction import Reduction
from estimators.within_variance import WithinVariance, added, from_residuals

__all__ = ["Regression"]

FEWEST_RESIDUALS = 8  # for a variance
SHARED, SHARED_LAGS = 1.15, 1.35  # factors on residuals, whose predictions share what they were fitted to


@dataclass(frozen=True)
class Regression(Estimator):
    """Stratified sizes; the part of each loss that the other passes predict is replaced by its exact mean.

    A control variate: pass ``k`` contributes ``sum_i W (c - f b)(i, S_k)`` and ``f`` times the mean of ``sum_i W b(i,
    S)`` over the law of its mask. Here ``b`` is the Bayesian linear regression of the losses of other passes on
    products of the signs of nearby positions, and the factor ``f``, between 0 and 1, is how well they predict one
    another. As passes are independent, every replicate is unbiased, for every model. With a single pass there is
    nothing to learn from, and the estimate is the weighted sum.

    Neighbours are neighbours among the scored positions: the context is the same in all passes and explains nothing. A
    coupled contrast of equal lengths regresses the difference of the losses.

    The study ``reports/frontier`` measures its gain. The prior of the regression is in
    `estimators.masked.regression.prior`, the factor in `estimators.masked.regression.damping`.

    References
    ----------
    R. T. Witter, Y. Liu, C. Musco, *Regression-adjusted Monte Carlo estimators for Shapley values and probabilistic
    values*, arXiv 2506.11849 (2025): the idea, for Shapley values; here a pass gives a loss for every masked position.

    Examples
    --------
    >>> regression = Regression()
    >>> plan = regression.plan(length=6, passes=8, replicates=2, rng=np.random.default_rng(0))
    >>> losses = plan.masks * np.log(2.0)  # of a fair coin
    >>> regression.reduce(plan, losses).round(2), round(float(6 * np.log(2.0)), 2)
    (array([4.16, 4.16]), 4.16)
    """

    name: ClassVar[str] = "regression"
    summary: ClassVar[str] = "stratified sizes; what the other passes predict of a loss is replaced by its exact mean"
    weighted_sum: ClassVar[bool] = False
    conservative_within_variance: ClassVar[bool] = True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`. Its weighted sum is unbiased, too."""
        return self._plan_of(self._points(length, passes, replicates, rng), passes)

    def blocks_plan(self, length: int, passes: int, blocks: int, rng: np.random.Generator) -> MaskPlan:
        """Plan blocks, of few passes with sizes spread over the blocks; see `Estimator.blocks_plan`."""
        points = self._points(length, passes, blocks, rng)
        if not self.has_within_variance(length, passes):
            points = spread(points, Stratified.dependence, rng)
        return self._plan_of(points, passes)

    def _points(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return draw_points(Stratified(), length, passes - full_mask_passes(length, passes), replicates, rng)

    def _plan_of(self, points: NDArray[np.float64], passes: int) -> MaskPlan:
        masks, length = sized_masks(points, passes), points.shape[-1] - 1
        sizes = masks.sum(axis=-1)
        weights = 1.0 / (size_strata(length, passes).sum(axis=0)[sizes - 1] * sizes)
        return MaskPlan(masks, masks * weights[..., None])

    def reduce(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn token losses (replicates, passes, length) into estimates (replicates,), both in nats."""
        (reduction,) = self.reductions(plan, [losses])
        return reduction.estimates

    def reductions(self, plan: Plan, losses: Sequence[NDArray[np.float64]]) -> list[Reduction]:
        """Estimate each replicate, and its variance from the residuals of its passes; see `Estimator.reductions`.

        Residuals may have a trend in the masked share, which the strata account for: it is fitted. The predictions of
        the passes were fitted to overlapping sets of passes, which the residuals do not show: they are multiplied by
        1.15, and by 1.35 where predictions of all positions share the coefficients of distant lags. Blocks are fitted
        together: they share the prior, the folds and the factors.
        """
        masked = mask_plan(plan, "regressions")
        strata = {length: size_strata(length, plan.passes) for length in masked.block_lengths}
        result = adjusted(masked.masks, plan.weights, np.stack(losses, axis=1), masked.block_lengths, strata)
        return [
            Reduction(result.estimates[:, vector], self._variance(plan, result, vector))
            for vector in range(len(losses))
        ]

    def reduce_all(self, plan: Plan, losses: Sequence[NDArray[np.float64]]) -> list[Reduction]:
        """Reduce all blocks together; see `Estimator.reduce_all`."""
        return self.reductions(plan, losses)

    def has_within_variance(self, length: int, passes: int) -> bool:
        """Return whether there are residuals enough; see `Estimator.has_within_variance`."""
        return passes - full_mask_passes(length, passes) >= FEWEST_RESIDUALS

    def _variance(self, plan: Plan, result: Adjusted, vector: int) -> WithinVariance | None:
        masked, of_blocks = mask_plan(plan, "regressions"), []
        if not all(self.has_within_variance(length, plan.passes) for length in masked.block_lengths):
            return None
        factors = np.where(result.has_lags[:, vector], SHARED_LAGS, SHARED)
        for block, length in enumerate(masked.block_lengths):
            drawn = plan.passes - full_mask_passes(length, plan.passes)
            residuals = drawn * result.residuals[:, vector, :drawn, block]
            about_trend = from_residuals(residuals, masked.block_sizes[:, :drawn, block] / length)
            of_blocks.append(WithinVariance(factors**2 * about_trend.variance, np.full(plan.replicates, drawn - 2.0)))
        return of_blocks[0] if len(of_blocks) == 1 else added(*of_blocks)

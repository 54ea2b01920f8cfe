"""Estimators that make one pass of one point of the unit cube, under any design."""

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from estimators.designs import Design, draw_points, spread
from estimators.estimator import Estimator
from estimators.plan import Plan, pass_terms
from estimators.within_variance import WithinVariance, from_residuals, from_second_differences

__all__ = ["Pointwise"]

SPREAD = ("pairs", "strata")  # designs whose sizes are spread over blocks if passes are few
TOGETHER = {"none": 1, "pairs": 2}  # passes that are drawn independently of all others
FEWEST_STRATA = 4  # for residuals of a line, or second differences


class Pointwise(Estimator):
    """One point, one pass: a map from points to passes, averaged over the points of a design.

    Subclasses have a `design`, which draws the points, and provide `plan_of`.
    """

    design: Design

    @abstractmethod
    def plan_of(self, points: NDArray[np.float64]) -> Plan:
        """Turn points (replicates, passes, 1 + length) into a plan."""

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> Plan:
        """Draw independent replicates of the plan; see `Estimator.plan`."""
        return self.plan_of(draw_points(self.design, length, passes, replicates, rng))

    def blocks_plan(self, length: int, passes: int, blocks: int, rng: np.random.Generator) -> Plan:
        """Plan blocks, of few passes with quantiles spread over the blocks; see `Estimator.blocks_plan`."""
        points = draw_points(self.design, length, passes, blocks, rng)
        if self.design.dependence in SPREAD and not self.has_within_variance(length, passes):
            points = spread(points, self.design.dependence, rng)
        return self.plan_of(points)

    def parts(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the terms of independent passes, or of independent groups of them; see `Estimator.parts`."""
        count = self.part_count(plan.length, plan.passes)
        if count == 1:
            return None
        groups: NDArray[np.float64] = pass_terms(plan, losses).reshape(plan.replicates, count, -1).mean(axis=-1)
        return groups

    def part_count(self, length: int, passes: int) -> int:
        """Return how many groups of passes are independent; see `Estimator.part_count`."""
        together = TOGETHER.get(self.design.dependence, 0)
        return passes // together if together and passes % together == 0 else 1

    def has_within_variance(self, length: int, passes: int) -> bool:
        """Return whether there are several parts or strata; see `Estimator.has_within_variance`."""
        strata = self.design.dependence == "strata" and passes >= FEWEST_STRATA
        return strata or super().has_within_variance(length, passes)

    def within_variance(self, plan: Plan, losses: NDArray[np.float64]) -> WithinVariance | None:
        """Estimate each replicate's variance: from its parts, or from one pass in each stratum of the quantile."""
        if self.design.dependence != "strata" or plan.passes < FEWEST_STRATA:
            return super().within_variance(plan, losses)
        order = np.argsort(plan.hidden_fractions, axis=-1, kind="stable")
        terms = np.take_along_axis(pass_terms(plan, losses), order, axis=-1)
        scale = plan.weights.sum(axis=-1)
        if np.allclose(scale, scale[0, 0], rtol=1e-9, atol=0.0):
            # Equal losses would give all passes one mean, so that means are nearly a line in the hidden fraction.
            return from_residuals(terms, np.take_along_axis(plan.hidden_fractions, order, axis=-1))
        return from_second_differences(terms)

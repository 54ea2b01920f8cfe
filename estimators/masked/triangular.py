"""Triangular strata: the fully masked pass exactly, and strata that widen as more is revealed."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from estimators.designs import Design, Stratified, draw_points
from estimators.errors import PassesError
from estimators.estimator import Estimator
from estimators.masked.allocation import equal_proportions
from estimators.masked.masks import smallest
from estimators.masked.plan import MaskPlan
from estimators.plan import Plan
from estimators.within_variance import WithinVariance, from_strata

__all__ = ["Triangular"]

FEWEST_DRAWS = 2  # of a stratum that is not a single mask


@dataclass(frozen=True)
class Triangular(Estimator):
    """Strata of the number of revealed positions with edges 0, 1, 3, 6, 10, 15, ..., each with draws of its own.

    Where few revealed tokens determine the rest, nearly full masks carry the likelihood, and a sample of the sizes that
    misses them is far off without showing it. The first stratum is the fully masked input: one mask, one pass, exact.
    Every other stratum gets at least two passes, and more by Neyman's allocation for a spread within a size of
    ``1/sqrt(m)`` (as `RootCount` has it); its draws lie one each in equal parts. The weight of a draw is ``width /
    (draws m)``.

    Parameters
    ----------
    design : Design, default Stratified()
        Of the points: a design with a quantile in each of as many equal strata as passes (`LatinHypercube`, `Sobol`).

    References
    ----------
    This project's own strata. J. Neyman, *On the two different aspects of the representative method*, Journal of the
    Royal Statistical Society 97 (1934), for the allocation.

    Examples
    --------
    >>> print(Triangular().plan(length=5, passes=5, replicates=1, rng=np.random.default_rng(0)))
    #####  0.2
    ####.  0.25
    ..###  0.333333
    #.#..  0.5
    .#...  1
    """

    design: Design = field(default_factory=Stratified)

    @property
    def name(self) -> str:
        """The name in the registry, such as ``"triangular+latin-hypercube"``."""
        return "triangular" if self.design == Stratified() else f"triangular+{self.design.name}"

    @property
    def summary(self) -> str:
        """The estimator in one line."""
        keys = "" if self.design == Stratified() else f"; {self.design.summary}"
        return (
            f"the fully masked pass exactly, 2 or more in each stratum of 1-2, 3-5, 6-9, ... revealed positions{keys}"
        )

    @property
    def independent_masks(self) -> bool:
        """Whether the keys are independent: a property of the design."""
        return not self.design.balanced

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan; see `Estimator.plan`."""
        edges = _edges(length)
        shares = _shares(edges, passes)
        if shares.sum() > passes:
            raise PassesError(
                f"triangular needs at least {shares.sum()} passes for {length} scored positions, got {passes}"
            )
        points = draw_points(self.design, length, int(shares.sum()), replicates, rng)
        # A cell of the quantile for each draw: the strata in order, each in equal parts.
        stratum = np.repeat(np.arange(len(shares)), shares)
        part = np.arange(len(stratum)) - (np.cumsum(shares) - shares)[stratum]
        step = (np.diff(edges) / shares)[stratum]
        place = points[..., 0] * len(stratum)
        cell = np.minimum(place.astype(np.int64), len(stratum) - 1)
        inside = ((part[cell] + place - cell) * step[cell]).astype(np.int64)
        sizes = length - np.minimum(edges[stratum][cell] + inside, edges[stratum + 1][cell] - 1)
        masks = smallest(points[..., 1:], sizes)
        return MaskPlan(masks, masks * (step[cell] / sizes)[..., None])

    def within_variance(self, plan: Plan, losses: NDArray[np.float64]) -> WithinVariance:
        """Estimate each replicate's variance from the spread within the strata; see `Estimator.within_variance`."""
        order = np.argsort(-plan.hidden_fractions, axis=-1, kind="stable")
        contributions = np.take_along_axis((plan.weights * losses).sum(axis=-1), order, axis=-1)
        shares = _shares(_edges(plan.length), plan.passes)
        return from_strata(contributions, np.repeat(np.arange(len(shares)), shares))

    def has_within_variance(self, length: int, passes: int) -> bool:
        """Return True: each stratum has several draws, or a single mask."""
        return True


def _edges(length: int) -> NDArray[np.int64]:
    numbers = np.arange(length + 1)
    triangles = numbers * (numbers + 1) // 2
    return np.append(triangles[triangles < length], length)


def _shares(edges: NDArray[np.int64], passes: int) -> NDArray[np.int64]:
    spread = np.add.reduceat(1.0 / np.sqrt(edges[-1] - np.arange(edges[-1])), edges[:-1])
    fewest, most = np.full(len(spread), FEWEST_DRAWS), np.full(len(spread), max(passes, FEWEST_DRAWS))
    fewest[0] = most[0] = 1  # a single mask
    return equal_proportions(passes, spread, fewest, most)

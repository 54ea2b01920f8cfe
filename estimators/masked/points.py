"""Estimators of one mask a point: any mask map under any design."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, Design
from estimators.masked.mask_maps import MaskMap, TimeFree
from estimators.masked.plan import MaskPlan
from estimators.pointwise import Pointwise

__all__ = ["PointEstimator"]


@dataclass(frozen=True)
class PointEstimator(Pointwise):
    """One point, one mask: any mask map under any design, averaged over the passes.

    Parameters
    ----------
    mask_map : MaskMap
        Which identity is sampled.
    design : Design, default IID()
        How the points are drawn.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: Equations 15 to
    17, by the mask map; the references of each map and design are with it.

    Examples
    --------
    >>> from estimators import Antithetic
    >>> time_free = PointEstimator(TimeFree(), Antithetic())
    >>> time_free.name
    'time-free+antithetic'
    >>> print(time_free.plan(length=4, passes=2, replicates=1, rng=np.random.default_rng(0)))
    ####  1.04167
    .#..  1.04167
    """

    mask_map: MaskMap
    design: Design = field(default_factory=IID)

    @property
    def name(self) -> str:
        """The name in the registry, such as ``"time-free+antithetic"``."""
        return self.mask_map.name if self.design == IID() else f"{self.mask_map.name}+{self.design.name}"

    @property
    def summary(self) -> str:
        """The estimator in one line."""
        return f"{self.mask_map.summary}; {self.design.summary}"

    @property
    def unbiased(self) -> bool:
        """Whether the mean is the negative log-likelihood for every model: a property of the map."""
        return self.mask_map.unbiased

    @property
    def finite_variance(self) -> bool:
        """Whether the variance is finite for every model with finite losses: a property of the map."""
        return self.mask_map.finite_variance

    @property
    def independent_masks(self) -> bool:
        """Whether the keys are independent; those of antithetic pairs are so between pairs."""
        return not self.design.balanced

    @property
    def paired(self) -> bool:
        """Whether points are drawn in pairs: a property of the design."""
        return self.design.dependence == "pairs"

    @property
    def skewed_parts(self) -> bool:
        """Independent sizes by ``1/m``: few passes mask much, and their terms are far above the others."""
        return self.mask_map == TimeFree() and self.design == IID()

    def pass_variance(self, length: int, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the exact variance of a replicate of one pass, by the map's law; see `Estimator.pass_variance`."""
        if self.design != IID():
            return super().pass_variance(length, totals)
        return self.mask_map.law(length).moments(totals)[1]

    def plan_of(self, points: NDArray[np.float64]) -> MaskPlan:
        """Turn points into a plan; see `Pointwise.plan_of`."""
        masks, weights = self.mask_map.masks(points)
        return MaskPlan(masks, masks * (weights / points.shape[1])[..., None])

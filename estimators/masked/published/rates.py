"""Published schemes that draw the rate at which tokens are masked."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import Design, Stratified, Systematic
from estimators.masked.mask_law import MaskLaw
from estimators.masked.mask_maps import MaskMap, TimeIntegral, WeightedMasks
from estimators.masked.points import PointEstimator

__all__ = ["PublishedDream", "PublishedRADD"]

DREAM_FLOOR = 1e-3  # of the masking rate


@dataclass(frozen=True)
class _DreamRate:
    """Masking rates on ``(floor, 1)`` with weight ``1/rate``, not ``(1 - floor)/rate``."""

    integral: ClassVar[TimeIntegral] = TimeIntegral(DREAM_FLOOR)
    name: ClassVar[str] = "published-dream"
    summary: ClassVar[str] = "masking rate uniform on (0.001, 1), weight 1/rate"
    unbiased: ClassVar[bool] = False
    finite_variance: ClassVar[bool] = True

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        masks, weights = self.integral.masks(points)
        return masks, weights / (1.0 - DREAM_FLOOR)

    def law(self, length: int) -> MaskLaw:
        law, scale = self.integral.law(length), 1.0 / (1.0 - DREAM_FLOOR)
        return MaskLaw(law.probability, scale * law.first_moment, scale**2 * law.second_moment)


@dataclass(frozen=True)
class PublishedDream(PointEstimator):
    """Dream's evaluation: masking rates on a grid with one common offset, floor 0.001, weight ``1/rate``.

    The bias is of the order of the floor. Answers of one token, which one pass would settle, keep a relative standard
    deviation of 21 % at 128 passes.

    References
    ----------
    J. Ye et al., *Dream 7B: Diffusion large language models*, arXiv 2508.15487: the evaluation code.
    """

    name: ClassVar[str] = "published-dream"
    summary: ClassVar[str] = "as published by Dream: rates on a grid with one common offset, floor 0.001, weight 1/rate"

    mask_map: MaskMap = field(default=_DreamRate(), init=False)
    design: Design = field(default=Systematic(), init=False)


@dataclass(frozen=True)
class PublishedRADD(PointEstimator):
    """RADD's ``lambda`` loss: one masking rate in each of equal strata, no floor, weight ``1/rate``: infinite variance.

    RADD's ``k`` loss is `UniformCount` with independent points.

    References
    ----------
    J. Ou et al., *Your absorbing discrete diffusion secretly models the conditional distributions of clean data*, arXiv
    2406.03736: the evaluation code.
    """

    name: ClassVar[str] = "published-radd"
    summary: ClassVar[str] = "as published by RADD: a masking rate in each of equal strata, no floor, weight 1/rate"

    mask_map: MaskMap = field(default=TimeIntegral(0.0), init=False)
    design: Design = field(default=Stratified(), init=False)

"""Systematic counts: what the field's harnesses aim at."""

from dataclasses import dataclass, field
from typing import ClassVar

from estimators.designs import Design, Systematic
from estimators.masked.mask_maps import MaskMap, UniformCount
from estimators.masked.points import PointEstimator

__all__ = ["SystematicCount"]


@dataclass(frozen=True)
class SystematicCount(PointEstimator):
    """Uniform counts on a grid with one common offset ``u``: ``m_k = floor(L (k + u) / K) + 1`` for ``K`` passes.

    LLaDA's own evaluation aims at this; its counts are rounded, which biases it.
    """

    name: ClassVar[str] = "systematic"
    summary: ClassVar[str] = "uniform counts on a grid with one common offset, weight L/m"

    mask_map: MaskMap = field(default=UniformCount(), init=False)
    design: Design = field(default=Systematic(), init=False)

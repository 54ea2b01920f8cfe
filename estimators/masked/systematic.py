"""Systematic counts: masked sizes on a grid with a random start."""

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

    References
    ----------
    S. Nie et al., *Large language diffusion models* (LLaDA), arXiv 2502.09992. W. G. Madow, L. H. Madow, *On the theory
    of systematic sampling, I*, Annals of Mathematical Statistics 15 (1944).

    Examples
    --------
    >>> import numpy as np
    >>> print(SystematicCount().plan(length=4, passes=4, replicates=1, rng=np.random.default_rng(0)))
    .#..  1
    #..#  0.5
    #.##  0.333333
    ####  0.25
    """

    name: ClassVar[str] = "systematic"
    summary: ClassVar[str] = "uniform counts on a grid with one common offset, weight L/m"

    mask_map: MaskMap = field(default=UniformCount(), init=False)
    design: Design = field(default=Systematic(), init=False)

"""Published schemes that draw a time and mask each position at a rate that it gives."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, Design, Stratified, Systematic, draw_points
from estimators.masked.mask_law import MaskLaw
from estimators.masked.mask_maps import MaskMap, TimeIntegral, WeightedMasks
from estimators.masked.plan import MaskPlan
from estimators.masked.published.base import PublishedPoints, Purpose, weighted_totals

__all__ = [
    "PublishedBD3LM",
    "PublishedDream",
    "PublishedMDLM",
    "PublishedMDLMDiscrete",
    "PublishedRADD",
    "PublishedSMDM",
    "given_mask",
    "nodes",
]

FLOOR = 1e-3  # of the time, in MDLM, BD3-LM, Duo and Dream
MDLM_LARGEST = 1.0 - 1e-3  # masking rate at time 1 of MDLM's log-linear schedule
MDLM_STEPS = 1000
MDLM_LATEST = 1.0 - 1e-4  # time in the weight of the last step


def given_mask(rates: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the probability of a given mask of each size, 0 to ``length``, at each masking rate: (..., length + 1)."""
    sizes = np.arange(length + 1)
    probability: NDArray[np.float64] = rates[..., None] ** sizes * (1.0 - rates[..., None]) ** (length - sizes)
    return probability


def nodes(low: float, high: float, degree: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points and shares that give the mean over an interval exactly for polynomials up to a degree."""
    points, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    return low + (high - low) * (points + 1.0) / 2.0, weights / 2.0


@dataclass(frozen=True)
class _Time:
    """Time uniform on ``(floor, 1)``, rate ``largest * time``, weight ``1/time``, not ``(1 - floor)/time``."""

    floor: float
    largest: float
    name: ClassVar[str] = "published-time"
    summary: ClassVar[str] = "time uniform on (floor, 1), rate proportional to it, weight 1/time"
    unbiased: ClassVar[bool] = False
    finite_variance: ClassVar[bool] = True

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        time = self.floor + (1.0 - self.floor) * points[..., 0]
        masks = points[..., 1:] < (self.largest * time)[..., None]
        return masks, masks.any(axis=-1) / time

    def law(self, length: int) -> MaskLaw:
        times, shares = nodes(self.floor, 1.0, length)
        given = given_mask(self.largest * times, length)
        first, second = (shares / times) @ given, (shares / times**2) @ given
        first[0] = second[0] = 0.0
        powers = np.arange(1, length)  # size 1: int (1 - v)^(L-1) / v dv between the two rates
        low, high = 1.0 - self.largest * self.floor, 1.0 - self.largest
        integral = -math.log(self.floor) - ((low**powers - high**powers) / powers).sum()
        second[1] = self.largest * integral / (1.0 - self.floor)
        return MaskLaw(shares @ given, first, second)


@dataclass(frozen=True)
class _Step:
    """One of `MDLM_STEPS` steps: time ``step / steps``, drawn as the step after a time uniform on ``(FLOOR, 1)``."""

    name: ClassVar[str] = "published-step"
    summary: ClassVar[str] = "one of 1000 steps, rate proportional to its time, weight 1/time"
    unbiased: ClassVar[bool] = False
    finite_variance: ClassVar[bool] = True

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        time = FLOOR + (1.0 - FLOOR) * points[..., 0]
        step = np.minimum((time * MDLM_STEPS).astype(np.int64), MDLM_STEPS - 1)
        times = (step + 1) / MDLM_STEPS
        masks = points[..., 1:] < (MDLM_LARGEST * times)[..., None]
        return masks, masks.any(axis=-1) / np.minimum(times, MDLM_LATEST)

    def law(self, length: int) -> MaskLaw:
        ends = np.arange(MDLM_STEPS + 1) / MDLM_STEPS
        shares = np.diff(np.clip(ends, FLOOR, 1.0)) / (1.0 - FLOOR)
        times, weights = ends[1:], 1.0 / np.minimum(ends[1:], MDLM_LATEST)
        given = given_mask(MDLM_LARGEST * times, length)
        first, second = (shares * weights) @ given, (shares * weights**2) @ given
        first[0] = second[0] = 0.0
        return MaskLaw(shares @ given, first, second)


@dataclass(frozen=True)
class PublishedMDLM(PublishedPoints):
    """MDLM's perplexity: a time in each of equal strata of ``(0.001, 1)``, rate 0.999 of it, weight ``1/time``.

    The mean is ``int h(r) dr / 0.999`` over rates between 0.000999 and 0.999, where ``h(r)`` is the sum of the expected
    losses of the positions, each masked for sure and the others at the rate ``r``. The fully masked input is
    seen with probability ``0.999^L`` at most. Where losses do not depend on the rate the mean is 0.999 of the
    likelihood.

    A sequence of a data set gets one pass: strata are those of a batch, whose row ``i`` of ``B`` always has a time in
    ``(i/B, (i + 1)/B)``. The mean above is that over rows; a sequence in a given row has another one.

    Duo's perplexity of masked models is the same. So is its harness, which divides by the number of tokens; there the
    prompt is masked as well, so that its value is one of prompt and answer together: score them without a context.
    Its other mode, which keeps the prompt, gives NaN as soon as a draw masks nothing.

    References
    ----------
    S. Sahoo et al., *Simple and effective masked diffusion language models*, NeurIPS 2024, arXiv 2406.07524; *The
    diffusion duality*, arXiv 2506.10892; its second chapter, arXiv 2602.21185, for the harness.
    """

    name: ClassVar[str] = "published-mdlm"
    summary: ClassVar[str] = "as published by MDLM and Duo: a time in each of equal strata, rates 0.001 to 0.999"
    source: ClassVar[str] = "kuleshov-group/mdlm, diffusion.py; s-sahoo/duo, trainer_base.py, algo.py"
    purpose: ClassVar[Purpose] = "perplexity"

    mask_map: MaskMap = field(default=_Time(FLOOR, MDLM_LARGEST), init=False)
    design: Design = field(default=Stratified(), init=False)


@dataclass(frozen=True)
class PublishedMDLMDiscrete(PublishedPoints):
    """MDLM's perplexity with 1000 time steps: one random step a pass, rate ``0.999 t``, weight ``1/t``.

    The bound of a sampler with so many steps, which takes the right end of each step: too high by about half the
    difference of ``h`` between everything masked and nothing masked, over 1000, with ``h`` as in `PublishedMDLM`. Times
    are drawn from ``(0.001, 1)``, so that the first step never occurs.

    D3PM's parametrisation has the same steps, and prices visible tokens in a last step, which a model of masked tokens
    cannot.

    References
    ----------
    S. Sahoo et al., *Simple and effective masked diffusion language models*, NeurIPS 2024, arXiv 2406.07524. J. Austin
    et al., *Structured denoising diffusion models in discrete state-spaces*, NeurIPS 2021, arXiv 2107.03006.
    """

    name: ClassVar[str] = "published-mdlm-discrete"
    summary: ClassVar[str] = "as published by MDLM with 1000 steps: one random step a pass, weight 1/time"
    source: ClassVar[str] = "kuleshov-group/mdlm, diffusion.py with T = 1000"
    purpose: ClassVar[Purpose] = "perplexity"

    mask_map: MaskMap = field(default=_Step(), init=False)
    design: Design = field(default=Stratified(), init=False)


@dataclass(frozen=True)
class PublishedBD3LM(PublishedPoints):
    """BD3-LM's perplexity: a rate for each block, stratified over passes and blocks, floor 0.001, weight ``1/rate``.

    Block ``b`` of ``B`` has its rate in pass ``k`` of ``K`` in the stratum ``k B + b`` of ``K B``: with one pass, the
    first blocks are nearly clean and the last ones nearly masked. The mean of a block is that over its own strata. A
    model without blocks has one. The clipped ranges that the training searches do not enter the perplexity.

    References
    ----------
    M. Arriola et al., *Block diffusion: interpolating between autoregressive and diffusion language models*, ICLR 2025,
    arXiv 2503.09573.
    """

    name: ClassVar[str] = "published-bd3lm"
    summary: ClassVar[str] = "as published by BD3-LM: a rate for each block, stratified over passes and blocks"
    source: ClassVar[str] = "kuleshov-group/bd3lms, diffusion.py"
    purpose: ClassVar[Purpose] = "perplexity"

    mask_map: MaskMap = field(default=_Time(FLOOR, 1.0), init=False)
    design: Design = field(default=Stratified(), init=False)

    def blocks_plan(self, length: int, passes: int, blocks: int, rng: np.random.Generator) -> MaskPlan:
        """Plan blocks with rates in strata of their own; see `Estimator.blocks_plan`."""
        points = draw_points(IID(), length, passes, blocks, rng)
        points[..., 0] = (self._strata(passes, blocks) + points[..., 0]) / (passes * blocks)
        return self.plan_of(points)

    def expectations(self, losses: NDArray[np.float64], passes: int) -> NDArray[np.float64]:
        """Return the exact mean of a replicate, block by block; see `Published.expectations`."""
        blocks, _, length = losses.shape
        strata = self._strata(passes, blocks)
        within, shares = nodes(0.0, 1.0, length)
        rates = FLOOR + (1.0 - FLOOR) * (strata[..., None] + within) / (passes * blocks)
        terms = given_mask(rates, length) * (shares / rates / passes)[..., None]
        of_size = terms.sum(axis=(1, 2))
        of_size[:, 0] = 0.0
        return weighted_totals(losses, of_size)

    @staticmethod
    def _strata(passes: int, blocks: int) -> NDArray[np.int64]:
        return np.arange(passes) * blocks + np.arange(blocks)[:, None]


@dataclass(frozen=True)
class PublishedDream(PublishedPoints):
    """Dream's evaluation: masking rates on a grid with one common offset, floor 0.001, weight ``1/rate``.

    The bias is of the order of the floor. Answers of one token, which one pass would settle, keep a relative standard
    deviation of 21 % at 128 passes.

    References
    ----------
    J. Ye et al., *Dream 7B: Diffusion large language models*, arXiv 2508.15487: the evaluation code.
    """

    name: ClassVar[str] = "published-dream"
    summary: ClassVar[str] = "as published by Dream: rates on a grid with one common offset, floor 0.001, weight 1/rate"
    source: ClassVar[str] = "HKUNLP/Dream, eval/eval.py"
    purpose: ClassVar[Purpose] = "benchmark scoring"

    mask_map: MaskMap = field(default=_Time(FLOOR, 1.0), init=False)
    design: Design = field(default=Systematic(), init=False)


@dataclass(frozen=True)
class PublishedSMDM(PublishedPoints):
    """SMDM's evaluation: rates on a grid with one common offset, no floor, weight ``1/rate``: infinite variance.

    References
    ----------
    S. Nie et al., *Scaling up masked diffusion models on text*, ICLR 2025, arXiv 2410.18514: the evaluation code, whose
    other option is the chain rule from left to right.
    """

    name: ClassVar[str] = "published-smdm"
    summary: ClassVar[str] = "as published by SMDM: rates on a grid with one common offset, no floor, weight 1/rate"
    source: ClassVar[str] = "ML-GSAI/SMDM, evaluate_diff.py"
    purpose: ClassVar[Purpose] = "benchmark scoring"
    unbiased: ClassVar[bool] = True

    mask_map: MaskMap = field(default=TimeIntegral(0.0), init=False)
    design: Design = field(default=Systematic(), init=False)


@dataclass(frozen=True)
class PublishedRADD(PublishedPoints):
    """RADD's ``lambda`` loss: one masking rate in each of equal strata, no floor, weight ``1/rate``: infinite variance.

    RADD's ``k`` loss is `UniformCount` with independent points.

    References
    ----------
    J. Ou et al., *Your absorbing discrete diffusion secretly models the conditional distributions of clean data*, arXiv
    2406.03736: the evaluation code.
    """

    name: ClassVar[str] = "published-radd"
    summary: ClassVar[str] = "as published by RADD: a masking rate in each of equal strata, no floor, weight 1/rate"
    source: ClassVar[str] = "ML-GSAI/RADD, losses.py"
    purpose: ClassVar[Purpose] = "perplexity"
    unbiased: ClassVar[bool] = True

    mask_map: MaskMap = field(default=TimeIntegral(0.0), init=False)
    design: Design = field(default=Stratified(), init=False)

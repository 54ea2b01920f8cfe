"""What public implementations compute, with their biases, so that published numbers can be related to ours.

Reimplemented from what their code does. Where a number there depends on the batch size, a replicate is one batch: 128
draws in batches of 16 are 8 replicates of 16 passes. Prompts are never masked here, the first and last token always
count, and losses are taken in full precision.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, Design, Stratified, Systematic, draw_points
from estimators.errors import PassesError
from estimators.estimator import Estimator
from estimators.masked.mask_law import MaskLaw, estimand_weights
from estimators.masked.mask_maps import MaskMap, TimeIntegral, WeightedMasks
from estimators.masked.masks import smallest
from estimators.masked.plan import MaskPlan
from estimators.masked.points import PointEstimator

__all__ = [
    "InfodisCount",
    "PublishedD1",
    "PublishedDiffuCoder",
    "PublishedDream",
    "PublishedLLaDA",
    "PublishedPLL",
    "PublishedRADD",
]

DREAM_FLOOR = 1e-3  # of the masking rate
DIFFUCODER_RATES = (0.2, 0.8)


@dataclass(frozen=True)
class InfodisCount:
    """The release of *Information-Theoretic Discrete Diffusion*: sizes ``1 .. L - 1`` only, still scaled by ``H_L``.

    Size ``m`` has probability ``1/(m H_{L-1})``, so the fully masked input is never seen and the mean is ``H_L /
    H_{L-1} (NLL - g(L))``: 8.6 % too low at ``L = 16`` and 2.3 % at ``L = 64`` for a target whose fully masked pass
    costs 1.65 times its likelihood.

    Parameters
    ----------
    mean : bool, default False
        Take the mean over the masked positions where the sum belongs, as the text8 evaluation does: not a likelihood
        at all, ``H_L`` where every token costs 1.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: the released
    scripts, against Equation 15.
    """

    mean: bool = False

    unbiased: ClassVar[bool] = False
    finite_variance: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The map's name in the registry."""
        return "published-infodis-text8" if self.mean else "published-infodis"

    @property
    def summary(self) -> str:
        """The map in one line."""
        what = "the mean loss" if self.mean else "the total loss"
        return f"as published with the paper: {what} of 1..L-1 masked tokens times H, never all of them masked"

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        """Turn points into masks; see `MaskMap.masks`. Raises `PassesError` for a single position."""
        length = points.shape[-1] - 1
        if length < 2:
            raise PassesError(f"{self.name} needs at least 2 scored positions, whatever the passes; got {length}")
        cumulative = np.cumsum(1.0 / np.arange(1, length))
        below = np.searchsorted(cumulative / cumulative[-1], points[..., 0], side="right")
        sizes = np.minimum(below + 1, length - 1)
        return smallest(points[..., 1:], sizes), self._weights(length)[sizes]

    def law(self, length: int) -> MaskLaw:
        """Return the law of the mask and its weight."""
        probability, weights = estimand_weights(length), self._weights(length)
        probability[-1] = 0.0
        probability[1:-1] /= np.sum(1.0 / np.arange(1, length))
        return MaskLaw(probability, probability * weights, probability * weights**2)

    def _weights(self, length: int) -> NDArray[np.float64]:
        sizes = np.arange(1, length + 1)
        scale = np.sum(1.0 / sizes)
        return np.concatenate([[0.0], scale / sizes if self.mean else np.full(length, scale)])


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


@dataclass(frozen=True)
class PublishedLLaDA(Estimator):
    """LLaDA's ``get_log_likelihood``: counts ``round(k + j L/b)``, ``j = 0 .. b - 1``, wrapped to ``1 .. L``.

    One random ``k`` serves a batch of ``b`` passes. Halves are rounded to even numbers, so that even counts come too
    often where ``j L/b`` has halves; the bias is ``sum_m (P(m) - 1/L) L g(m)``. For losses that are linear in the count
    and 1.456 times the likelihood when all is masked it is +7.6 % at ``L = 4, b = 8``; it falls as ``1/L``.

    References
    ----------
    S. Nie et al., *Large language diffusion models*, arXiv 2502.09992: ``get_log_likelihood``.
    """

    name: ClassVar[str] = "published-llada"
    summary: ClassVar[str] = "as published by LLaDA: counts on a grid with one common offset, halves rounded to even"
    unbiased: ClassVar[bool] = False

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan, a batch each; see `Estimator.plan`."""
        points = draw_points(IID(), length, passes, replicates, rng)
        first = 1 + np.minimum((points[:, :1, 0] * length).astype(np.int64), length - 1)
        counts = np.rint(first + np.arange(passes) * (length / passes)).astype(np.int64)
        sizes = (counts - 1) % length + 1
        masks = smallest(points[..., 1:], sizes)
        return MaskPlan(masks, masks * (length / sizes / passes)[..., None])


@dataclass(frozen=True)
class PublishedDiffuCoder(Estimator):
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
    unbiased: ClassVar[bool] = False

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


@dataclass(frozen=True)
class PublishedD1(Estimator):
    """d1's one-pass number: everything masked once, as if the tokens were independent.

    References
    ----------
    S. Zhao et al., *d1: Scaling reasoning in diffusion large language models via reinforcement learning*, arXiv
    2504.12216.
    """

    name: ClassVar[str] = "published-d1"
    summary: ClassVar[str] = "as published by d1: everything masked once, as if tokens were independent; 1 pass"
    unbiased: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Mask everything; ``rng`` is not used."""
        masks = np.ones((replicates, 1, length), dtype=bool)
        return MaskPlan(masks, masks.astype(np.float64))


@dataclass(frozen=True)
class PublishedPLL(Estimator):
    """The pseudo-log-likelihood of masked language models: every position masked alone, ``L`` passes.

    The sum of ``-log p(x_i | all others)``. It is not a likelihood: each token is conditioned on all others, before and
    after it. The bias is ``sum_i c(i, {i}) - NLL``: 0 for independent tokens, and minus the whole NLL where each token
    is determined by the others. Nothing is drawn, so all replicates are equal.

    References
    ----------
    A. Wang, K. Cho, *BERT has a mouth, and it must speak*, arXiv 1902.04094 (2019). J. Salazar, D. Liang, T. Q. Nguyen,
    K. Kirchhoff, *Masked language model scoring*, ACL 2020, arXiv 1910.14659.

    Examples
    --------
    >>> print(PublishedPLL().plan(length=3, passes=3, replicates=1, rng=np.random.default_rng(0)))
    #..  1
    .#.  1
    ..#  1
    """

    name: ClassVar[str] = "published-pll"
    summary: ClassVar[str] = "as published for masked language models: the pseudo-log-likelihood; L passes"
    unbiased: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Mask each position alone; ``rng`` is not used. Raises `PassesError` with fewer passes than positions."""
        if passes < length:
            raise PassesError(f"{self.name} needs {length} passes for {length} scored positions, got {passes}")
        masks = np.broadcast_to(np.eye(length, dtype=bool), (replicates, length, length)).copy()
        return MaskPlan(masks, masks.astype(np.float64))

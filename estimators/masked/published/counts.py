"""Published schemes that draw how many tokens are masked."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, Design, draw_points
from estimators.errors import PassesError
from estimators.masked.mask_law import MaskLaw, estimand_weights
from estimators.masked.mask_maps import MaskMap, UniformCount, WeightedMasks
from estimators.masked.masks import smallest
from estimators.masked.plan import MaskPlan
from estimators.masked.published.base import PublishedPoints, PublishedSum, Purpose

__all__ = ["InfodisCount", "PublishedELBOKTO", "PublishedInfodis", "PublishedLLaDA"]


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
class PublishedInfodis(PublishedPoints):
    """The paper's release with independent passes: see `InfodisCount`.

    Parameters
    ----------
    mask_map : InfodisCount
    """

    source: ClassVar[str] = "Dongjae0324/infodis, eval_llada.py and eval_text8.py"
    purpose: ClassVar[Purpose] = "benchmark scoring"

    mask_map: MaskMap = field(default_factory=InfodisCount)
    design: Design = field(default=IID(), init=False)


@dataclass(frozen=True)
class PublishedELBOKTO(PublishedPoints):
    """ELBO-KTO's likelihood: uniform counts, the mean loss of the masked tokens times their number ``L``; unbiased.

    It is `UniformCount` with independent points, 8 by default. The masks of an example are drawn once, for the policy,
    the reference and every epoch: what training sees of an example is one replicate. The preference loss is not
    linear in it.

    References
    ----------
    V. Jindal et al., *Aligning diffusion language models via unpaired preference optimization*, arXiv 2510.23658.
    """

    name: ClassVar[str] = "published-elbo-kto"
    summary: ClassVar[str] = "as published by ELBO-KTO: independent uniform counts, weight L/m; 8 passes there"
    source: ClassVar[str] = "vaibhavjindal/elbo-kto, precompute_bref.py and train.py"
    purpose: ClassVar[Purpose] = "preference optimisation"
    unbiased: ClassVar[bool] = True

    mask_map: MaskMap = field(default=UniformCount(), init=False)
    design: Design = field(default=IID(), init=False)


@dataclass(frozen=True)
class PublishedLLaDA(PublishedSum):
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
    source: ClassVar[str] = "ML-GSAI/LLaDA, get_log_likelihood.py and eval_llada.py"
    purpose: ClassVar[Purpose] = "benchmark scoring"

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        """Draw independent replicates of the plan, a batch each; see `Estimator.plan`."""
        points = draw_points(IID(), length, passes, replicates, rng)
        first = 1 + np.minimum((points[:, :1, 0] * length).astype(np.int64), length - 1)
        sizes = self._sizes(first, length, passes)
        masks = smallest(points[..., 1:], sizes)
        return MaskPlan(masks, masks * (length / sizes / passes)[..., None])

    def expected_weights(self, length: int, passes: int) -> NDArray[np.float64]:
        """Return the expected weight of a token loss by the mask's size; see `PublishedSum.expected_weights`."""
        sizes = self._sizes(np.arange(1, length + 1)[:, None], length, passes)
        shares = np.bincount(sizes.ravel(), minlength=length + 1) / sizes.size
        of_size: NDArray[np.float64] = shares * length * estimand_weights(length)
        return of_size

    @staticmethod
    def _sizes(first: NDArray[np.int64], length: int, passes: int) -> NDArray[np.int64]:
        counts = np.rint(first + np.arange(passes) * (length / passes)).astype(np.int64)
        wrapped: NDArray[np.int64] = (counts - 1) % length + 1
        return wrapped

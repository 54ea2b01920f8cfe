"""Mask maps: which identity is sampled. A point of the unit cube becomes a mask and its weight.

The conditional versions of the paper (Equation 17, Theorem 4.2, Corollary 4.3) are the same maps over the scored
positions only.

The closed end ``u = 1`` is a point like any other: thresholds and sizes are clipped to what exists, and the weight of
an empty mask is 0.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from estimators.errors import InputError
from estimators.masked.mask_law import MaskLaw, estimand_weights
from estimators.masked.masks import smallest

__all__ = ["MaskMap", "RootCount", "TimeFree", "TimeIntegral", "UniformCount"]

WeightedMasks = tuple[NDArray[np.bool_], NDArray[np.float64]]


class MaskMap(Protocol):
    """A map from points to weighted masks, with its law.

    Examples
    --------
    >>> isinstance(TimeFree().name, str), TimeFree().law(4).length
    (True, 4)
    """

    @property
    def name(self) -> str:
        """The map's name in the registry, parameters included."""
        ...

    @property
    def summary(self) -> str:
        """The map in one line."""
        ...

    @property
    def unbiased(self) -> bool:
        """Whether the mean is the negative log-likelihood for every model."""
        ...

    @property
    def finite_variance(self) -> bool:
        """Whether one pass has a finite variance for every model with finite losses."""
        ...

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        """Turn points into masks.

        Parameters
        ----------
        points : array of float64, shape (..., 1 + length)
            The quantile, then a key for each position.

        Returns
        -------
        masks : array of bool, shape (..., length)
        weights : array of float64, shape (...)
            Weight of each masked position's loss in a one-pass estimate.
        """
        ...

    def law(self, length: int) -> MaskLaw:
        """Return the law of the mask and its weight under a uniform point."""
        ...


def _split(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return points[..., 0], points[..., 1:]


@dataclass(frozen=True)
class TimeIntegral:
    """Mask each position with probability ``lambda``, ``lambda`` uniform on ``(eps, 1)``; weight ``(1 - eps)/lambda``.

    A position is masked where its key is below ``lambda``.

    Parameters
    ----------
    eps : float, default 0
        Lower end of the integral. At 0 the estimator is unbiased and its variance is infinite (the masks of size 1
        contribute ``L (ln(1/eps) - H_(L-1)) E[c^2]``); above 0 the bias is about ``-eps`` times the sum of
        ``-log p(x_i | all others)``.

    Raises
    ------
    InputError
        If ``eps`` is outside ``[0, 1)``.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: Equation 16
    (I-MDCE, Corollary 3.7).

    Examples
    --------
    >>> masks, weights = TimeIntegral().masks(np.array([0.5, 0.2, 0.7, 0.4]))  # the quantile, then a key per position
    >>> masks, float(weights)
    (array([ True, False,  True]), 2.0)
    """

    eps: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.eps < 1.0:
            raise InputError(f"time-integral needs eps in [0, 1), got {self.eps}")

    @property
    def name(self) -> str:
        """The map's name in the registry, parameters included."""
        return f"time-integral(eps={self.eps:.12g})" if self.eps else "time-integral"

    @property
    def summary(self) -> str:
        """The map in one line."""
        return "masking rate uniform on (eps, 1), weight 1/rate"

    @property
    def unbiased(self) -> bool:
        """Only the whole integral is unbiased."""
        return self.eps == 0

    @property
    def finite_variance(self) -> bool:
        """Infinite without a cut: the weight of a size-1 mask is unbounded."""
        return self.eps > 0

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        """Turn points into masks; see `MaskMap.masks`."""
        quantile, keys = _split(points)
        rate = self.eps + (1.0 - self.eps) * quantile
        masks = keys < rate[..., None]
        weights = np.zeros_like(rate)
        np.divide(1.0 - self.eps, rate, out=weights, where=masks.any(axis=-1))
        return masks, weights

    def law(self, length: int) -> MaskLaw:
        """Return the law of the mask and its weight: incomplete beta integrals, as binomial tails.

        ``int_eps^1 t^(a-1) (1-t)^(b-1) dt = B(a, b) P(Binomial(a+b-1, eps) < a)``, and for the second moment of size 1
        ``int_eps^1 (1-t)^(L-1)/t dt = ln(1/eps) - sum_{k<L} (1-eps)^k / k``.
        """
        eps, sizes = self.eps, np.arange(1, length + 1)
        probability = np.array(
            [_beta(m + 1, length - m + 1) * _binomial_below(m + 1, length + 1, eps) for m in range(length + 1)]
        ) / (1.0 - eps)
        first, second = np.zeros(length + 1), np.zeros(length + 1)
        first[1:] = [_beta(m, length - m + 1) * _binomial_below(m, length, eps) for m in sizes.tolist()]
        powers = np.arange(1, length)
        second[1] = -math.log(eps) - ((1.0 - eps) ** powers / powers).sum() if eps else math.inf
        second[2:] = [
            _beta(m - 1, length - m + 1) * _binomial_below(m - 1, length - 1, eps) for m in sizes[1:].tolist()
        ]
        return MaskLaw(probability, first, (1.0 - eps) * second)


@dataclass(frozen=True)
class TimeFree:
    """Size ``m`` with probability ``1/(m H_L)``, a uniformly random mask of that size; weight ``H_L``.

    ``H_L`` is the ``L``-th harmonic number.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088:
    Equation 15 (Theorem 4.1).

    Examples
    --------
    >>> masks, weights = TimeFree().masks(np.array([0.5, 0.2, 0.7, 0.4]))
    >>> masks, round(float(weights), 4)
    (array([ True, False, False]), 1.8333)
    """

    name: ClassVar[str] = "time-free"
    summary: ClassVar[str] = "size m with probability 1/(m H), weight H, the harmonic number"
    unbiased: ClassVar[bool] = True
    finite_variance: ClassVar[bool] = True

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        """Turn points into masks; see `MaskMap.masks`."""
        quantile, keys = _split(points)
        harmonic = _harmonic(keys.shape[-1])
        return smallest(keys, _sizes(harmonic, quantile)), np.full(quantile.shape, harmonic[-1])

    def law(self, length: int) -> MaskLaw:
        """Return the law of the mask: the estimand's own weights over ``H_L``."""
        first, total = estimand_weights(length), _harmonic(length)[-1]
        return MaskLaw(first / total, first, first * total)


@dataclass(frozen=True)
class UniformCount:
    """Size ``m`` uniform on ``1..L``, a uniformly random mask of that size; weight ``L/m``.

    The Rao-Blackwellisation of `TimeIntegral` over its masking rate, given the size (there size 0 is possible too).

    References
    ----------
    J. Ou et al., *Your absorbing discrete diffusion secretly models the conditional distributions of clean data*
    (RADD), arXiv 2406.03736: the ``k`` loss. S. Nie et al., *Large language diffusion models* (LLaDA), arXiv
    2502.09992.

    Examples
    --------
    >>> masks, weights = UniformCount().masks(np.array([0.5, 0.2, 0.7, 0.4]))
    >>> masks, float(weights)
    (array([ True, False,  True]), 1.5)
    """

    name: ClassVar[str] = "uniform-count"
    summary: ClassVar[str] = "size m uniform on 1..L, weight L/m"
    unbiased: ClassVar[bool] = True
    finite_variance: ClassVar[bool] = True

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        """Turn points into masks; see `MaskMap.masks`."""
        quantile, keys = _split(points)
        length = keys.shape[-1]
        sizes = np.minimum((quantile * length).astype(np.int64) + 1, length)
        return smallest(keys, sizes), length / sizes

    def law(self, length: int) -> MaskLaw:
        """Return the law of the mask and its weight."""
        first = estimand_weights(length)
        weight = np.concatenate([[0.0], length / np.arange(1, length + 1)])
        probability = np.concatenate([[0.0], first[1:] / weight[1:]])
        return MaskLaw(probability, first, first * weight)


@dataclass(frozen=True)
class RootCount:
    """Size ``m`` with probability ``q(m)`` proportional to ``1/sqrt(m)``, a uniformly random mask; weight ``1/(q m)``.

    Between `TimeFree` and `UniformCount`, whose sizes have probabilities proportional to ``1/m`` and to 1. The best law
    of the size is proportional to the spread within a size (Neyman's allocation), and the mean of ``m`` unequal tokens
    has a spread of about ``1/sqrt(m)``. The weights differ between sizes: without strata over the quantile that costs
    more than it gains. The map samples nearly full masks less often, and those carry the likelihood where few revealed
    tokens determine the rest.

    References
    ----------
    J. Neyman, *On the two different aspects of the representative method*, Journal of the Royal Statistical Society 97
    (1934), for the allocation.

    Examples
    --------
    >>> masks, weights = RootCount().masks(np.array([0.5, 0.2, 0.7, 0.4]))
    >>> masks, round(float(weights), 4)
    (array([ True, False,  True]), 1.6154)
    """

    name: ClassVar[str] = "root-count"
    summary: ClassVar[str] = "size m with probability q proportional to 1/sqrt(m), weight 1/(q m)"
    unbiased: ClassVar[bool] = True
    finite_variance: ClassVar[bool] = True

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        """Turn points into masks; see `MaskMap.masks`."""
        quantile, keys = _split(points)
        cumulative = _roots(keys.shape[-1])
        sizes = _sizes(cumulative, quantile)
        return smallest(keys, sizes), cumulative[-1] / np.sqrt(sizes)

    def law(self, length: int) -> MaskLaw:
        """Return the law of the mask and its weight."""
        first = estimand_weights(length)
        weight = np.concatenate([[0.0], _roots(length)[-1] / np.sqrt(np.arange(1, length + 1))])
        probability = np.concatenate([[0.0], first[1:] / weight[1:]])
        return MaskLaw(probability, first, first * weight)


def _sizes(cumulative: NDArray[np.float64], quantile: NDArray[np.float64]) -> NDArray[np.int64]:
    # The size whose interval of the distribution function holds the quantile; the closed end belongs to the last one.
    below = np.searchsorted(cumulative / cumulative[-1], quantile, side="right")
    return np.minimum(below + 1, len(cumulative))


def _roots(length: int) -> NDArray[np.float64]:
    return np.cumsum(1.0 / np.sqrt(np.arange(1, length + 1)))


def _harmonic(length: int) -> NDArray[np.float64]:
    return np.cumsum(1.0 / np.arange(1, length + 1))


def _beta(a: int, b: int) -> float:
    return 1 / (a * math.comb(a + b - 1, a))


def _binomial_below(count: int, trials: int, rate: float) -> float:
    # P(Binomial(trials, rate) < count), all terms positive.
    return math.fsum(math.comb(trials, j) * rate**j * (1.0 - rate) ** (trials - j) for j in range(count))

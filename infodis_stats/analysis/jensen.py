"""The Jensen gap of ``exp(-x)``: the mean of ``x`` plus the log of the mean of ``exp(-x)``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from infodis_stats.analysis.replicates import FloatArray, all_equal, as_draws, check_level

__all__ = ["JensenGap", "jensen_gap", "log_sums_of_others"]

FEWEST_EFFECTIVE = 8.0
SMALLEST_EFFECTIVE_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class JensenGap:
    """Estimated gaps with confidence intervals, arrays of the same shape, and their mean.

    Parameters
    ----------
    estimate, standard_error : ndarray of float64
        Jackknife estimate and standard error, nats.
    lower, upper : ndarray of float64
        Ends of the interval, nats. The upper end is inf if few draws dominate the mean exponential.
    effective : ndarray of float64
        Effective sample size of the mean exponential: ``(sum w)^2 / sum w^2`` with ``w = exp(-x)``.
    mean : tuple of float
        Estimate, lower and upper end of the mean gap over the cells, as a fixed set.
    """

    estimate: FloatArray
    standard_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    effective: FloatArray
    mean: tuple[float, float, float]


def jensen_gap(draws: ArrayLike, level: float = 0.95, *, parts: Sequence[int] | None = None) -> JensenGap:
    """Estimate ``E[x] + log E[exp(-x)]``, which is nonnegative, and 0 if and only if ``x`` is constant.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        R >= 3 independent draws of ``x`` in each cell, nats.
    level : float
        Confidence level in (0, 1).
    parts : sequence of int, optional
        How many successive cells of draws (cell, R) are independent parts of one sum, whose gap is the sum of theirs.
        None: each cell is a sum by itself.

    Returns
    -------
    JensenGap
        Arrays of shape (...), or (sum,); the effective sample size of a sum is the smallest of its parts. All values
        are 0 if the draws are equal up to rounding.

    Raises
    ------
    InputError
        If R < 3 or the level is outside (0, 1).

    Notes
    -----
    The plug-in estimate is biased downwards, because the logarithm is concave; the jackknife [1]_ removes the leading
    term of the bias. For small variance the gap is half the variance of ``x``. The interval is therefore that of a
    variance: chi-square with ``2 (estimate / standard error)^2`` degrees of freedom, at most R - 1. The upper end is
    infinite if the effective sample size is below 8 or below R/4, since dominant terms may be missing from the sample.

    Measured misses in percent, nominal 2.5 per side: interval above the gap / below the gap, and frequency of an
    infinite upper end (10,000 simulations, standard error 0.2; jackknife with Student's t in parentheses):

    ====================  =================================  =================================
    x                     R = 16                             R = 64
    ====================  =================================  =================================
    normal, sd 0.5        2.5 / 2.5, inf 0 (0.4 / 13.4)      2.1 / 2.6, inf 0 (0.7 / 7.8)
    normal, sd 1          3.1 / 2.9, inf 43 (0.5 / 15.5)     2.3 / 3.6, inf 5 (0.7 / 10.5)
    normal, sd 2          3.8 / 1.7, inf 98 (0.5 / 26.5)     3.5 / 4.6, inf 93 (0.8 / 22.3)
    orders of a network   1.7 / 1.2, inf 93 (0.7 / 12.1)     1.1 / 1.6, inf 67 (1.4 / 7.2)
    gamma 4               1.9 / 1.8, inf 3 (0.4 / 11.4)      1.9 / 2.1, inf 0 (0.9 / 6.7)
    minus gamma 4         6.0 / 10.7, inf 14 (0.4 / 30.1)    3.7 / 12.3, inf 3 (0.3 / 20.9)
    ====================  =================================  =================================

    For sums of 4 to 32 normal parts (standard deviation 0.5 or 1, 1,500 simulations) the interval lies above the gap in
    2.1 to 3.2 %, below it in 2.3 to 3.4 %. The upper end is infinite if that of any part is: in 6 to 79 %.

    In the last row, rare small values dominate the mean exponential. A sample without them gives no sign of this, so
    only the lower end is reliable.

    References
    ----------
    .. [1] B. Efron, C. Stein, The jackknife estimate of variance, Annals of Statistics 9, 1981.

    Examples
    --------
    >>> gap = jensen_gap([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    >>> gap.estimate.round(3), gap.lower.round(3)
    (array([0.478, 0.   ]), array([0.129, 0.   ]))
    >>> jensen_gap([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]], parts=[2]).estimate.round(3)
    array([0.478])
    """
    check_level(level)
    values = as_draws(draws, 3, "a gap")
    count = values.shape[-1]
    pseudo = _pseudo_values(values)
    agree = all_equal(values)
    estimate = np.where(agree, 0.0, pseudo.mean(axis=-1))
    standard_error = np.where(agree, 0.0, pseudo.std(axis=-1, ddof=1) / np.sqrt(count))
    weights = np.exp(values.min(axis=-1, keepdims=True) - values)
    effective = np.asarray(weights.sum(axis=-1) ** 2 / (weights**2).sum(axis=-1))
    dominated = ~agree & (effective < max(FEWEST_EFFECTIVE, SMALLEST_EFFECTIVE_SHARE * count))
    cells, most = estimate.size, np.asarray(count - 1)
    if parts is not None:
        starts = np.cumsum((0, *parts[:-1]))
        estimate, variance = np.add.reduceat(estimate, starts), np.add.reduceat(standard_error**2, starts)
        standard_error, most = np.sqrt(variance), np.asarray(parts) * (count - 1)
        effective, dominated = np.minimum.reduceat(effective, starts), np.logical_or.reduceat(dominated, starts)
    lower, upper = _ends(estimate, standard_error, most, level)
    upper = np.where(dominated, np.inf, upper)
    error = np.sqrt((standard_error**2).sum()) / estimate.size
    low, high = _ends(np.asarray(estimate.mean()), np.asarray(error), np.asarray(cells * (count - 1)), level)
    mean = (float(estimate.mean()), float(low), np.inf if dominated.any() else float(high))
    return JensenGap(estimate, standard_error, lower, upper, effective, mean)


def _pseudo_values(values: FloatArray) -> FloatArray:
    """Jackknife pseudo-values of the plug-in estimate, (..., R)."""
    count = values.shape[-1]
    total = np.logaddexp.reduce(-values, axis=-1, keepdims=True)
    others = log_sums_of_others(-values)
    mean = values.mean(axis=-1, keepdims=True)
    gap = mean + total - np.log(count)
    left_out = (mean * count - values) / (count - 1) + others - np.log(count - 1)
    return np.asarray(count * gap - (count - 1) * left_out)


def log_sums_of_others(values: FloatArray) -> FloatArray:
    """Return for each of the values (..., R) the log of the sum of the exponentials of all others."""
    nothing = np.full((*values.shape[:-1], 1), -np.inf)
    before = np.concatenate([nothing, np.logaddexp.accumulate(values, axis=-1)[..., :-1]], axis=-1)
    after = np.concatenate([nothing, np.logaddexp.accumulate(values[..., ::-1], axis=-1)[..., :-1]], axis=-1)
    return np.asarray(np.logaddexp(before, after[..., ::-1]))


def _ends(
    estimate: FloatArray, error: FloatArray, most: NDArray[np.int64], level: float
) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the chi-square interval with matched degrees of freedom; a point if the error is 0."""
    point: NDArray[np.bool_] = error == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = np.where(point, 1.0, np.minimum(2 * (estimate / error) ** 2, most))
    lower, upper = (
        degrees * estimate / scipy.stats.chi2.ppf(side, degrees) for side in ((1 + level) / 2, (1 - level) / 2)
    )
    return np.where(point, estimate, lower), np.where(point, estimate, upper)

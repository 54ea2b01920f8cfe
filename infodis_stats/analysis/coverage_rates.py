"""Coverage of confidence intervals: rates with Wilson intervals, and a test against the nominal level."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.proportion import proportion_confint

from infodis_stats.analysis.replicates import FloatArray, check_level, rounding

__all__ = ["ALLOWED", "Coverage", "coverage", "coverage_of_counts", "coverage_test"]

ALLOWED = 0.01  # shortfall of coverage below nominal that is of no practical importance


@dataclass(frozen=True, eq=False)
class Coverage:
    """A coverage rate with its Wilson interval, arrays of the same shape.

    Parameters
    ----------
    rate : ndarray of float64
        Fraction of the intervals that cover the truth; NaN if there is no interval.
    lower, upper : ndarray of float64
        Wilson interval of the rate.
    missed_low : ndarray of int64
        Intervals that lie below the truth.
    missed_high : ndarray of int64
        Intervals that lie above the truth.
    count : ndarray of int64
        Number of intervals.
    """

    rate: FloatArray
    lower: FloatArray
    upper: FloatArray
    missed_low: NDArray[np.int64]
    missed_high: NDArray[np.int64]
    count: NDArray[np.int64]


def coverage(
    lower: ArrayLike,
    upper: ArrayLike,
    truth: ArrayLike,
    axis: int | tuple[int, ...],
    level_of_band: float = 0.95,
) -> Coverage:
    """Fraction of intervals that cover the truth, with a Wilson interval.

    Parameters
    ----------
    lower, upper, truth : array_like, broadcastable to one shape (...)
        Ends of the intervals and the true values, nats. Intervals with a NaN are omitted.
    axis : int or tuple of int
        Axes of independent repetitions, over which intervals are counted.
    level_of_band : float
        Confidence level of the Wilson interval in (0, 1).

    Returns
    -------
    Coverage
        Arrays of shape (...) without `axis`.

    Raises
    ------
    InputError
        If the level is outside (0, 1).

    Notes
    -----
    An interval that misses by at most ``1e-9 * max(1 nat, |truth|)`` counts as covering, because the point interval of
    an exact estimator differs from the truth by rounding.

    References
    ----------
    E. B. Wilson, Probable inference, J. American Statistical Association 22, 1927.

    Examples
    --------
    >>> result = coverage([0.0, 1.0, 2.0, 0.5], [1.5, 2.0, 3.0, 0.9], truth=1.0, axis=0)
    >>> float(result.rate), int(result.missed_low), int(result.missed_high)
    (0.5, 1, 1)
    >>> round(float(result.lower), 3), round(float(result.upper), 3)
    (0.15, 0.85)
    """
    check_level(level_of_band)
    low, high, target = np.broadcast_arrays(
        np.asarray(lower, dtype=np.float64),
        np.asarray(upper, dtype=np.float64),
        np.asarray(truth, dtype=np.float64),
    )
    slack = rounding(target)
    counted = ~(np.isnan(low) | np.isnan(high) | np.isnan(target))
    missed_low = (counted & (high < target - slack)).sum(axis=axis)
    missed_high = (counted & (low > target + slack)).sum(axis=axis)
    return coverage_of_counts(missed_low, missed_high, counted.sum(axis=axis), level_of_band)


def coverage_of_counts(
    missed_low: ArrayLike, missed_high: ArrayLike, count: ArrayLike, level_of_band: float = 0.95
) -> Coverage:
    """Fraction of intervals that cover, from the numbers of misses, with a Wilson interval.

    Parameters
    ----------
    missed_low, missed_high, count : array_like of int, same shape
        Numbers of intervals below the truth, above it, and in total.
    level_of_band : float
        Confidence level of the Wilson interval in (0, 1).

    Returns
    -------
    Coverage

    Raises
    ------
    InputError
        If the level is outside (0, 1).

    Examples
    --------
    >>> float(coverage_of_counts(1, 4, 100).rate)
    0.95
    """
    check_level(level_of_band)
    low, high, number = (np.asarray(counts, dtype=np.int64) for counts in (missed_low, missed_high, count))
    covered = number - low - high
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.asarray(covered / number)
        band = proportion_confint(covered, number, alpha=1 - level_of_band, method="wilson")
    return Coverage(rate, np.asarray(band[0]), np.asarray(band[1]), low, high, number)


def coverage_test(measured: Coverage, level: float) -> FloatArray:
    """Two-sided p-value of the null hypothesis that coverage is nominal, from the binomial distribution.

    Parameters
    ----------
    measured : Coverage
    level : float
        Nominal level of the intervals in (0, 1).

    Returns
    -------
    ndarray of float64
        Twice the smaller tail probability, at most 1; NaN if there is no interval.

    Raises
    ------
    InputError
        If the level is outside (0, 1).

    Examples
    --------
    >>> measured = coverage([0.0] * 20, [1.0] * 20, [0.5] * 15 + [2.0] * 5, axis=0)
    >>> round(float(coverage_test(measured, 0.95)), 4)
    0.0051
    """
    check_level(level)
    count = measured.count
    covered = count - measured.missed_low - measured.missed_high
    tail = np.minimum(scipy.stats.binom.cdf(covered, count, level), scipy.stats.binom.sf(covered - 1, count, level))
    return np.asarray(np.where(count > 0, np.minimum(2 * tail, 1.0), np.nan))


def noticeable_coverage(count: int, level: float, significance: float = 0.05) -> float:
    """Return the largest coverage of ``count`` intervals that is significantly below nominal.

    Parameters
    ----------
    count : int
        Intervals.
    level : float
        Nominal level of the intervals in (0, 1).
    significance : float, default 0.05
        Of the two-sided binomial test, as in `coverage_test`.

    Returns
    -------
    float
        A share; -1 if not even intervals that all miss would be significant.

    Raises
    ------
    InputError
        If the level is outside (0, 1).

    Examples
    --------
    >>> noticeable_coverage(100, 0.95), noticeable_coverage(16, 0.95), noticeable_coverage(1, 0.95)
    (0.89, 0.75, -1.0)
    """
    check_level(level)
    if count <= 0:
        return -1.0
    covered = np.arange(count + 1)
    low = np.flatnonzero(2 * scipy.stats.binom.cdf(covered, count, level) < significance)
    return float(covered[low[-1]] / count) if len(low) else -1.0

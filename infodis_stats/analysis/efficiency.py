"""Relative efficiency: the ratio of the variances of two estimators, with a bootstrap-t interval."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from infodis_stats.analysis.replicates import FloatArray, all_equal, as_draws, check_level, check_resamples

__all__ = ["Efficiency", "VarianceSum", "relative_efficiency", "variance_ratio", "variance_sum"]

RESAMPLED_VALUES = 2**16  # per chunk, to fit into the processor cache


@dataclass(frozen=True, eq=False)
class Efficiency:
    """A variance ratio and its confidence interval, arrays of the same shape.

    Parameters
    ----------
    ratio : ndarray of float64
        Variance of the reference over the variance of the draws; above 1, the draws are more efficient.
    lower, upper : ndarray of float64
        Ends of the interval.
    p_value : ndarray of float64
        Two-sided bootstrap p-value of equal variances.
    """

    ratio: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray


@dataclass(frozen=True, eq=False)
class VarianceSum:
    """The sum of variances over a fixed set of sequences, and its bootstrap distribution.

    Parameters
    ----------
    moments : ndarray of float64, shape (2, ...)
        The sum, and the jackknife estimate of its variance.
    resampled : ndarray of float64, shape (2, ..., resamples)
        The same for resampled replicates.
    exact : ndarray of bool, shape (...)
        Whether the replicates of every sequence are equal.
    """

    moments: FloatArray
    resampled: FloatArray
    exact: NDArray[np.bool_]


def relative_efficiency(
    draws: ArrayLike,
    reference: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 999,
    *,
    paired: bool = False,
) -> Efficiency:
    """Relative efficiency of `draws` compared with `reference`, over a fixed set of sequences.

    The ratio of the variances summed over sequences, with a symmetric bootstrap-t interval on the log scale.

    Parameters
    ----------
    draws : array_like, shape (..., S, R1)
        R1 >= 3 independent replicates of each estimate for S sequences, nats. If a sequence has fewer replicates, the
        missing ones are NaN in all cells (...).
    reference : array_like, shape (..., S, R2)
        Replicates of the reference estimator, R2 >= 3.
    rng : numpy.random.Generator
        Source of the resampling.
    level : float
        Confidence level in (0, 1).
    resamples : int
        Number of bootstrap resamples. The smallest possible p-value is ``1 / (resamples + 1)``, or 0 for exact draws.
    paired : bool
        Whether the r-th replicates of both share random numbers, which requires R1 = R2. If False, they must be
        independent.

    Returns
    -------
    Efficiency
        Arrays of the broadcast shape (...). If only the draws are exact (equal replicates in every sequence), the ratio
        and both ends are inf; if only the reference is exact, they are 0; the p-value is 0 in both cases. If both are
        exact, all values are NaN. A sequence of NaN gives NaN.

    Raises
    ------
    InputError
        If there are fewer than 3 replicates, the numbers of sequences (or of paired replicates) differ, the level is
        outside (0, 1), or there are too few resamples for the level.

    Notes
    -----
    Replicates are resampled within each sequence, independently in the two arrays or in pairs. The log ratio is
    studentised by the jackknife standard error of the variances, which reflects their kurtosis, and the covariance
    within pairs. The interval is the estimate plus and minus the quantile of the absolute studentised errors [1]_. It
    is (0, inf) if resamples are degenerate too often, as for three replicates of a single sequence.

    Measured coverage in percent, nominal 95 (3,000 simulations, standard error 0.4), of this interval and of
    alternatives, for S = 1 and 16 sequences with R = 32 (128) replicates of both estimators:

    ============  ============  ============  ============  ============
    terms, S      this one      percentile    equal-tailed  delta method
    ============  ============  ============  ============  ============
    normal, 1     94.7 (95.3)   92.9 (95.0)   94.6 (95.1)   93.1 (95.1)
    normal, 16    95.5 (95.1)   94.4 (94.4)   94.9 (94.6)   95.3 (94.8)
    gamma 4, 1    94.0 (95.1)   92.2 (93.6)   92.3 (93.9)   90.9 (93.4)
    gamma 4, 16   95.2 (95.2)   93.2 (94.5)   93.8 (94.6)   93.9 (95.0)
    gamma 1, 1    93.6 (95.0)   90.6 (93.1)   90.4 (93.4)   86.7 (92.4)
    gamma 1, 16   95.4 (94.7)   92.8 (93.4)   93.9 (93.6)   93.8 (93.9)
    ============  ============  ============  ============  ============

    The coverage of the bias-corrected percentile interval is within 1 point of the percentile interval. With R = 8,
    this interval covers 95 (normal), 95 (gamma 4) and 95 (gamma 1) for S = 16, and 95, 95 and 93 for S = 1. Coverage is
    lowest if the two distributions differ: 91 to 92 for a gamma 1 reference against normal draws at S = 1, R = 32 or
    S = 16, R = 8. There the ratio is underestimated, because the variance of a small sample from a skewed distribution
    is usually too small.

    Coverage for pairs with a normal copula of correlation 0.8, for R = 8, 32, 128 (2,000 simulations for S = 1, 1,000
    for S = 16, and 500 for R = 128):

    ===================  ==============  ==============
    terms                S = 1           S = 16
    ===================  ==============  ==============
    normal               95.1 94.2 93.6  95.0 95.2 94.4
    gamma 4              94.0 94.2 95.2  94.0 94.5 94.4
    gamma 1              89.0 92.8 93.8  94.5 96.4 94.4
    normal and gamma 1   91.8 91.6 93.4  93.5 94.0 95.4
    ===================  ==============  ==============

    References
    ----------
    .. [1] P. Hall, On symmetric bootstrap confidence intervals, J. Royal Statistical Society B 50, 1988.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> draws, reference = rng.normal(0, 1, (16, 32)), rng.normal(0, 2, (16, 32))
    >>> result = relative_efficiency(draws, reference, rng)
    >>> bool(result.lower < 4 < result.upper), bool(result.lower > 1)
    (True, True)
    """
    check_level(level)
    check_resamples(resamples, level)
    first, second = _sequences(draws), _sequences(reference)
    if first.shape[-2] != second.shape[-2]:
        raise InputError(f"draws have {first.shape[-2]} sequences but the reference has {second.shape[-2]}")
    if not paired:
        return variance_ratio(variance_sum(first, rng, resamples), variance_sum(second, rng, resamples), level)
    if first.shape[-1] != second.shape[-1]:
        raise InputError(
            f"draws have {first.shape[-1]} replicates but the reference has {second.shape[-1]}; pairs need equally many"
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        *moments, covariance = _paired_sums(first, second)
        *resampled, resampled_covariance = _resampled_pairs(first, second, rng, resamples)
        sums = [
            VarianceSum(of_replicates, of_resamples, _exact(values))
            for of_replicates, of_resamples, values in zip(moments, resampled, (first, second), strict=True)
        ]
    return _compared(sums[0], sums[1], (covariance, resampled_covariance), level)


def variance_sum(draws: ArrayLike, rng: np.random.Generator, resamples: int = 999) -> VarianceSum:
    """Sum the variances over a fixed set of sequences and bootstrap the sum, as the input of `variance_ratio`.

    Parameters
    ----------
    draws : array_like, shape (..., S, R)
        R >= 3 independent replicates of each estimate for S sequences, nats. If a sequence has fewer replicates, the
        missing ones are NaN in all cells (...).
    rng : numpy.random.Generator
        Source of the resampling. With a separate generator for each sum, a sum does not depend on its comparisons.
    resamples : int
        Number of bootstrap resamples.

    Returns
    -------
    VarianceSum

    Raises
    ------
    InputError
        If there are fewer than 3 replicates or there is no sequence axis.
    """
    values = _sequences(draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        moments = _total(_moments(group, -1).sum(axis=-1) for group in _even(values))
        resampled = _total(_moments(group, -2).sum(axis=-2) for group in _resampled(values, rng, resamples))
        return VarianceSum(moments, resampled, _exact(values))


def variance_ratio(draws: VarianceSum, reference: VarianceSum, level: float = 0.95) -> Efficiency:
    """Ratio of two sums of variances over the same sequences; `relative_efficiency` describes the interval.

    Parameters
    ----------
    draws, reference : VarianceSum
        Shapes (...) are broadcast. Numbers of resamples must be equal, and the resamples independent.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Efficiency

    Raises
    ------
    InputError
        If the level is outside (0, 1), or there are too few resamples for it.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> draws, reference = (variance_sum(rng.normal(0, scale, (16, 32)), rng) for scale in (1, 2))
    >>> result = variance_ratio(draws, reference)
    >>> bool(1 < result.lower < 4 < result.upper)
    True
    """
    check_level(level)
    check_resamples(draws.resampled.shape[-1], level)
    return _compared(draws, reference, (np.zeros(()), np.zeros(())), level)


def _compared(
    first: VarianceSum, second: VarianceSum, shared: tuple[FloatArray, FloatArray], level: float
) -> Efficiency:
    """Compare two sums; ``shared`` is their covariance, for the replicates and for the resampled replicates."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio, standard_error = _log_ratio(first.moments, second.moments, shared[0])
        # The variance of replicates that differ only by rounding counts as 0.
        log_ratio = np.where(first.exact, np.where(second.exact, np.nan, np.inf), log_ratio)
        log_ratio = np.where(second.exact & ~first.exact, -np.inf, log_ratio)

        resampled_ratio, resampled_error = _log_ratio(first.resampled, second.resampled, shared[1])
        studentised = np.abs(resampled_ratio - log_ratio[..., None]) / resampled_error
        # A degenerate resample counts as the largest error.
        studentised = np.where(np.isnan(studentised), np.inf, studentised)
        quantile = np.quantile(studentised, level, axis=-1, method="higher")
        half_width = np.where(standard_error > 0, quantile * standard_error, np.inf)
        exact = np.isinf(log_ratio)
        lower = np.where(exact, log_ratio, log_ratio - half_width)
        upper = np.where(exact, log_ratio, log_ratio + half_width)
        farther = (studentised * standard_error[..., None] >= np.abs(log_ratio)[..., None]).sum(axis=-1)
        p_value = np.where(standard_error > 0, (1 + farther) / (1 + studentised.shape[-1]), 1.0)
        p_value = np.where(exact, 0.0, np.where(np.isnan(log_ratio), np.nan, p_value))
    with np.errstate(over="ignore"):  # the upper end may be infinite
        return Efficiency(np.exp(log_ratio), np.exp(lower), np.exp(upper), np.asarray(p_value))


def _sequences(draws: ArrayLike) -> FloatArray:
    values = as_draws(draws, 3, "the error of a variance")
    if values.ndim < 2:
        raise InputError("draws need a sequence axis before the replicate axis, got one axis")
    return values


def _moments(draws: FloatArray, axis: int) -> FloatArray:
    """Sample variance over the replicate axis and the jackknife estimate of its variance, (2, ...)."""
    squares = draws - draws.mean(axis=axis, keepdims=True)
    squares *= squares
    sample_variance = squares.sum(axis=axis) / (draws.shape[axis] - 1)
    squares -= squares.mean(axis=axis, keepdims=True)
    squares *= squares
    return np.stack([sample_variance, _jackknife(squares.sum(axis=axis), draws.shape[axis])])


def _covariance(first: FloatArray, second: FloatArray, axis: int) -> FloatArray:
    """Jackknife estimate of the covariance of two sample variances over the same replicates."""
    left, right = ((draws - draws.mean(axis=axis, keepdims=True)) ** 2 for draws in (first, second))
    left, right = (squares - squares.mean(axis=axis, keepdims=True) for squares in (left, right))
    return _jackknife((left * right).sum(axis=axis), first.shape[axis])


def _jackknife(spread: FloatArray, replicates: int) -> FloatArray:
    return np.asarray(spread * replicates / ((replicates - 1) * (replicates - 2) ** 2))


def _total(parts: Iterator[FloatArray]) -> FloatArray:
    total = np.zeros(())
    for part in parts:
        total = total + part
    return total


def _paired_sums(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Moments of both and the covariance of their variances, summed over sequences: (2, ...), (2, ...), (...)."""
    left_sum, right_sum, covariance = np.zeros(()), np.zeros(()), np.zeros(())
    for left, right in _even(_pairs(first, second)):
        left_sum = left_sum + _moments(left, -1).sum(axis=-1)
        right_sum = right_sum + _moments(right, -1).sum(axis=-1)
        covariance = covariance + _covariance(left, right, -1).sum(axis=-1)
    return left_sum, right_sum, covariance


def _resampled_pairs(
    first: FloatArray, second: FloatArray, rng: np.random.Generator, resamples: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return `_paired_sums` of resampled pairs, with a last axis of resamples."""
    left_sum, right_sum, covariance = np.zeros(()), np.zeros(()), np.zeros(())
    for left, right in _resampled(_pairs(first, second), rng, resamples):
        left_sum = left_sum + _moments(left, -2).sum(axis=-2)
        right_sum = right_sum + _moments(right, -2).sum(axis=-2)
        covariance = covariance + _covariance(left, right, -2).sum(axis=-2)
    return left_sum, right_sum, covariance


def _pairs(first: FloatArray, second: FloatArray) -> FloatArray:
    both = np.stack(np.broadcast_arrays(first, second))
    return np.where(np.isnan(both).any(axis=0), np.nan, both)  # incomplete pairs are omitted


def _even(draws: FloatArray) -> Iterator[FloatArray]:
    """Yield sequences grouped by their number of replicates, without missing ones: (..., S, R) to (..., group, count).

    A replicate is missing if it is NaN in all cells. Sequences without replicates keep their NaN.
    """
    present = np.asarray(~np.isnan(draws).all(axis=tuple(range(draws.ndim - 2))))
    present[~present.any(axis=-1)] = True
    counts = present.sum(axis=-1)
    for count in np.unique(counts).tolist():
        group = counts == count
        yield draws[..., group, :][..., present[group]].reshape(*draws.shape[:-2], -1, count)


def _resampled(draws: FloatArray, rng: np.random.Generator, resamples: int) -> Iterator[FloatArray]:
    """Resample the replicates in chunks of sequences: (..., S, R) to (..., chunk, R, resamples)."""
    for even in _even(draws):
        cells, count = even.shape[:-2], even.shape[-1]
        size = max(1, RESAMPLED_VALUES // (math.prod(cells) * count * resamples))
        for start in range(0, even.shape[-2], size):
            chunk = even[..., start : start + size, :]
            index = rng.integers(count, size=(chunk.shape[-2], count, resamples))
            index += count * np.arange(chunk.shape[-2])[:, None, None]
            yield chunk.reshape(*cells, -1).take(index, axis=-1)


def _exact(draws: FloatArray) -> NDArray[np.bool_]:
    """Return whether the replicates of every sequence are equal: (..., S, R) to (...)."""
    return np.asarray(np.stack([all_equal(group).all(axis=-1) for group in _even(draws)]).all(axis=0))


def _log_ratio(first: FloatArray, second: FloatArray, shared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log of the second sum of variances over the first, with its standard error by the delta method."""
    squared = first[1] / first[0] ** 2 + second[1] / second[0] ** 2 - 2 * shared / (first[0] * second[0])
    return np.asarray(np.log(second[0]) - np.log(first[0])), np.sqrt(np.maximum(squared, 0.0))

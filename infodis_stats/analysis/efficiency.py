"""How many times less variance one estimator has than another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from infodis_stats.analysis.replicates import FloatArray, all_equal, as_draws, check_level, check_resamples

__all__ = ["Efficiency", "relative_efficiency"]


@dataclass(frozen=True, eq=False)
class Efficiency:
    """A variance ratio and its confidence interval; all arrays share one shape.

    Parameters
    ----------
    ratio : ndarray of float64
        Variance of the reference over the variance of the draws: above 1 the draws are better.
    lower, upper : ndarray of float64
        Ends of the interval.
    """

    ratio: FloatArray
    lower: FloatArray
    upper: FloatArray


def relative_efficiency(
    draws: ArrayLike,
    reference: ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    resamples: int = 999,
) -> Efficiency:
    """How many times less variance `draws` has than `reference`, over a fixed set of sequences.

    The ratio of variances summed over sequences, with a symmetric bootstrap-t interval on its logarithm.

    Parameters
    ----------
    draws : array_like, shape (..., S, R1)
        R1 >= 3 independent replicates of each estimate for S sequences, nats.
    reference : array_like, shape (..., S, R2)
        The same of the estimator compared with, R2 >= 3. Draws and reference must not share random numbers.
    rng : numpy.random.Generator
        Source of the resampling.
    level : float
        Confidence level in (0, 1).
    resamples : int
        Number of bootstrap resamples.

    Returns
    -------
    Efficiency
        Arrays of the broadcast shape (...). Where only the draws are exact (equal replicates in every sequence)
        ratio and ends are inf, where only the reference is they are 0, where both are they are NaN. NaN replicates
        give NaN.

    Raises
    ------
    InputError
        If there are fewer than 3 replicates, the numbers of sequences differ, the level is outside (0, 1), or there
        are too few resamples for the level.

    Notes
    -----
    Replicates are resampled within each sequence, independently in the two arrays. The log ratio is studentised by
    the jackknife error of the variances, which follows their kurtosis; the interval is the estimate plus and minus
    the level's quantile of the absolute studentised errors. It is (0, inf) where resamples are degenerate too often
    (three replicates of one sequence).

    Measured coverage in percent, nominal 95 (3,000 simulations, errors 0.4), of this interval and of the ones it
    was chosen against, for S = 1 and 16 sequences of R = 32 (128) replicates of both estimators:

    ============  ============  ============  ============  ============
    terms, S      this          percentile    equal-tailed  delta method
    ============  ============  ============  ============  ============
    normal, 1     94.7 (95.3)   92.9 (95.0)   94.6 (95.1)   93.1 (95.1)
    normal, 16    95.5 (95.1)   94.4 (94.4)   94.9 (94.6)   95.3 (94.8)
    gamma 4, 1    94.0 (95.1)   92.2 (93.6)   92.3 (93.9)   90.9 (93.4)
    gamma 4, 16   95.2 (95.2)   93.2 (94.5)   93.8 (94.6)   93.9 (95.0)
    gamma 1, 1    93.6 (95.0)   90.6 (93.1)   90.4 (93.4)   86.7 (92.4)
    gamma 1, 16   95.4 (94.7)   92.8 (93.4)   93.9 (93.6)   93.8 (93.9)
    ============  ============  ============  ============  ============

    The bias-corrected percentile interval equals the percentile one within 1 point. With R = 8 this interval covers 95
    (normal), 95 (gamma 4) and 95 (gamma 1) for S = 16, and 95, 95 and 93 for S = 1. It is worst, and one-sided, when
    the two laws differ: 91 to 92 for a gamma 1 reference against normal draws at S = 1, R = 32 or S = 16, R = 8, where
    it understates the ratio: a short sample of a skewed law has too small a variance more often than not.

    References
    ----------
    P. Hall, On symmetric bootstrap confidence intervals, J. Royal Statistical Society B 50, 1988.

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
    first = _sequences(draws)
    second = _sequences(reference)
    if first.shape[-2] != second.shape[-2]:
        raise InputError(f"draws have {first.shape[-2]} sequences and the reference {second.shape[-2]}")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_first, error_first = _log_variance(_sums(first))
        log_second, error_second = _log_variance(_sums(second))
        log_first = np.where(all_equal(first).all(axis=-1), -np.inf, log_first)
        log_second = np.where(all_equal(second).all(axis=-1), -np.inf, log_second)
        log_ratio = np.asarray(log_second - log_first)
        standard_error = np.sqrt(error_first + error_second)

        again_first, error_first = _log_variance(_resampled_sums(first, rng, resamples))
        again_second, error_second = _log_variance(_resampled_sums(second, rng, resamples))
        error = np.abs(again_second - again_first - log_ratio[..., None])
        studentised = error / np.sqrt(error_first + error_second)
        # A resample without variance says nothing: it counts as the largest error.
        studentised = np.where(np.isnan(studentised), np.inf, studentised)
        quantile = np.quantile(studentised, level, axis=-1, method="higher")
        half_width = np.where(standard_error > 0, quantile * standard_error, np.inf)
        exact = np.isinf(log_ratio)
        lower = np.where(exact, log_ratio, log_ratio - half_width)
        upper = np.where(exact, log_ratio, log_ratio + half_width)
    return Efficiency(np.asarray(np.exp(log_ratio)), np.asarray(np.exp(lower)), np.asarray(np.exp(upper)))


def _sequences(draws: ArrayLike) -> FloatArray:
    values = as_draws(draws, 3, "the error of a variance")
    if values.ndim < 2:
        raise InputError("draws need a sequence axis before the replicate axis, got one axis")
    return values


def _moments(draws: FloatArray) -> FloatArray:
    """Sample variance over the last axis and the jackknife estimate of its own variance, (2, ...)."""
    replicates = draws.shape[-1]
    squares = (draws - draws.mean(axis=-1, keepdims=True)) ** 2
    sample_variance = squares.sum(axis=-1) / (replicates - 1)
    spread = ((squares - squares.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    jackknife = spread * replicates / ((replicates - 1) * (replicates - 2) ** 2)
    return np.stack([sample_variance, jackknife])


def _sums(draws: FloatArray) -> FloatArray:
    """Both moments summed over sequences: (..., S, R) -> (2, ...)."""
    return np.asarray(_moments(draws).sum(axis=-1))


def _resampled_sums(draws: FloatArray, rng: np.random.Generator, resamples: int) -> FloatArray:
    """Both moments of resampled replicates summed over sequences: (..., S, R) -> (2, ..., resamples)."""
    total = np.zeros((2, *draws.shape[:-2], resamples))
    for sequence in range(draws.shape[-2]):
        index: NDArray[np.int64] = rng.integers(draws.shape[-1], size=(resamples, draws.shape[-1]))
        total += _moments(draws[..., sequence, :][..., index])
    return total


def _log_variance(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Log of the summed variance and its squared standard error by the delta method."""
    return np.log(sums[0]), sums[1] / sums[0] ** 2

"""Confidence intervals for a mean over replicates."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from infodis_stats.analysis.replicates import (
    LEAST_SKEWNESS,
    FloatArray,
    all_equal,
    as_draws,
    check_level,
    check_resamples,
    rounding,
)

__all__ = ["Interval", "bca", "hall", "hall_quantiles", "level_of_each", "nonnegative", "student_t", "widen"]


RESAMPLED_VALUES = 2**16  # per chunk, to fit into the processor cache


@dataclass(frozen=True, eq=False)
class Interval:
    """The ends of confidence intervals.

    Parameters
    ----------
    lower, upper : ndarray of float64
        Arrays of the same shape, nats.
    """

    lower: FloatArray
    upper: FloatArray


def student_t(draws: ArrayLike, level: float = 0.95) -> Interval:
    """Student's t interval, with R - 1 degrees of freedom.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        R >= 2 independent replicates of each estimate, nats.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        Arrays of shape (...). NaN replicates give NaN, equal ones a point.

    Raises
    ------
    InputError
        If R < 2 or the level is outside (0, 1).

    Examples
    --------
    >>> interval = student_t([1.0, 2.0, 3.0])
    >>> round(float(interval.lower), 3), round(float(interval.upper), 3)
    (-0.484, 4.484)
    """
    check_level(level)
    values = as_draws(draws, 2, "an interval")
    replicates = values.shape[-1]
    equal = values.max(axis=-1) == values.min(axis=-1)  # whose mean is rounded
    mean = np.where(equal, values[..., 0], values.mean(axis=-1))
    quantile = scipy.special.stdtrit(replicates - 1, (1 + level) / 2)
    half_width = np.where(equal, 0.0, quantile * values.std(axis=-1, ddof=1) / np.sqrt(replicates))
    return Interval(np.asarray(mean - half_width), np.asarray(mean + half_width))


def nonnegative(interval: Interval, estimate: ArrayLike) -> Interval:
    """Intervals of a quantity that is at least 0, without the values below 0: this does not change their coverage.

    Parameters
    ----------
    interval : Interval
        Arrays of shape (...).
    estimate : array_like, shape (...)
        A negative estimate stays in its interval, so that it can be seen; an interval below 0 is unchanged, because it
        shows that something is wrong.

    Examples
    --------
    >>> interval = nonnegative(Interval(np.array([-1.0, -3.0, -3.0]), np.array([3.0, 1.0, -1.0])), [1.0, -1.0, -2.0])
    >>> interval.lower, interval.upper
    (array([ 0., -1., -3.]), array([ 3.,  1., -1.]))
    """
    smallest = np.minimum(np.asarray(estimate), 0.0)
    lower = np.where(interval.upper < 0, interval.lower, np.maximum(interval.lower, smallest))
    return Interval(lower, interval.upper)


def bca(draws: ArrayLike, rng: np.random.Generator, level: float = 0.95, resamples: int = 999) -> Interval:
    """Bias-corrected and accelerated bootstrap interval over the replicates.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        R >= 2 independent replicates of each estimate, nats.
    rng : numpy.random.Generator
        Source of the resampling.
    level : float
        Confidence level in (0, 1).
    resamples : int
        Number of bootstrap resamples.

    Returns
    -------
    Interval
        Arrays of shape (...). Replicates that are not finite give NaN, equal ones a point.

    Raises
    ------
    InputError
        If R < 2, the level is outside (0, 1), or there are too few resamples for the level.

    Notes
    -----
    The BCa interval [1]_ as in `scipy.stats.bootstrap`, up to rounding. All cells share the resampling indices, so the
    interval of a cell does not depend on the other cells. Resampled means within `rounding` of the mean count as ties.

    The interval is too short for few replicates. Measured coverage in percent, nominal 95 (10,000 simulations), at R =
    8, 16, 32 is 88.7, 91.7, 93.6 for normal and 86.4, 90.6, 92.6 for exponential draws; Student's t covers 95.0, 94.8,
    95.1 and 89.7, 92.0, 93.0. For skewed draws, the misses of BCa are more balanced: 655 intervals lie below and 283
    above the truth at R = 16, against 759 and 40 for Student's t.

    References
    ----------
    .. [1] B. Efron, Better bootstrap confidence intervals, J. American Statistical Association 82, 1987.

    Examples
    --------
    >>> interval = bca([1.0, 2.0, 2.5, 3.0, 7.0], np.random.default_rng(0))
    >>> bool(interval.lower < 3.1 < interval.upper)
    True
    """
    check_level(level)
    check_resamples(resamples, level)
    values = as_draws(draws, 2, "an interval")
    replicates = values.shape[-1]
    cells = values.reshape(-1, replicates)
    finite = np.isfinite(cells).all(axis=-1)
    lower, upper = (np.where(finite, ends, np.nan) for ends in (cells.min(axis=-1), cells.max(axis=-1)))
    varied = np.flatnonzero(lower < upper)
    index = rng.integers(replicates, size=(resamples, replicates))
    shares = np.stack([np.bincount(resample, minlength=replicates) for resample in index], axis=-1) / replicates
    size = max(1, RESAMPLED_VALUES // resamples)
    for start in range(0, varied.size, size):
        chunk = varied[start : start + size]
        lower[chunk], upper[chunk] = _bca_ends(cells[chunk], shares, level)
    shape = values.shape[:-1]
    return Interval(lower.reshape(shape), upper.reshape(shape))


def _bca_ends(cells: FloatArray, shares: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the ends of BCa intervals of cells (cell, R), given the weights of replicates (R, resample)."""
    resamples = shares.shape[-1]
    mean = cells.mean(axis=-1, keepdims=True)
    # Not a matrix product, whose rounding depends on the number of cells.
    resampled = np.einsum("cr,rb->cb", cells, shares)
    slack = rounding(mean)
    # A resample that permutes the sample is a tie, however its sum is rounded.
    below = ((resampled < mean - slack).sum(axis=-1) + (resampled <= mean + slack).sum(axis=-1)) / 2
    bias = scipy.special.ndtri(np.clip(below, 0.5, resamples - 0.5) / resamples)
    apart = cells - mean
    apart /= np.abs(apart).max(axis=-1, keepdims=True)  # so that cubes do not underflow
    acceleration = (apart**3).sum(axis=-1) / 6 / (apart**2).sum(axis=-1) ** 1.5
    resampled.sort(axis=-1)
    ends = []
    for quantile in scipy.special.ndtri([(1 - level) / 2, (1 + level) / 2]).tolist():
        shift = bias + quantile
        place = scipy.special.ndtr(bias + shift / (1 - acceleration * shift)) * (resamples - 1)
        left = np.floor(place).astype(np.int64)
        pair = np.stack([left, np.minimum(left + 1, resamples - 1)], axis=-1)
        near, far = np.take_along_axis(resampled, pair, axis=-1).T
        ends.append(near + (place - left) * (far - near))
    return ends[0], ends[1]


def widen(interval: Interval, estimate: ArrayLike, error: ArrayLike, level: float = 0.95) -> Interval:
    """Widen intervals of estimates for the difference from an independent reference value with a small standard error.

    Parameters
    ----------
    interval : Interval
        Intervals of the estimates, shape (...).
    estimate : array_like, broadcastable to (...)
        Estimates, nats.
    error : array_like, broadcastable to (...)
        Standard errors of the reference values, nats.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        Each half-width ``h`` becomes ``sqrt(h^2 + (z error)^2)`` with the normal quantile ``z``.

    Raises
    ------
    InputError
        If the level is outside (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> interval = widen(Interval(np.array([-2.0]), np.array([2.0])), 0.0, error=0.4)
    >>> interval.upper.round(3)
    array([2.148])
    """
    check_level(level)
    z = float(scipy.special.ndtri((1 + level) / 2))
    centre, tau = np.asarray(estimate, dtype=np.float64), z * np.asarray(error, dtype=np.float64)
    below, above = centre - interval.lower, interval.upper - centre
    # A bootstrap interval may exclude its estimate; the half-width of that side is negative.
    wider = [np.copysign(np.hypot(side, tau), side) for side in (below, above)]
    return Interval(np.asarray(centre - wider[0]), np.asarray(centre + wider[1]))


def hall(draws: ArrayLike, level: float = 0.95) -> Interval:
    """Hall's interval: Student's t with a transformation that removes the effect of skewness [1]_.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        R >= 3 independent values, such as terms of single passes, nats.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Interval
        Arrays of shape (...). NaN draws give NaN, equal ones a point.

    Raises
    ------
    InputError
        If R < 3 or the level is outside (0, 1).

    References
    ----------
    .. [1] P. Hall, On the removal of skewness by transformation, J. Royal Statistical Society B 54, 1992.

    Examples
    --------
    >>> interval = hall([1.0, 1.5, 2.0, 2.5, 9.0])
    >>> plain = student_t([1.0, 1.5, 2.0, 2.5, 9.0])
    >>> bool(interval.upper > plain.upper), bool(interval.lower > plain.lower)
    (True, True)
    """
    check_level(level)
    values = as_draws(draws, 3, "a skewness")
    count = values.shape[-1]
    mean, spread = values.mean(axis=-1), values.std(axis=-1, ddof=1)
    point = all_equal(values)
    # Equal draws have no skewness; symmetric values replace them.
    varied = np.where(point[..., None], np.arange(count, dtype=np.float64), values)
    skewness = np.asarray(scipy.stats.skew(varied, axis=-1, bias=False) / np.sqrt(count))
    lower, upper = hall_quantiles(skewness, scipy.special.stdtrit(count - 1, (1 + level) / 2))
    scale = spread / np.sqrt(count)
    return Interval(np.asarray(mean - scale * upper), np.asarray(mean - scale * lower))


def hall_quantiles(skewness: ArrayLike, quantile: float | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the quantiles of a studentised mean of skewed values, by Hall's transformation.

    Parameters
    ----------
    skewness : array_like, shape (...)
        Skewness of the values, divided by the square root of their number.
    quantile : float
        Upper quantile of Student's t.

    Returns
    -------
    lower, upper : ndarray of float64, shape (...)
        Values at which the transformed statistic equals minus and plus the quantile.

    Examples
    --------
    >>> lower, upper = hall_quantiles([0.0, 0.5], 2.0)
    >>> lower.round(2), upper.round(2)
    (array([-2.  , -8.08]), array([2.  , 1.51]))
    """
    k = np.asarray(skewness, dtype=np.float64)
    k = np.where(np.abs(k) < LEAST_SKEWNESS, LEAST_SKEWNESS, k)
    lower, upper = (3.0 / k * (np.cbrt(1.0 + k * (end - k / 6.0)) - 1.0) for end in (-quantile, quantile))
    return lower, upper


def level_of_each(level: float, count: int, *, simultaneous: bool) -> float:
    """Return the confidence level of each of several independent intervals.

    Parameters
    ----------
    level : float
        Confidence level in (0, 1).
    count : int
        Number of intervals.
    simultaneous : bool
        Whether the intervals cover simultaneously at the level (Sidak), instead of individually.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If the level is outside (0, 1).

    Examples
    --------
    >>> round(level_of_each(0.95, 10, simultaneous=True), 5), level_of_each(0.95, 10, simultaneous=False)
    (0.99488, 0.95)
    """
    check_level(level)
    return float(level ** (1.0 / count)) if simultaneous else level

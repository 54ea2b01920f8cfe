"""Confidence sequences: intervals and p-values that are valid under repeated looks and optional stopping."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from estimators.errors import InputError
from infodis_stats.analysis.intervals import Interval
from infodis_stats.analysis.replicates import FloatArray, as_draws, check_level, rounding

__all__ = ["confidence_sequence", "sequential_p_value"]


def confidence_sequence(draws: ArrayLike, level: float = 0.95, start: int = 8) -> Interval:
    """Confidence intervals after each number of replicates, which cover simultaneously.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        Independent replicates of each estimate in the order of sampling, nats.
    level : float
        Confidence level in (0, 1): the probability that all intervals of the sequence cover the mean.
    start : int
        Replicates at the first look, at least 2. The sequence is narrowest at about twice this number.

    Returns
    -------
    Interval
        Arrays of shape (..., R): column n - 1 is the interval from the first n replicates. It is infinite before the
        first look and while there are too few replicates for the level. Equal replicates give a point from the first
        look on. A NaN replicate gives NaN from there on.

    Raises
    ------
    InputError
        If there is no replicate, the level is outside (0, 1) or the start is below 2.

    Notes
    -----
    The likelihood ratio of mean ``m + delta sigma`` against ``m``, with ``delta ~ N(0, rho^2)`` and the right-Haar
    prior ``d sigma / sigma``, is a function of the t statistic ``t`` of ``m``. With ``r = 1 + n rho^2`` it is

        E_n(m) = r^(-1/2) [(1 + t^2 / (n - 1)) / (1 + t^2 / (r (n - 1)))]^(n/2),

    a martingale with mean 1 if the replicates are normal with mean ``m``, in the filtration of scale-invariant
    statistics [1]_. By Ville's inequality, the probability that it ever reaches ``1 / alpha`` is at most alpha; the
    interval contains all ``m`` for which it has not. Its half-width is ``s sqrt((n - 1) x / n)`` with
    ``x = (B - 1) / (1 - B / r)`` and ``B = (sqrt(r) / alpha)^(2 / n)``, and infinite if ``B >= r``. Here
    ``2 start rho^2 = -W(-alpha^2 / e) - 1`` with the lower branch ``W`` of the Lambert function, which minimises the
    width after ``2 start`` replicates for known variance [2]_.

    Measured probability in percent that any interval up to n = 512 misses the mean, nominal 5 (20,000 simulations; last
    column: Student's t interval at every look from n = 8). Skewed replicates need a later start.

    ===========  =======  =======  ========  ========  =========
    replicates   start 4  start 8  start 16  start 32  t, from 8
    ===========  =======  =======  ========  ========  =========
    normal       3.3      3.3      3.1       2.8       43
    Student t3   1.9      2.3      2.2       2.1       41
    exponential  13       12       8.6       6.5       49
    ===========  =======  =======  ========  ========  =========

    References
    ----------
    .. [1] H. Wang, A. Ramdas, Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance,
       2023, arXiv 2310.03722.
    .. [2] S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Time-uniform, nonparametric, nonasymptotic confidence
       sequences, Annals of Statistics 49, 2021.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(size=64)
    >>> confidence_sequence(draws).upper[[6, 7, 15, 63]].round(2)
    array([ inf, 1.35, 0.53, 0.44])
    """
    running = _running(draws, level, start)
    n, ratio = running.count, running.ratio
    bound = np.exp(2 / n * (np.log(ratio) / 2 - np.log1p(-level)))
    with np.errstate(divide="ignore", invalid="ignore"):  # at looks that are overwritten below
        squared = np.where(bound < ratio, (bound - 1) / (1 - bound / ratio), np.inf)
        half_width = running.sd * np.sqrt(squared * (n - 1) / n)
    half_width = np.where(running.equal, 0.0, half_width)
    half_width = np.where(n < start, np.inf, half_width)
    return Interval(running.mean - half_width, running.mean + half_width)


def sequential_p_value(draws: ArrayLike, mean: ArrayLike = 0.0, level: float = 0.95, start: int = 8) -> FloatArray:
    """p-values of a mean after each number of replicates: the probability that one is ever <= alpha is at most alpha.

    They also test signs: if a p-value is at most alpha, claim that the true mean lies on the same side of `mean` as the
    sample mean. The probability that this claim is ever false is at most alpha.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        Independent replicates of each estimate in the order of sampling, nats.
    mean : array_like, broadcastable to (...)
        Mean under the null hypothesis, nats.
    level, start
        Parameters of the corresponding `confidence_sequence`: the p-value is at most ``1 - level`` once an interval of
        that sequence excludes `mean`. It is valid for all alpha.

    Returns
    -------
    ndarray of float64, shape (..., R)
        Nonincreasing along the last axis; 1 before the first look. Equal replicates that differ from the mean give 0. A
        NaN replicate gives NaN from there on.

    Raises
    ------
    InputError
        If there is no replicate, the level is outside (0, 1) or the start is below 2.

    Notes
    -----
    The p-value is the running minimum of ``1 / E_n``, with ``E_n`` as in `confidence_sequence`.

    References
    ----------
    H. Wang, A. Ramdas, Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance, 2023,
    arXiv 2310.03722.

    Examples
    --------
    >>> sequential_p_value(np.random.default_rng(0).normal(loc=1.0, size=32))[[6, 7, 15, 31]].round(4)
    array([1.00e+00, 2.15e-02, 1.40e-02, 1.00e-04])
    """
    running = _running(draws, level, start)
    n, ratio = running.count, running.ratio
    gap = np.abs(running.mean - np.asarray(mean, dtype=np.float64)[..., None])
    with np.errstate(divide="ignore", invalid="ignore"):  # at looks that are overwritten below
        squared = n * gap**2 / (running.sd**2 * (n - 1))
        log_evidence = n / 2 * (np.log1p(squared) - np.log1p(squared / ratio)) - np.log(ratio) / 2
    p_value = np.exp(-np.maximum(log_evidence, 0.0))
    p_value = np.where(running.equal, gap <= rounding(running.mean), p_value)
    p_value = np.where((n < start) & ~np.isnan(running.mean), 1.0, p_value)
    return np.asarray(np.minimum.accumulate(p_value, axis=-1))


@dataclass(frozen=True, eq=False)
class _Running:
    # Statistics after n = 1, ..., R replicates: n and 1 + n rho^2 of shape (R,), the others of shape (..., R).
    count: NDArray[np.int64]
    ratio: FloatArray
    mean: FloatArray
    sd: FloatArray
    equal: NDArray[np.bool_]


def _running(draws: ArrayLike, level: float, start: int) -> _Running:
    check_level(level)
    if start < 2:
        raise InputError(f"start must be at least 2 replicates, got {start}")
    values = as_draws(draws, 1, "a confidence sequence")
    count = np.arange(1, values.shape[-1] + 1)
    # Differences from the first replicate avoid cancellation and do not depend on later replicates.
    first = values[..., :1]
    shift = np.cumsum(values - first, axis=-1) / count
    squares = np.cumsum((values - first) ** 2, axis=-1) - count * shift**2
    sd = np.sqrt(np.maximum(squares, 0.0) / np.maximum(count - 1, 1))
    mean = first + shift
    squared_effect = (-special.lambertw(-np.exp(2 * np.log1p(-level) - 1), k=-1).real - 1) / (2 * start)
    ratio = 1 + count * squared_effect
    return _Running(count, ratio, mean, sd, sd <= rounding(mean))

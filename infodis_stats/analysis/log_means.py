"""Bounds on the log of a mean of nonnegative draws: a bracket, with a confidence interval for the log itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from infodis_stats.analysis.jensen import log_sums_of_others
from infodis_stats.analysis.replicates import FloatArray, all_equal, as_draws, check_level

__all__ = ["LogMeanBounds", "log_mean_bounds"]

STEPS = 36  # of a bisection


@dataclass(frozen=True)
class LogMeanBounds:
    """Bounds on ``log E[exp(x)]``, or on the sum of several, in nats.

    Parameters
    ----------
    importance, importance_se : float
        ``log mean exp(x)``, whose expectation is below the truth, and its standard error.
    tangent, tangent_se : float
        The tangent bound, whose expectation is above the truth, and its standard error.
    lower, upper : float
        Ends of the confidence interval of the truth. The lower end is valid without assumptions.
    spread : float
        Standard deviation of ``x``; of a sum, the largest of its parts.
    skewness : float
        Skewness of ``x``; of a sum, the largest of its parts.
    no_spread : bool
        Whether all draws of some part are equal.
    """

    importance: float
    importance_se: float
    tangent: float
    tangent_se: float
    lower: float
    upper: float
    spread: float
    skewness: float
    no_spread: bool


def log_mean_bounds(parts: Sequence[ArrayLike], level: float = 0.95) -> LogMeanBounds:
    """Bound ``log E[exp(x)]`` from independent draws of ``x``, or the sum of several such logs.

    Parameters
    ----------
    parts : sequence of array_like, shape (K,)
        At least 3 independent draws of each ``x``, nats, as many for every part. Draw ``k`` may depend on the draws
        before it, if the mean of ``exp(x)`` given these is still the same. Parts are independent.
    level : float, default 0.95
        Confidence level in (0, 1); each end misses with half of the rest.

    Raises
    ------
    InputError
        If there are fewer than 3 draws, or the level is outside (0, 1).

    Notes
    -----
    By Jensen's inequality ``E[log mean exp(x)] <= log E[exp(x)]`` ([1]_). For every ``psi > 0`` a tangent of the
    logarithm gives ``log E[exp(x)] <= log psi + E[exp(x)] / psi - 1``; here ``psi`` is the mean of the other draws
    ([2]_), and the mean over draws is the tangent bound.

    *The lower end* needs no assumption. Whatever the law of ``exp(x) >= 0``, the wealth of a bet that the mean exceeds
    ``m``, the product of ``1 + f (exp(x_k)/m - 1)``, has mean 1 at most if it does not. By Markov's inequality all
    ``m`` at which it exceeds ``2/(1 - level)`` are ruled out ([3]_). The stakes ``f`` are 1, 1/2, 1/4, ... to 1/K,
    averaged. For a sum of logs the wealths of the parts are multiplied.

    *The upper end* cannot be valid without assumptions: a sample does not show rare draws that carry the mean. It is
    the larger of two: Student's t for the tangent bound; and the interval of the mean of a lognormal law, which
    combines the limits of its two parameters ([4]_). The first suits draws of little spread and any shape, the second a
    large spread of normal ``x``. Added to it is what no sample shows, as far as it can be bounded: draws that K draws
    miss with probability ``a = (1 - level)/2``, a share of ``1 - a^(1/K)``, are taken to be twice as large. Coverage of
    the upper end in percent, nominal 97.5 (2,000 simulations, standard error 0.35; Student's t for the tangent bound
    alone in parentheses):

    =========================  ============  ============  ============
    x                          K = 14        K = 28        K = 112
    =========================  ============  ============  ============
    normal, sd 0.3             100.0 (96.7)  100.0 (97.0)  99.9 (97.1)
    normal, sd 1               99.1 (91.3)   99.1 (92.0)   98.7 (94.3)
    normal, sd 2               98.6 (79.7)   98.6 (79.4)   98.5 (83.4)
    gamma 16, sd 0.6           99.4 (92.8)   99.0 (93.8)   98.0 (95.6)
    gamma 16, sd 1             96.3 (85.2)   95.9 (88.3)   94.0 (90.6)
    gamma 4, sd 0.6            98.6 (87.8)   97.2 (90.1)   97.2 (93.8)
    gamma 4, sd 1              90.3 (75.5)   86.0 (77.9)   83.8 (80.7)
    10 % of double sd, 0.6     99.6 (92.9)   99.6 (92.1)   98.0 (92.9)
    1 of 32 larger by 1 nat    100.0 (93.8)  99.9 (94.3)   99.5 (95.3)
    1 of 32 larger by 2 nats   99.2 (65.5)   91.8 (65.9)   93.1 (89.3)
    =========================  ============  ============  ============

    Log-likelihoods of a sequence in random orders, less what a surrogate predicts, are skewed to the other side: there
    the upper end covers more than its nominal level.

    References
    ----------
    .. [1] Y. Burda, R. Grosse, R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016, arXiv 1509.00519.
    .. [2] TUBE, arXiv 2605.24292 (tangent upper bounds on the evidence).
    .. [3] I. Waudby-Smith, A. Ramdas, Estimating means of bounded random variables by betting, Journal of the Royal
       Statistical Society B 86, 2024.
    .. [4] G. Y. Zou, C. Y. Huo, J. Taleban, Simple confidence intervals for lognormal means and their differences with
       environmental applications, Environmetrics 20, 2009.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(0.0, 0.5, size=200)  # log E[exp(x)] is 0.125
    >>> bounds = log_mean_bounds([draws])
    >>> print(f"{bounds.importance:.3f} {bounds.tangent:.3f} [{bounds.lower:.2f}, {bounds.upper:.2f}]")
    0.119 0.120 [0.01, 0.21]
    """
    check_level(level)
    draws = as_draws(np.stack([np.asarray(part, dtype=np.float64) for part in parts]), 3, "bounds on a mean")
    count, miss = draws.shape[-1], (1.0 - level) / 2.0
    top = draws.max(axis=-1, keepdims=True)
    weights = np.exp(draws - top)
    mean = weights.mean(axis=-1, keepdims=True)
    importance = np.log(mean) + top
    relative = weights / mean
    error = relative.std(axis=-1, ddof=1) / np.sqrt(count)
    others = log_sums_of_others(draws) - np.log(count - 1)
    with np.errstate(over="ignore"):  # infinite where one draw is all that counts
        tangent = (others + np.exp(draws - others) - 1.0).mean(axis=-1)
    quantile = scipy.stats.t.ppf(1.0 - miss, count - 1)
    of_sum = float(np.sqrt(np.square(error).sum()))
    equal = all_equal(draws)
    missed = float(np.log1p(1.0 - miss ** (1.0 / count)))
    end = missed + max(float(tangent.sum()) + quantile * of_sum, _lognormal_end(draws, miss))
    return LogMeanBounds(
        float(importance.sum()),
        of_sum,
        float(tangent.sum()),
        of_sum,
        float(importance.sum()) - _lowering(relative, np.log(1.0 / miss)),
        end,
        float(draws.std(axis=-1, ddof=1).max()),
        float(np.where(equal, 0.0, scipy.stats.skew(np.where(equal[:, None], np.arange(count), draws), axis=-1)).max()),
        bool(equal.any()),
    )


def _lognormal_end(draws: FloatArray, miss: float) -> float:
    count, variance = draws.shape[-1], draws.var(axis=-1, ddof=1)
    of_mean = scipy.stats.t.ppf(1.0 - miss, count - 1) * np.sqrt(variance / count)
    of_variance = variance / 2 * ((count - 1) / scipy.stats.chi2.ppf(miss, count - 1) - 1.0)
    margin = np.sqrt((of_mean**2 + of_variance**2).sum())
    return float((draws.mean(axis=-1) + variance / 2).sum() + margin)


def _lowering(relative: FloatArray, evidence: float) -> float:
    """Return by how much the sum of the logs of the sample means (parts, K) is lowered before it is ruled out.

    The log wealths of the parts are convex in what each is lowered by. So the largest sum under which their total is
    the evidence has equal slopes in all parts: a bisection for the slope, around those for each part.
    """
    parts, count = relative.shape
    stakes = 0.5 ** np.arange(np.ceil(np.log2(count)) + 1)

    def wealth(lowered: FloatArray) -> tuple[FloatArray, FloatArray]:
        # Log wealth of each part, and its slope.
        ratio = relative * np.exp(lowered)[:, None]
        bets = 1.0 + stakes[:, None, None] * (ratio - 1.0)
        with np.errstate(divide="ignore"):
            logs = np.log(bets).sum(axis=-1)
        slopes = (stakes[:, None, None] * ratio / np.maximum(bets, np.finfo(np.float64).tiny)).sum(axis=-1)
        highest = logs.max(axis=0)
        shares = np.exp(logs - highest)
        return highest + np.log(shares.mean(axis=0)), (shares * slopes).sum(axis=0) / shares.sum(axis=0)

    most = evidence + np.log(len(stakes) * count) + 1.0
    if parts == 1:
        low, high = -most, most
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if wealth(np.array([middle]))[0][0] < evidence else (low, middle)
        return float(high)

    low, high = np.full(parts, -most), np.full(parts, most)
    flat, steep = 0.0, float(count)
    for _ in range(STEPS):
        slope = (flat + steep) / 2
        least, largest = low, high  # of what each part is lowered by at this slope
        for _ in range(STEPS // 4):
            middle = (least + largest) / 2
            flatter = wealth(middle)[1] < slope
            least, largest = np.where(flatter, middle, least), np.where(flatter, largest, middle)
        if wealth(largest)[0].sum() < evidence:
            flat, low = slope, least
        else:
            steep, high = slope, largest
    return float(high.sum())

"""Ranking of many estimators by their variances: every pair is compared, with Holm's adjustment over all pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from infodis_stats.analysis.efficiency import relative_efficiency, variance_ratio, variance_sum
from infodis_stats.analysis.multiple_testing import family_wise
from infodis_stats.analysis.replicates import FloatArray, check_level
from infodis_stats.analysis.selection import same_draws

__all__ = ["VarianceRanking", "rank_variances"]

RESAMPLES = 999
USUAL_RESAMPLES = 9999


@dataclass(frozen=True, eq=False)
class VarianceRanking:
    """Variances relative to the smallest one; arrays of shape (E,) except ``best``.

    Attributes
    ----------
    variance : ndarray of float64
        Mean over the sequences, nats squared; 0 if all replicates are equal.
    best : int
        The estimator with the smallest variance; the first of several.
    ratio : ndarray of float64
        Variance over the smallest one; inf if only the smallest is 0, 1 for the best and for those equal to it.
    lower, upper : ndarray of float64
        Ends of intervals of the ratio that cover simultaneously, over the choice of the best included.
    p_value : ndarray of float64
        Of equal variances, Holm-adjusted over all pairs of estimators; 1 for the best and for those equal to it.
    tied : ndarray of bool
        The best, and estimators that are not significantly different from it.
    """

    variance: FloatArray
    best: int
    ratio: FloatArray
    lower: FloatArray
    upper: FloatArray
    p_value: FloatArray
    tied: NDArray[np.bool_]


def rank_variances(
    draws: Sequence[ArrayLike],
    rng: np.random.Generator,
    *,
    shared: ArrayLike | None = None,
    level: float = 0.95,
) -> VarianceRanking:
    """Compare the variances of many estimators of the same sequences with the smallest one.

    Parameters
    ----------
    draws : sequence of array_like, shape (S, R)
        For each of E >= 1 estimators, R >= 3 independent replicates of each estimate for S sequences, nats. R may
        differ between estimators; missing replicates are NaN. For a comparison at equal cost, multiply them by the
        square root of the cost of a replicate.
    rng : numpy.random.Generator
        Source of the resampling.
    shared : array_like of bool, shape (E, E), optional
        Whether the r-th replicates of two estimators share random numbers, in some sequence or in all; they need equal
        numbers of replicates. Default: no two do.
    level : float
        Confidence level in (0, 1) of all intervals together; one minus that is the family-wise error rate.

    Returns
    -------
    VarianceRanking

    Raises
    ------
    InputError
        If there is no estimator, an estimator has fewer than 3 replicates, the numbers of sequences (or of paired
        replicates) differ, or the level is outside (0, 1).

    Notes
    -----
    The estimator with the smallest estimated variance is often not the best one, and its variance is underestimated. So
    the family is all pairs of estimators, not only those with the apparent best: whichever estimator has the smallest
    estimate, the probability is at most ``1 - level`` that any of the pairs with it is wrongly called different.
    The p-values are those of `relative_efficiency` and adjusted by Holm's procedure; intervals have Bonferroni's
    level, and where Holm's procedure rejects equality, they end at 1 if they would contain it [1]_. Therefore an
    estimator is significantly different from the best if and only if its interval has no value below 1. Estimators
    with `same_draws` are the same: they are tied, and equality with them is not tested.

    Measured false claims in percent, nominal 5, that one of three equal estimators is worse than the best, for one
    sequence and 8 replicates (400 simulations, standard error 1.1): 3.0 for normal terms, 3.5 for gamma 4, 3.3 for
    gamma 1, and 6.3 for two estimators with gamma 1 terms and one with normal terms.

    References
    ----------
    .. [1] K. Strassburger, F. Bretz, Compatible simultaneous lower confidence bounds for the Holm procedure and other
       Bonferroni-based closed tests, Statistics in Medicine 27, 2008.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ranking = rank_variances([rng.normal(0, scale, (8, 32)) for scale in (2, 1, 1)], rng)
    >>> ranking.tied.tolist(), bool(1 < ranking.lower[0] < 4 < ranking.upper[0])
    ([False, True, True], True)
    """
    check_level(level)
    values = [np.asarray(replicates, dtype=np.float64) for replicates in draws]
    if not values:
        raise InputError("a ranking needs at least one estimator")
    if len(lengths := {len(replicates) for replicates in values}) > 1:
        raise InputError(
            f"all estimators need the same sequences, got {' and '.join(map(str, sorted(lengths)))} sequences"
        )
    count = len(values)
    paired = np.zeros((count, count), dtype=bool) if shared is None else np.asarray(shared, dtype=bool)
    tests = sum(not _same(*pair) for pair in combinations(values, 2))
    each = 1 - (1 - level) / max(1, tests)
    needed = int(np.ceil(round(2 / (1 - each), 6)))
    resamples = max(needed, int(np.clip(5 * needed, RESAMPLES, USUAL_RESAMPLES)))
    sums = [variance_sum(replicates, rng, resamples) for replicates in values]
    variance = np.array([0.0 if one.exact else float(one.moments[0]) / len(values[0]) for one in sums])
    order = variance.argsort(kind="stable").tolist()
    pairs = [pair for pair in combinations(order, 2) if not _same(*(values[index] for index in pair))]
    compared = [
        relative_efficiency(values[smaller], values[larger], rng, each, resamples, paired=True)
        if paired[smaller, larger]
        else variance_ratio(sums[smaller], sums[larger], each)
        for smaller, larger in pairs
    ]
    adjusted = family_wise([float(efficiency.p_value) for efficiency in compared])
    ratio, lower, upper, p_value = (np.ones(count) for _ in range(4))
    for (smaller, larger), efficiency, adjusted_p in zip(pairs, compared, adjusted.tolist(), strict=True):
        if smaller == order[0] and not np.isnan(efficiency.ratio):  # NaN: all replicates of both are equal
            ratio[larger], lower[larger], upper[larger] = efficiency.ratio, efficiency.lower, efficiency.upper
            p_value[larger] = adjusted_p
    different = p_value < 1 - level
    lower = np.where(different, np.maximum(lower, 1.0), np.minimum(lower, 1.0))
    return VarianceRanking(variance, order[0], ratio, lower, upper, p_value, ~different)


def _same(first: FloatArray, second: FloatArray) -> bool:
    """Return whether two estimators have the same replicates up to rounding, and miss the same ones."""
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        return False
    return bool(same_draws(*(np.nan_to_num(replicates) for replicates in (first, second))))

"""Comparing the variances of two estimators, item by item and over all items."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis.efficiency import Efficiency, relative_efficiency
from infodis_stats.analysis.moments import family_wise
from infodis_stats.analysis.replicates import FloatArray, all_equal, as_draws

__all__ = ["VarianceComparison", "brown_forsythe", "compare_variances"]

RESAMPLES = 999
MOST_RESAMPLES = 9999  # then single items of 500 can still be told apart at 5 %


@dataclass(frozen=True, eq=False)
class VarianceComparison:
    """Variances of two estimates at equal cost, the first over the second: below 1 the first has less.

    Attributes
    ----------
    items : Efficiency
        Of each item: ratio, its interval and its p-value, each by itself; arrays (S,).
    adjusted : ndarray of float64, shape (S,)
        The items' p-values, Holm-adjusted. NaN where both are exact.
    total : Efficiency
        Of the sums over all items; arrays of no dimension.
    """

    items: Efficiency
    adjusted: FloatArray
    total: Efficiency


def compare_variances(
    first: ArrayLike,
    second: ArrayLike,
    rng: np.random.Generator,
    *,
    costs: tuple[ArrayLike, ArrayLike] = (1.0, 1.0),
    paired: bool = False,
    level: float = 0.95,
) -> VarianceComparison:
    """Compare the variances of two estimates of the same items at equal cost.

    Parameters
    ----------
    first : array_like, shape (S, R1)
        At least 3 independent replicates of each of S items, nats. NaN stands where an item has fewer than others.
    second : array_like, shape (S, R2)
        The same of the other estimator.
    rng : numpy.random.Generator
        Source of the resampling.
    costs : pair of array_like, broadcastable to (S,)
        What a replicate of the first and of the second costs, such as forward passes; variances are multiplied by it.
    paired : bool
        Whether the r-th replicates of both share random numbers; then R1 = R2. It stays valid if they do not.
    level : float
        Confidence level in (0, 1) of each interval.

    Returns
    -------
    VarianceComparison

    Raises
    ------
    InputError
        If an item has fewer than 3 replicates, or as `relative_efficiency`.

    Notes
    -----
    Intervals, and the test over all items, are those of `relative_efficiency`, which has their measured coverage. The
    p-value of a single item is the larger of that and `brown_forsythe`'s: the first is too small for few skewed
    replicates, the second for many replicates of laws of unlike shape. Measured false alarms in percent, nominal 5, of
    the bootstrap, of Brown and Forsythe, and of the larger of both (1,500 simulations of laws of one variance, errors
    0.6; the pairs are those of a normal copula with correlation 0.8):

    =============================  ==============  ==============  ==============
    terms                          R = 8           R = 32          R = 128
    =============================  ==============  ==============  ==============
    normal                         3.9  3.3  1.8   5.8  5.0  2.9   5.6  5.1  3.4
    gamma 4                        5.9  3.9  2.8   6.5  4.3  2.7   4.5  4.8  2.7
    gamma 1                        6.9  4.9  3.3   4.8  4.5  1.9   5.5  4.4  2.7
    normal and gamma 1             9.9  8.0  5.5   8.7 12.0  6.0   7.6 26.7  6.6
    normal, pairs                  4.0  3.7  1.1   6.9  5.1  3.1   5.1  4.0  2.6
    gamma 4, pairs                 6.2  4.5  1.8   6.7  3.5  1.9   5.7  6.2  3.1
    gamma 1, pairs                 11.7  4.5  2.3  7.2  4.2  2.0   5.9  4.4  1.9
    normal and gamma 1, pairs      7.3  6.8  3.0   8.9 15.5  5.7   7.1 36.5  6.1
    =============================  ==============  ==============  ==============

    Where a precision decided the number of replicates, variances are a little too small: sampling stops where the
    spread happens to be.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second = rng.normal(0, 1, (16, 32)), rng.normal(0, 2, (16, 32))
    >>> found = compare_variances(first, second, rng, costs=(2, 1))
    >>> bool(found.total.lower < 0.5 < found.total.upper < 1)
    True
    """
    one, two = (
        as_draws(draws, 3, "the error of a variance") * np.sqrt(np.asarray(cost, dtype=np.float64))[..., None]
        for draws, cost in zip((first, second), costs, strict=True)
    )
    total = relative_efficiency(two, one, rng, level, RESAMPLES, paired=paired)
    resamples = int(np.clip(round(10 * len(one) / (1 - level)), RESAMPLES, MOST_RESAMPLES))
    each = [
        relative_efficiency(other[None], own[None], rng, level, resamples, paired=paired)
        for own, other in zip(one, two, strict=True)
    ]
    spread = [brown_forsythe(own, other, paired=paired) for own, other in zip(one, two, strict=True)]
    ratio, lower, upper, p_value = (np.array([getattr(part, name) for part in each]) for name in vars(total))
    p_value = np.maximum(p_value, spread)
    return VarianceComparison(Efficiency(ratio, lower, upper, p_value), family_wise(p_value), total)


def brown_forsythe(first: ArrayLike, second: ArrayLike, *, paired: bool = False) -> float:
    """Test whether two samples have the same spread, by their distances from their medians; return the p-value.

    Parameters
    ----------
    first, second : array_like, shape (R1,), (R2,)
        At least 3 independent replicates of each, nats; NaN is left out.
    paired : bool
        Whether the r-th of both belong together: then the differences of the distances are tested by Student's t.

    Returns
    -------
    float
        0 where one sample has equal replicates and the other has not, NaN where both have.

    Notes
    -----
    Two-sided. What is compared are mean distances: of laws that differ by shift and scale they are equal just where
    the variances are [1]_, [2]_. Of laws of unlike shape they are not: `compare_variances` has figures.

    References
    ----------
    .. [1] M. B. Brown, A. B. Forsythe, Robust tests for the equality of variances, J. American Statistical Association
       69, 1974.
    .. [2] P. M. Grambsch, Simple robust tests for scale differences in paired data, Biometrika 81, 1994.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> brown_forsythe(rng.normal(size=32), rng.normal(0, 2, size=32)) < 0.001
    True
    """
    one, two = (as_draws(draws, 3, "a comparison of variances") for draws in (first, second))
    if paired:
        if len(one) != len(two):
            raise InputError(f"pairs need as many replicates of both, got {len(one)} and {len(two)}")
        there = ~np.isnan(one) & ~np.isnan(two)
        one, two = one[there], two[there]
    one, two = (draws[~np.isnan(draws)] for draws in (one, two))
    if min(len(one), len(two)) < 3:
        raise InputError(f"a comparison of variances needs at least 3 replicates, got {min(len(one), len(two))}")
    flat = [bool(all_equal(draws)) for draws in (one, two)]
    if any(flat):
        return float("nan") if all(flat) else 0.0
    if not paired:
        return float(stats.levene(one, two, center="median").pvalue)
    gaps = np.abs(one - np.median(one)) - np.abs(two - np.median(two))
    return 1.0 if bool(all_equal(gaps)) else float(stats.ttest_1samp(gaps, 0.0).pvalue)

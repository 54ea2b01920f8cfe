"""Comparison of the variances of two estimators, for each item and over all items."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from estimators.errors import InputError
from infodis_stats.analysis.efficiency import Efficiency, relative_efficiency
from infodis_stats.analysis.multiple_testing import family_wise
from infodis_stats.analysis.replicates import FloatArray, all_equal, as_draws

__all__ = ["VarianceComparison", "brown_forsythe", "compare_variances"]

RESAMPLES = 999
MOST_RESAMPLES = 9999  # enough for significance of a single item among 500 at 5 % after Holm's adjustment


@dataclass(frozen=True, eq=False)
class VarianceComparison:
    """Variance ratios at equal cost, the first estimator over the second: below 1, the first is more efficient.

    Attributes
    ----------
    items : Efficiency
        Ratio, interval and unadjusted p-value of each item; arrays (S,).
    adjusted : ndarray of float64, shape (S,)
        Holm-adjusted p-values of the items; NaN if both estimators are exact.
    total : Efficiency
        Ratio of the sums over all items; 0-dimensional arrays.
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
        At least 3 independent replicates of each of S items, nats; missing replicates are NaN.
    second : array_like, shape (S, R2)
        Replicates of the second estimator.
    rng : numpy.random.Generator
        Source of the resampling.
    costs : pair of array_like, broadcastable to (S,)
        Cost per replicate of the first and the second estimator, such as forward passes, by which variances are
        multiplied.
    paired : bool
        Whether the r-th replicates of both share random numbers, which requires R1 = R2. Also valid if they do not.
    level : float
        Confidence level in (0, 1) of each interval.

    Returns
    -------
    VarianceComparison

    Raises
    ------
    InputError
        If an item has fewer than 3 replicates, the numbers of items (or of paired replicates) differ, or the level is
        outside (0, 1).

    Notes
    -----
    The intervals and the test over all items are those of `relative_efficiency`, which documents their coverage. The
    p-value of a single item is the maximum of the bootstrap p-value and the Brown-Forsythe p-value: the bootstrap is
    anti-conservative for few skewed replicates, Brown-Forsythe for many replicates from distributions of different
    shape. Measured false positives in percent, nominal 5, of the bootstrap, of Brown-Forsythe and of the maximum (1,500
    simulations of distributions with equal variance, standard error 0.6; pairs have a normal copula with correlation
    0.8):

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

    If a target precision determined the number of replicates, variances are biased slightly downwards, because sampling
    tends to stop when the estimated variance is small.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second = rng.normal(0, 1, (16, 32)), rng.normal(0, 2, (16, 32))
    >>> comparison = compare_variances(first, second, rng, costs=(2, 1))
    >>> bool(comparison.total.lower < 0.5 < comparison.total.upper < 1)
    True
    """
    left, right = (
        as_draws(draws, 3, "the error of a variance") * np.sqrt(np.asarray(cost, dtype=np.float64))[..., None]
        for draws, cost in zip((first, second), costs, strict=True)
    )
    total = relative_efficiency(right, left, rng, level, RESAMPLES, paired=paired)
    resamples = int(np.clip(round(10 * len(left) / (1 - level)), RESAMPLES, MOST_RESAMPLES))
    items = [
        relative_efficiency(other[None], draws[None], rng, level, resamples, paired=paired)
        for draws, other in zip(left, right, strict=True)
    ]
    spread = [brown_forsythe(draws, other, paired=paired) for draws, other in zip(left, right, strict=True)]
    ratio, lower, upper, p_value = (np.array([getattr(item, name) for item in items]) for name in vars(total))
    p_value = np.maximum(p_value, spread)
    return VarianceComparison(Efficiency(ratio, lower, upper, p_value), family_wise(p_value), total)


def brown_forsythe(first: ArrayLike, second: ArrayLike, *, paired: bool = False) -> float:
    """p-value of the Brown-Forsythe test that two samples have equal spread about their medians.

    Parameters
    ----------
    first, second : array_like, shape (R1,), (R2,)
        At least 3 independent replicates of each, nats; NaN is omitted.
    paired : bool
        Whether the samples are paired; then the paired differences of absolute deviations are tested by Student's t.

    Returns
    -------
    float
        0 if only one of the samples is constant, NaN if both are.

    Notes
    -----
    The test is two-sided. It compares mean absolute deviations from the median [1]_, [2]_, which are equal if and only
    if the variances are equal, provided that the two distributions differ only by location and scale.
    `compare_variances` documents the error rates for other distributions.

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
    left, right = (as_draws(draws, 3, "a comparison of variances") for draws in (first, second))
    if paired:
        if len(left) != len(right):
            raise InputError(f"pairs need equal numbers of replicates, got {len(left)} and {len(right)}")
        complete = ~np.isnan(left) & ~np.isnan(right)
        left, right = left[complete], right[complete]
    left, right = (draws[~np.isnan(draws)] for draws in (left, right))
    if min(len(left), len(right)) < 3:
        raise InputError(f"a comparison of variances needs at least 3 replicates, got {min(len(left), len(right))}")
    constant = [bool(all_equal(draws)) for draws in (left, right)]
    if any(constant):
        return float("nan") if all(constant) else 0.0
    if not paired:
        return float(scipy.stats.levene(left, right, center="median").pvalue)
    gaps = np.abs(left - np.median(left)) - np.abs(right - np.median(right))
    return 1.0 if bool(all_equal(gaps)) else float(scipy.stats.ttest_1samp(gaps, 0.0).pvalue)

"""Rank plots: the distribution of the first half of the replicates over the ranks of all replicates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike

from estimators.errors import InputError
from infodis_stats.analysis.replicates import FloatArray, as_draws, check_level

__all__ = ["HalfRanks", "half_ranks"]


@dataclass(frozen=True, eq=False)
class HalfRanks:
    """For each bin of ranks, the fraction of replicates from the first half; arrays (bins,).

    Attributes
    ----------
    share : ndarray of float64
        Observed fraction.
    expected : ndarray of float64
        Expected fraction for exchangeable replicates: 1/2 if their numbers are even.
    lower, upper : ndarray of float64
        Simultaneous confidence band of all fractions for exchangeable replicates.
    """

    share: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray


def half_ranks(draws: Sequence[ArrayLike], bins: int, rng: np.random.Generator, level: float = 0.95) -> HalfRanks:
    """Rank the replicates of each sequence, and count those of the first half in bins of ranks.

    Parameters
    ----------
    draws : sequence of array_like, shape (R,)
        Independent replicates of each sequence in the order of sampling; at least 2, and at least one per bin.
    bins : int
        Number of equal bins of ranks, lowest first.
    rng : numpy.random.Generator
        Breaks ties.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    HalfRanks

    Raises
    ------
    InputError
        If there is no sequence or no bin, a sequence has too few replicates, or the level is outside (0, 1).

    Notes
    -----
    For exchangeable replicates, the number in a bin that come from the first half is hypergeometric, whatever their
    distribution, and sequences are independent. The band consists of exact quantiles of the sum over sequences, with a
    Bonferroni correction over bins. Rank plots are due to [1]_.

    References
    ----------
    .. [1] A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Bürkner, Rank-normalization, folding, and
       localization: an improved R-hat, Bayesian Analysis 16, 2021.

    Examples
    --------
    >>> half_ranks([[1.0, 2.0, 5.0, 6.0], [2.0, 1.0, 4.0, 3.0]], 2, np.random.default_rng(0)).share
    array([1., 0.])
    """
    check_level(level)
    if not draws or bins < 1:
        raise InputError(f"a rank plot needs at least 1 sequence and 1 bin, got {len(draws)} and {bins}")
    size, first, expected = np.zeros((3, bins))
    chances = [np.ones(1) for _ in range(bins)]
    for replicates in draws:
        values = as_draws(replicates, max(2, bins), "a rank plot")
        count, half = len(values), len(values) // 2
        ranks = np.argsort(np.lexsort((rng.random(count), values)))
        place = ranks * bins // count
        held = np.bincount(place, minlength=bins)
        size += held
        first += np.bincount(place[:half], minlength=bins)
        expected += held * half / count
        chances = [
            np.convolve(chance, scipy.stats.hypergeom(count, half, in_bin).pmf(np.arange(in_bin + 1)))
            for chance, in_bin in zip(chances, held.tolist(), strict=True)
        ]
    tail = (1 - level) / (2 * bins)
    below = [np.cumsum(chance) for chance in chances]
    lower = np.array([np.searchsorted(distribution, tail, side="right") for distribution in below])
    upper = np.array([np.searchsorted(distribution, 1 - tail) for distribution in below])
    return HalfRanks(first / size, expected / size, lower / size, upper / size)

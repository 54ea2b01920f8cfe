"""Rank plots: how the ranks of the replicates that were drawn first lie among all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis.replicates import FloatArray, as_draws, check_level

__all__ = ["HalfRanks", "half_ranks"]


@dataclass(frozen=True, eq=False)
class HalfRanks:
    """Of the replicates in each bin of ranks, the share that was drawn in the first half; arrays (bins,).

    Attributes
    ----------
    share : ndarray of float64
    expected : ndarray of float64
        The share if replicates are alike: 1/2 where their numbers are even.
    lower, upper : ndarray of float64
        Within these are all shares together with at least the confidence level if replicates are alike.
    """

    share: FloatArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray


def half_ranks(draws: Sequence[ArrayLike], bins: int, rng: np.random.Generator, level: float = 0.95) -> HalfRanks:
    """Rank the replicates of each sequence, and say where the first half of them lies.

    Parameters
    ----------
    draws : sequence of array_like, shape (R,)
        Independent replicates of each sequence in the order in which they were drawn, at least 2 and as many as bins.
    bins : int
        Equal parts of the ranks, lowest first.
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
        If there is no sequence, one has too few replicates, or the level is outside (0, 1).

    Notes
    -----
    Of replicates that are alike, the number of a bin's that come from the first half is hypergeometric, whatever their
    law, and sequences are independent. The band has the exact quantiles of the sum, Bonferroni over the bins.

    References
    ----------
    A. Vehtari, A. Gelman, D. Simpson, B. Carpenter, P.-C. Bürkner, Rank-normalization, folding, and localization: an
    improved R-hat, Bayesian Analysis 16, 2021 (rank plots).

    Examples
    --------
    >>> half_ranks([[1.0, 2.0, 5.0, 6.0], [2.0, 1.0, 4.0, 3.0]], 2, np.random.default_rng(0)).share
    array([1., 0.])
    """
    check_level(level)
    if not draws or bins < 1:
        raise InputError("ranks need a sequence and a bin at least")
    size, first, expected = np.zeros((3, bins))
    chances = [np.ones(1) for _ in range(bins)]
    for one in draws:
        values = as_draws(one, max(2, bins), "a rank plot")
        count, half = len(values), len(values) // 2
        ranks = np.argsort(np.lexsort((rng.random(count), values)))
        place = ranks * bins // count
        held = np.bincount(place, minlength=bins)
        size += held
        first += np.bincount(place[:half], minlength=bins)
        expected += held * half / count
        chances = [
            np.convolve(chance, stats.hypergeom(count, half, here).pmf(np.arange(here + 1)))
            for chance, here in zip(chances, held.tolist(), strict=True)
        ]
    tail = (1 - level) / (2 * bins)
    below = [np.cumsum(chance) for chance in chances]
    lower = np.array([np.searchsorted(one, tail, side="right") for one in below])
    upper = np.array([np.searchsorted(one, 1 - tail) for one in below])
    return HalfRanks(first / size, expected / size, lower / size, upper / size)

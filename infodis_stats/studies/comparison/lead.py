"""How many times less variance the best of some estimators has than the best of others, at equal passes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from infodis_stats import analysis
from infodis_stats.analysis.efficiency import Efficiency

__all__ = ["Lead", "lead_of"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class Lead(NamedTuple):
    """The best of each side by passes, -1 where none was run; and the ratio of variances, NaN where there are not both.

    Attributes
    ----------
    first, second : array of int64, shape (passes,)
        Rows of the estimators.
    ratio : array of float64, shape (passes, 3)
        Variance of the first over that of the second, with the ends of its interval.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    ratio: FloatArray


def lead_of(
    first: FloatArray,
    second: FloatArray,
    candidates: tuple[BoolArray, BoolArray],
    rng: np.random.Generator,
    level: float,
) -> Lead:
    """Compare the best estimator of each of two sides on the same items, by passes.

    The best have the least variance of one half of the replicates, averaged over the items; they are compared on the
    other half, because the smallest of many noisy variances is biased downwards.

    Parameters
    ----------
    first, second : array of float64, shape (estimator, passes, item, replicate)
        Estimates in nats, NaN where an estimator was not run.
    candidates : tuple of array of bool, shape (estimator,)
        Which estimators can be the best of each side.
    rng : numpy.random.Generator
        For the bootstrap.
    level : float
    """
    half, columns = first.shape[-1] // 2, np.arange(first.shape[1])
    chosen = [
        _least(analysis.variance(estimates[..., :half]).mean(axis=-1), among)
        for estimates, among in zip((first, second), candidates, strict=True)
    ]
    rest = [estimates[row, columns][..., half:] for estimates, row in zip((first, second), chosen, strict=True)]
    efficiency: Efficiency = analysis.relative_efficiency(rest[1], rest[0], rng, level)
    both = (chosen[0] >= 0) & (chosen[1] >= 0)
    ratio = np.stack([efficiency.ratio, efficiency.lower, efficiency.upper], axis=-1)
    return Lead(chosen[0], chosen[1], np.where(both[:, None], ratio, np.nan))


def _least(spread: FloatArray, candidates: BoolArray) -> NDArray[np.intp]:
    """Return the candidate with the least spread (estimator, passes), by passes; -1 where none was run."""
    known = np.where(candidates[:, None] & np.isfinite(spread), spread, np.inf)
    return np.where(np.isfinite(known).any(axis=0), known.argmin(axis=0), -1)

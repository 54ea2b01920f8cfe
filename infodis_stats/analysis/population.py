"""Means of a population from a random sample of documents, some of which may dominate."""

from dataclasses import dataclass

import numpy as np
import scipy

from infodis_stats.analysis.intervals import Interval, hall_quantiles
from infodis_stats.analysis.replicates import FloatArray, rounding

__all__ = ["PopulationMean", "effective_documents", "population_mean", "size_degrees"]

SIGNIFICANT_SKEWNESS = 2.0  # standard errors of the skewness of normal values
FEWEST_FOR_SKEWNESS = 3
FEWEST_DOCUMENTS = 6  # by size: with fewer, skewness does not show


@dataclass(frozen=True, eq=False)
class PopulationMean:
    """A total per unit of size of a population, estimated from a sample of documents.

    Attributes
    ----------
    standard_error : float
    interval : Interval
    effective_documents : float
        `effective_documents` of the leverage-corrected residuals.
    dominated : bool
        Whether a few documents dominate: fewer effective documents than the logarithm of their number, or fewer than
        6 documents by size, `size_degrees` plus 1.
    """

    standard_error: float
    interval: Interval
    effective_documents: float
    dominated: bool


def population_mean(values: FloatArray, sizes: FloatArray, level: float) -> PopulationMean:
    """Return the standard error and confidence interval of ``sum(values) / sum(sizes)`` for the population.

    Parameters
    ----------
    values, sizes : ndarray of float64, shape (D,)
        Values and positive sizes of D >= 2 documents, a random sample.
    level : float
        Confidence level in (0, 1).

    Notes
    -----
    See `infodis_stats.analysis.average`.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 1.5, 2.5, 3.0, 2.0, 1.0, 30.0])
    >>> found = population_mean(values, np.ones(8), level=0.95)
    >>> plain = scipy.stats.t.interval(0.95, 7, values.mean(), scipy.stats.sem(values))
    >>> bool(np.isclose(found.interval.lower, plain[0])), bool(found.interval.upper > plain[1])
    (True, True)
    >>> round(found.effective_documents, 1), found.dominated
    (1.3, True)
    """
    total, documents = sizes.sum(), len(values)
    estimate = values.sum() / total
    residuals = (values - estimate * sizes) / np.sqrt(_others(sizes))
    standard_error = float(np.sqrt((residuals**2).sum()) / total)
    degrees = size_degrees(sizes)
    quantile = float(scipy.special.stdtrit(degrees, (1 + level) / 2))
    ends = np.array([-quantile, quantile])
    varied = standard_error > rounding(estimate)
    if varied and documents >= FEWEST_FOR_SKEWNESS:
        skewness = scipy.stats.skew(residuals / np.abs(residuals).max(), bias=False)
        if abs(skewness) > SIGNIFICANT_SKEWNESS * _skewness_error(documents):
            lower, upper = hall_quantiles(skewness / np.sqrt(documents), quantile)
            # On the side of the short tail, Hall's end is inside Student's: the union keeps the outer one.
            ends = np.array([min(-quantile, -upper), max(quantile, -lower)])
    # Residuals that are rounding errors say nothing.
    effective = effective_documents(residuals) if varied else float(documents)
    dominated = round(degrees + 1, 6) < FEWEST_DOCUMENTS or effective < float(np.log(documents))
    interval = Interval(*(estimate + ends * standard_error))
    return PopulationMean(standard_error, interval, effective, dominated)


def effective_documents(residuals: FloatArray) -> float:
    """Return how many documents carry the variance: ``sum(e^2)^2 / sum(e^4)``.

    Parameters
    ----------
    residuals : ndarray of float64, shape (D,)
        Contributions ``e`` of the documents to the error of an average.

    Returns
    -------
    float
        Between 1 and D; D if all are 0. About D/3 for many normal residuals.

    Examples
    --------
    >>> effective_documents(np.array([1.0, -1.0, 1.0, -1.0])), effective_documents(np.array([5.0, 0.0, 0.0, 0.0]))
    (4.0, 1.0)
    """
    largest = np.abs(residuals).max()
    squares = (residuals / largest) ** 2 if largest > 0 else np.ones(len(residuals))
    return float(squares.sum() ** 2 / (squares**2).sum())


def size_degrees(sizes: FloatArray) -> float:
    """Return the degrees of freedom of the variance of a total per unit of size.

    Satterthwaite's approximation of the leverage-corrected variance, if the variance of a document is proportional to
    its size (Bell and McCaffrey).

    Parameters
    ----------
    sizes : ndarray of float64, shape (D,)
        Positive sizes of D >= 2 documents.

    Returns
    -------
    float
        Between 1 and D - 1; D - 1 for equal sizes.

    Examples
    --------
    >>> round(size_degrees(np.ones(8)), 9), round(size_degrees(np.array([1.0, 1, 1, 1, 1, 1, 1, 100])), 2)
    (7.0, 1.12)
    """
    share = sizes / sizes.sum()
    ratio = np.sort(share**2 / _others(sizes))
    # The sum of the products of pairs, without subtracting squares.
    pairs = 2 * (ratio[1:] * ratio.cumsum()[:-1]).sum()
    return float(1 / ((share**2).sum() + pairs))


def _others(sizes: FloatArray) -> FloatArray:
    """Return one minus the share of each document in the total size; positive despite rounding."""
    return np.asarray(np.maximum((sizes.sum() - sizes) / sizes.sum(), np.finfo(np.float64).eps))


def _skewness_error(count: int) -> float:
    """Return the standard deviation of the unbiased sample skewness of normal values."""
    return float(np.sqrt(6 * count * (count - 1) / ((count - 2) * (count + 1) * (count + 3))))

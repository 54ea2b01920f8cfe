"""Averages over the documents of a data set: of these documents, or of the population they were drawn from."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from estimators.errors import InputError
from infodis_stats.analysis.components import check_documents, satterthwaite
from infodis_stats.analysis.intervals import Interval
from infodis_stats.analysis.replicates import Estimates, FloatArray, check_level

__all__ = ["Average", "Of", "average", "win_rate"]

Of = Literal["these", "population"]


@dataclass(frozen=True, eq=False)
class Average:
    """An average and its error.

    Attributes
    ----------
    estimate, standard_error : float
    interval : Interval
    """

    estimate: float
    standard_error: float
    interval: Interval


def average(estimates: Estimates, of: Of, sizes: ArrayLike | None = None, level: float = 0.95) -> Average:
    """Mean over documents, or the total over documents per unit of size, with its interval.

    Parameters
    ----------
    estimates : Estimates
        Of D documents, nats; arrays (D,). Documents have random numbers of their own.
    of : {"these", "population"}
        Whose average is asked for. These documents: only the masks are random. The population: the documents are a
        sample of it, too.
    sizes : array_like, shape (D,), optional
        What a document counts, such as its tokens: ``sum(y) / sum(sizes)``. Default 1 each: the mean.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Average
        Nats, or nats per unit of size. A point where the masks leave no doubt about these documents.

    Raises
    ------
    InputError
        If a document has no estimate, sizes do not fit, a population has fewer than 2 documents, or the level is
        outside (0, 1).

    Notes
    -----
    With the document's estimate ``y_d``, its squared standard error ``v_d`` of ``nu_d`` degrees of freedom and ``W =
    sum(sizes)``: these documents have ``se^2 = sum(v_d) / W^2``, t with Satterthwaite's degrees ``sum(v)^2 / sum(v_d^2
    / (nu_d + 2)) - 2``. Their population has ``se^2 = D/(D - 1) sum(e_d^2) / W^2``, ``e_d = y_d - estimate * size_d``,
    t with D - 1 degrees: the spread of documents contains the noise of their masks, and adding it would count it twice.
    The total over sizes is a ratio estimator over a population [1]_; its error is that of the delta method.

    References
    ----------
    .. [1] W. G. Cochran, Sampling Techniques, 1977, section 6.

    Examples
    --------
    >>> documents = Estimates.of_replicates([[10.0, 10.2], [21.0, 20.8], [5.0, 5.2]])
    >>> [round(average(documents, of).standard_error, 3) for of in ("these", "population")]
    [0.058, 4.662]
    >>> round(average(documents, "these", sizes=[10, 20, 6]).estimate, 3)
    1.003
    """
    check_level(level)
    _check_of(of)
    check_documents(estimates, "an average")
    values = estimates.estimate
    weights = np.ones(values.shape) if sizes is None else np.asarray(sizes, dtype=np.float64)
    if weights.shape != values.shape or not (weights > 0).all():
        raise InputError(f"{len(values)} documents need as many positive sizes, got shape {weights.shape}")
    total = weights.sum()
    estimate = float(values.sum() / total)
    if of == "these":
        summed, degrees = (estimates.standard_error**2).sum(), satterthwaite(estimates)
    else:
        documents = _enough(estimates)
        summed = ((values - estimate * weights) ** 2).sum() * documents / (documents - 1)
        degrees = documents - 1.0
    standard_error = float(np.sqrt(summed) / total)
    half_width = stats.t.ppf((1 + level) / 2, degrees) * standard_error
    return Average(estimate, standard_error, Interval(*np.array([estimate - half_width, estimate + half_width])))


def win_rate(estimates: Estimates, of: Of, level: float = 0.95) -> Average:
    """Share of the documents whose true value is above zero, those at zero counted half.

    Parameters
    ----------
    estimates : Estimates
        As in `average`, such as log ratios of pairs.
    of : {"these", "population"}
        As in `average`.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Average
        Shares. The standard error is NaN: what is unknown are single signs, and the interval is not normal.

    Raises
    ------
    InputError
        As `average`.

    Notes
    -----
    The share of positive estimates is drawn towards one half: noise turns more small values round on the side where
    there are more of them. The estimate here adds the noise once more, exactly, and takes off what that did: ``2 share
    - mean(Phi(t_d))``, ``t_d`` the document's t statistic (simulation-extrapolation [1]_ without simulation). That
    removes the part of order ``1/R`` where values are spread smoothly about zero. It is cut at the bounds below.

    No estimate can know the signs of nearly equal pairs, so the interval does not rest on it. Documents whose one-sided
    t test is below ``a = (1 - level)/2`` are claimed to be above zero. Among ``k`` documents that are not above zero,
    such claims are binomial(k, a), which bounds their number at ``1 - a``; and so below zero. The interval of these
    documents lies between the two bounds. It holds at least at its level, whatever the values are, for normal
    errors. That of the population is Wilson's, its ends taken at the bounds.

    Measured (400 to 600 simulations; 20 to 400 documents; R = 4 and 8; normal and exponential replicates; clear signs,
    smooth values, near ties): coverage 98 to 100 %, nominal 95, of both intervals. The share of positive estimates
    with Wilson's interval covers 92 to 97 % on clear signs and smooth values and 0 to 74 % on near ties. With 100
    documents the width for these is 0.08 where signs are clear at R = 8, 0.17 at R = 4.

    References
    ----------
    .. [1] J. R. Cook, L. A. Stefanski, Simulation-extrapolation estimation in parametric measurement error models,
       J. American Statistical Association 89, 1994.

    Examples
    --------
    >>> draws = [[2.0, 2.1, 2.0], [3.0, 3.1, 3.0], [-2.0, -2.1, -2.2], [0.1, -0.1, 0.2]]
    >>> found = win_rate(Estimates.of_replicates(draws), "these")
    >>> round(found.estimate, 3), float(found.interval.lower), float(found.interval.upper)
    (0.806, 0.25, 1.0)
    """
    check_level(level)
    _check_of(of)
    check_documents(estimates, "a win-rate")
    documents = len(estimates.estimate) if of == "these" else _enough(estimates)
    statistic = estimates.statistic
    sure = estimates.standard_error == 0
    tied = sure & (statistic == 0)
    shares = np.where(tied, 0.5, 2 * (statistic > 0) - np.where(sure, statistic > 0, stats.norm.cdf(statistic)))
    tail = (1 - level) / 2
    unsure = ~sure
    degrees = estimates.degrees[unsure]
    # Sure documents count as they are; of the others, all but those that may not be above (or below) zero.
    above = (sure & (statistic > 0)).sum() + _at_least(stats.t.sf(statistic[unsure], degrees), tail)
    below = (sure & (statistic < 0)).sum() + _at_least(stats.t.cdf(statistic[unsure], degrees), tail)
    ends = np.array([above + tied.sum() / 2, documents - below - tied.sum() / 2]) / documents
    estimate = float(np.clip(shares.mean(), *ends))
    if of == "population":
        lower, upper = proportion_confint(ends * documents, documents, alpha=1 - level, method="wilson")
        # Exact where the share is 0 or 1, where Wilson's formula rounds.
        ends = np.array([lower[0] if ends[0] > 0 else 0.0, upper[1] if ends[1] < 1 else 1.0])
    return Average(estimate, np.nan, Interval(*ends))


def _check_of(of: str) -> None:
    if of not in ("these", "population"):
        raise InputError(f"an average is of 'these' or of the 'population', got {of!r}")


def _enough(estimates: Estimates) -> int:
    documents = len(estimates.estimate)
    if documents < 2:
        raise InputError("a population needs at least 2 documents of it, got 1")
    return documents


def _at_least(p_values: FloatArray, tail: float) -> int:
    """Return how many nulls are false at least, but for a chance of ``tail``, given independent p-values."""
    large = int((p_values > tail).sum())
    nulls = np.arange(large, len(p_values) + 1)
    possible = nulls - large <= stats.binom.ppf(1 - tail, nulls, tail)
    return len(p_values) - int(nulls[possible].max())

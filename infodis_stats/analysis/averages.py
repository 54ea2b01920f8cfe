"""Averages over documents: of the documents themselves, or of the population from which they are sampled."""

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
    """An average with its standard error and confidence interval.

    Attributes
    ----------
    estimate, standard_error : float
    interval : Interval
    """

    estimate: float
    standard_error: float
    interval: Interval


def average(estimates: Estimates, of: Of, sizes: ArrayLike | None = None, level: float = 0.95) -> Average:
    """Mean over documents, or total per unit of size, with its confidence interval.

    Parameters
    ----------
    estimates : Estimates
        Estimates for D documents in nats; arrays (D,). Documents do not share random numbers.
    of : {"these", "population"}
        ``"these"``: the average of these documents, where only the masks are random. ``"population"``: the average of
        the population from which the documents are a random sample.
    sizes : array_like, shape (D,), optional
        Size of each document, such as its number of tokens. The average is ``sum(y) / sum(sizes)``. Default: 1, which
        gives the mean.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Average
        In nats, or nats per unit of size. The interval for ``"these"`` is a point if all estimates are exact.

    Raises
    ------
    InputError
        If a document has no estimate, the sizes do not match, a population has fewer than 2 documents, or the level is
        outside (0, 1).

    Notes
    -----
    Let ``y_d`` be the estimate for document ``d``, ``v_d`` its squared standard error with ``nu_d`` degrees of freedom,
    and ``W = sum(sizes)``. For these documents, ``se^2 = sum(v_d) / W^2``, and the t distribution has Satterthwaite's
    degrees of freedom ``sum(v)^2 / sum(v_d^2 / (nu_d + 2)) - 2``. For the population,
    ``se^2 = D/(D - 1) sum(e_d^2) / W^2`` with ``e_d = y_d - estimate * size_d`` and D - 1 degrees of freedom: the
    variation between documents includes the noise of their masks, so that noise is not added. The total per unit of
    size is a ratio estimator [1]_, whose standard error follows from the delta method.

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
        raise InputError(
            f"sizes must be positive and have shape ({len(values)},), one per document, got shape {weights.shape}"
        )
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
    """Fraction of documents whose true value is positive, counting zeros as one half.

    Parameters
    ----------
    estimates : Estimates
        Estimates for D documents in nats, such as log ratios of pairs; arrays (D,).
    of : {"these", "population"}
        These documents, or the population from which they are a random sample.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Average
        Fractions. The standard error is NaN, because the estimate is not approximately normal.

    Raises
    ------
    InputError
        If a document has no estimate, a population has fewer than 2 documents, or the level is outside (0, 1).

    Notes
    -----
    The fraction of positive estimates is biased towards 1/2, because noise flips more signs on the side where there are
    more values near zero. The estimate here is extrapolated: ``2 fraction - mean(Phi(t_d))`` with the t statistics
    ``t_d``, that is, simulation-extrapolation [1]_ with the simulation in closed form. This removes the bias of order
    ``1/R`` if the density of values is smooth at zero. The result is clipped to the bounds below.

    The interval does not depend on this estimate, since no estimate can determine the signs of nearly equal pairs.
    Documents with a one-sided t test below ``a = (1 - level)/2`` are claimed to be positive. Among ``k`` documents that
    are not positive, the number of such claims is binomial(k, a), which bounds ``k`` with confidence ``1 - a``. The
    number of documents that are not negative is bounded likewise. The interval for these documents is given by the two
    bounds; for normal errors, its coverage is at least nominal for all true values. The interval for the population is
    the Wilson interval with its ends evaluated at the bounds.

    Measured coverage of both intervals is 98 to 100 %, nominal 95 (400 to 600 simulations; 20 to 400 documents; R = 4
    and 8; normal and exponential replicates; clear signs, smooth values, near ties). The fraction of positive estimates
    with the Wilson interval covers 92 to 97 % for clear signs and smooth values, and 0 to 74 % for near ties. With 100
    documents and clear signs, the width for these documents is 0.08 at R = 8 and 0.17 at R = 4.

    References
    ----------
    .. [1] J. R. Cook, L. A. Stefanski, Simulation-extrapolation estimation in parametric measurement error models,
       J. American Statistical Association 89, 1994.

    Examples
    --------
    >>> draws = [[2.0, 2.1, 2.0], [3.0, 3.1, 3.0], [-2.0, -2.1, -2.2], [0.1, -0.1, 0.2]]
    >>> result = win_rate(Estimates.of_replicates(draws), "these")
    >>> round(result.estimate, 3), float(result.interval.lower), float(result.interval.upper)
    (0.806, 0.25, 1.0)
    """
    check_level(level)
    _check_of(of)
    check_documents(estimates, "a win-rate")
    documents = len(estimates.estimate) if of == "these" else _enough(estimates)
    statistic = estimates.statistic
    exact = estimates.standard_error == 0
    tied = exact & (statistic == 0)
    shares = np.where(tied, 0.5, 2 * (statistic > 0) - np.where(exact, statistic > 0, stats.norm.cdf(statistic)))
    tail = (1 - level) / 2
    noisy = ~exact
    degrees = estimates.degrees[noisy]
    # Lower confidence bounds on the numbers of positive and of negative documents.
    above = (exact & (statistic > 0)).sum() + _at_least(stats.t.sf(statistic[noisy], degrees), tail)
    below = (exact & (statistic < 0)).sum() + _at_least(stats.t.cdf(statistic[noisy], degrees), tail)
    ends = np.array([above + tied.sum() / 2, documents - below - tied.sum() / 2]) / documents
    estimate = float(np.clip(shares.mean(), *ends))
    if of == "population":
        lower, upper = proportion_confint(ends * documents, documents, alpha=1 - level, method="wilson")
        # Wilson's formula rounds at fractions of 0 and 1.
        ends = np.array([lower[0] if ends[0] > 0 else 0.0, upper[1] if ends[1] < 1 else 1.0])
    return Average(estimate, np.nan, Interval(*ends))


def _check_of(of: str) -> None:
    if of not in ("these", "population"):
        raise InputError(f"of must be 'these' or 'population', got {of!r}")


def _enough(estimates: Estimates) -> int:
    documents = len(estimates.estimate)
    if documents < 2:
        raise InputError("an average over the population needs at least 2 documents, got 1")
    return documents


def _at_least(p_values: FloatArray, tail: float) -> int:
    """Return a lower ``1 - tail`` confidence bound on the number of false nulls among independent p-values."""
    large = int((p_values > tail).sum())
    nulls = np.arange(large, len(p_values) + 1)
    possible = nulls - large <= stats.binom.ppf(1 - tail, nulls, tail)
    return len(p_values) - int(nulls[possible].max())

"""Win-rates: the share of documents, such as pairs of texts, whose true value is positive."""

import numpy as np
import scipy
from statsmodels.stats.proportion import proportion_confint

from infodis_stats.analysis.averages import Average, Of, check_of, enough_documents
from infodis_stats.analysis.decisions import least_false_nulls
from infodis_stats.analysis.intervals import Interval
from infodis_stats.analysis.replicates import Estimates, check_level
from infodis_stats.analysis.variance_components import check_documents

__all__ = ["win_rate"]


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
    check_of(of)
    check_documents(estimates, "a win-rate")
    documents = len(estimates.estimate) if of == "these" else enough_documents(estimates)
    statistic = estimates.statistic
    exact = estimates.standard_error == 0
    tied = exact & (statistic == 0)
    shares = np.where(tied, 0.5, 2 * (statistic > 0) - np.where(exact, statistic > 0, scipy.stats.norm.cdf(statistic)))
    tail = (1 - level) / 2
    noisy = ~exact
    degrees = estimates.degrees[noisy]
    # Lower confidence bounds on the numbers of positive and of negative documents.
    above = (exact & (statistic > 0)).sum() + least_false_nulls(scipy.stats.t.sf(statistic[noisy], degrees), tail)
    below = (exact & (statistic < 0)).sum() + least_false_nulls(scipy.stats.t.cdf(statistic[noisy], degrees), tail)
    ends = np.array([above + tied.sum() / 2, documents - below - tied.sum() / 2]) / documents
    estimate = float(np.clip(shares.mean(), *ends))
    if of == "population":
        lower, upper = proportion_confint(ends * documents, documents, alpha=1 - level, method="wilson")
        # Wilson's formula rounds at fractions of 0 and 1.
        ends = np.array([lower[0] if ends[0] > 0 else 0.0, upper[1] if ends[1] < 1 else 1.0])
    return Average(estimate, np.nan, Interval(*ends))

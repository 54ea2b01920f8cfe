"""Variance components: between documents, and within documents (the noise of the masks)."""

from dataclasses import dataclass

import numpy as np
import scipy

from estimators.errors import InputError
from estimators.within_variance import WithinVariance, added
from infodis_stats.analysis.intervals import Interval
from infodis_stats.analysis.replicates import Estimates, check_level

__all__ = ["Components", "check_documents", "components", "mask_share", "satterthwaite"]

MOST_DEGREES = 1e6  # scipy has no quantiles of F and chi-square for infinite degrees of freedom


@dataclass(frozen=True, eq=False)
class Components:
    """Variance components and their confidence intervals.

    Attributes
    ----------
    between : float
        Variance of the true values of documents, nats squared; 0 if the masks explain the whole variance.
    within : float
        Variance of an estimate about the true value of its document, averaged over documents, nats squared.
    between_interval, within_interval : Interval
    """

    between: float
    within: float
    between_interval: Interval
    within_interval: Interval


def check_documents(estimates: Estimates, purpose: str) -> None:
    """Raise an `InputError` unless there is an estimate with a standard error for each document, arrays (D,)."""
    shape = estimates.estimate.shape
    if len(shape) != 1 or not shape[0]:
        raise InputError(f"{purpose} needs estimates of shape (D,) with at least 1 document, got shape {shape}")
    if missing := int(np.isnan(estimates.estimate + estimates.standard_error + estimates.degrees).sum()):
        raise InputError(f"{purpose} needs an estimate and a standard error for each document, but {missing} have none")


def satterthwaite(estimates: Estimates) -> float:
    """Return the degrees of freedom of the sum of squared standard errors of independent estimates (D,).

    See Also
    --------
    estimators.within_variance.added

    Examples
    --------
    >>> satterthwaite(Estimates([1.0, 2.0], [0.5, 0.5], [4.0, 4.0]))
    8.0
    """
    squares = estimates.standard_error**2
    parts = zip(squares[:, None], estimates.degrees[:, None], strict=True)
    return float(added(*(WithinVariance(square, degrees) for square, degrees in parts)).degrees[0])


def components(estimates: Estimates, level: float = 0.95) -> Components:
    """Estimate variance components by the method of moments.

    Parameters
    ----------
    estimates : Estimates
        Estimates for D >= 4 documents in nats; arrays (D,). Documents are a random sample and do not share random
        numbers.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Components

    Raises
    ------
    InputError
        If there are too few documents, a document has no estimate, or the level is outside (0, 1).

    Notes
    -----
    ``within`` is the mean of the squared standard errors, and ``between`` is the variance of the estimates minus
    ``within``, truncated at 0. Before truncation it is unbiased for any within-document variances and numbers of
    replicates. In the balanced case it equals the REML estimate. Its interval is the modified-large-sample interval
    [1]_, with Satterthwaite's degrees of freedom for ``within`` and kurtosis-adjusted degrees of freedom for the
    variance of the estimates [2]_. The interval for ``within`` is a t interval over documents on the log scale.

    Measured coverage in percent, nominal 95 (1,500 simulations; R = 8; unequal within-document variances), for 10, 30
    and 100 documents: of ``between`` at 2 (20) times ``within``, 96, 97, 96 (96, 95, 96) for normal documents and 92,
    89, 91 (87, 86, 91) for exponential ones; of ``within``, 93, 94, 95, and 91, 92, 94 at R = 3.

    References
    ----------
    .. [1] R. K. Burdick, F. A. Graybill, Confidence Intervals on Variance Components, 1992, section 3.3.
    .. [2] R. Hummel, S. Banga, T. P. Hettmansperger, Better confidence intervals for the variance in a random sample,
       Minitab technical report, 2005.

    Examples
    --------
    >>> draws = [[1.0, 1.2], [3.0, 3.2], [5.0, 5.2], [2.0, 2.2]]
    >>> result = components(Estimates.of_replicates(draws))
    >>> round(result.between, 3), round(result.within, 3)
    (2.907, 0.01)
    """
    check_level(level)
    check_documents(estimates, "a variance component")
    values, squares = estimates.estimate, estimates.standard_error**2
    documents = len(values)
    if documents < 4:
        raise InputError(f"the variance between documents needs at least 4 documents, got {documents}")
    spread, within = float(values.var(ddof=1)), float(squares.mean())
    tail = (1 - level) / 2
    # Negative excess kurtosis is truncated at 0, because small samples underestimate the kurtosis.
    excess = max(0.0, float(scipy.stats.kurtosis(values, bias=False))) if spread > 0 else 0.0
    spread_degrees = 2 * documents / (excess + 2 * documents / (documents - 1))
    ends = _difference(spread, within, spread_degrees, min(satterthwaite(estimates), MOST_DEGREES), tail)
    scatter = float(squares.std(ddof=1)) / np.sqrt(documents)
    factor = np.exp(scipy.stats.t.ppf(1 - tail, documents - 1) * scatter / within) if within > 0 else 1.0
    return Components(
        max(0.0, spread - within),
        within,
        Interval(*np.maximum(0.0, spread - within + np.array([-ends[0], ends[1]]))),
        Interval(*np.array([within / factor, within * factor])),
    )


def mask_share(estimates: Estimates) -> float:
    """Return the fraction of the variance of the estimates that is due to the masks.

    Parameters
    ----------
    estimates : Estimates
        Estimates for D >= 2 documents in nats; arrays (D,).

    Returns
    -------
    float
        The mean squared standard error over the variance of the estimates. It can exceed 1 if documents hardly differ;
        NaN if the estimates do not vary.

    Raises
    ------
    InputError
        If there are too few documents, or a document has no estimate.

    Examples
    --------
    >>> draws = [[1.0, 1.2], [3.0, 3.2], [5.0, 5.2], [2.0, 2.2]]
    >>> round(mask_share(Estimates.of_replicates(draws)), 4)
    0.0034
    """
    check_documents(estimates, "a share of the variance")
    if len(estimates.estimate) < 2:
        raise InputError("the variance between documents needs at least 2 documents, got 1")
    spread, noise = float(estimates.estimate.var(ddof=1)), float((estimates.standard_error**2).mean())
    return noise / spread if spread > 0 else np.nan


def _difference(first: float, second: float, m: float, n: float, tail: float) -> tuple[float, float]:
    """Half-widths below and above the difference of two variance estimates with m and n degrees of freedom."""
    squares = []
    for side in (1 - tail, tail):  # the upper half-width exchanges the tails
        ratio = scipy.stats.f.ppf(side, m, n)
        g, h = 1 - m / scipy.stats.chi2.ppf(side, m), n / scipy.stats.chi2.ppf(1 - side, n) - 1
        cross = ((ratio - 1) ** 2 - g**2 * ratio**2 - h**2) / ratio
        squares.append(g**2 * first**2 + h**2 * second**2 + cross * first * second)
    below, above = np.sqrt(np.maximum(0.0, squares)).tolist()
    return below, above

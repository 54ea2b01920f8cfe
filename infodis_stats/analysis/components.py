"""Components of variance: between the documents of a data set, and within them, the noise of the masks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from estimators.errors import InputError
from estimators.within_variance import WithinVariance, added
from infodis_stats.analysis.intervals import Interval
from infodis_stats.analysis.replicates import Estimates, check_level

__all__ = ["Components", "check_documents", "components", "mask_share", "reml", "satterthwaite"]

LARGEST_RATIO = 1e8  # of the components: beyond it the likelihood no longer moves
MOST_DEGREES = 1e6  # quantiles of infinitely many are no numbers


@dataclass(frozen=True, eq=False)
class Components:
    """Components of variance and their confidence intervals.

    Attributes
    ----------
    between : float
        Variance of the documents' true values, nats squared; 0 where the masks explain all there is.
    within : float
        Variance of an estimate around its document's true value, averaged over documents, nats squared.
    between_interval, within_interval : Interval
        Of the two.
    """

    between: float
    within: float
    between_interval: Interval
    within_interval: Interval


def check_documents(estimates: Estimates, purpose: str) -> None:
    """Refuse estimates that are not those of documents. Raises `InputError`."""
    shape = estimates.estimate.shape
    if len(shape) != 1 or not shape[0]:
        raise InputError(f"{purpose} needs estimates of documents, shape (D,), got shape {shape}")
    if missing := int(np.isnan(estimates.estimate + estimates.standard_error + estimates.degrees).sum()):
        raise InputError(f"{purpose} needs an estimate and its error for each document, {missing} have none")


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
    """Components of variance by moments.

    Parameters
    ----------
    estimates : Estimates
        Of D >= 4 documents, nats; arrays (D,). Documents are a sample and have random numbers of their own.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    Components

    Raises
    ------
    InputError
        If there are too few documents, one has no estimate, or the level is outside (0, 1).

    Notes
    -----
    ``within`` is the mean of the squared standard errors, and ``between`` the variance of the estimates less that. It
    is unbiased (before it is cut at 0) whatever the documents' own mask variances and numbers of replicates are; for
    equal ones it is the REML estimate. Its interval is that of modified large samples [1]_ with Satterthwaite's degrees
    of freedom for the masks and, for the variance of estimates, degrees lowered by its kurtosis [2]_. ``within`` has a
    t interval over documents of its logarithm.

    Measured coverage in percent (nominal 95; 1,500 simulations; R = 8, unequal mask variances) of ``between`` where it
    is twice, and 20 times, the variance within: 10, 30 and 100 normal documents 96, 97, 96 and 96, 95, 96;
    exponential ones 92, 89, 91 and 87, 86, 91. Of ``within``: 93, 94, 95, and with R = 3 91, 92, 94.

    References
    ----------
    .. [1] R. K. Burdick, F. A. Graybill, Confidence Intervals on Variance Components, 1992, section 3.3.
    .. [2] R. Hummel, S. Banga, T. P. Hettmansperger, Better confidence intervals for the variance in a random sample,
       Minitab technical report, 2005.

    Examples
    --------
    >>> draws = [[1.0, 1.2], [3.0, 3.2], [5.0, 5.2], [2.0, 2.2]]
    >>> found = components(Estimates.of_replicates(draws))
    >>> round(found.between, 3), round(found.within, 3)
    (2.907, 0.01)
    """
    check_level(level)
    check_documents(estimates, "a variance component")
    values, squares = estimates.estimate, estimates.standard_error**2
    documents = len(values)
    if documents < 4:
        raise InputError(f"the variance between documents needs at least 4 of them, got {documents}")
    spread, within = float(values.var(ddof=1)), float(squares.mean())
    tail = (1 - level) / 2
    # Normal documents have no excess kurtosis; a light tail, which small samples feign, is not believed.
    excess = max(0.0, float(stats.kurtosis(values, bias=False))) if spread > 0 else 0.0
    spread_degrees = 2 * documents / (excess + 2 * documents / (documents - 1))
    ends = _difference(spread, within, spread_degrees, min(satterthwaite(estimates), MOST_DEGREES), tail)
    scatter = float(squares.std(ddof=1)) / np.sqrt(documents)
    factor = np.exp(stats.t.ppf(1 - tail, documents - 1) * scatter / within) if within > 0 else 1.0
    return Components(
        max(0.0, spread - within),
        within,
        Interval(*np.maximum(0.0, spread - within + np.array([-ends[0], ends[1]]))),
        Interval(*np.array([within / factor, within * factor])),
    )


def mask_share(estimates: Estimates) -> float:
    """Return what part of the variance of the documents' estimates is noise of the masks.

    Parameters
    ----------
    estimates : Estimates
        As in `components`, D >= 2.

    Returns
    -------
    float
        The mean squared standard error over the variance of the estimates: above 1 by chance where documents hardly
        differ, NaN where the estimates do not vary.

    Raises
    ------
    InputError
        If there are too few documents or one has no estimate.

    Examples
    --------
    >>> draws = [[1.0, 1.2], [3.0, 3.2], [5.0, 5.2], [2.0, 2.2]]
    >>> round(mask_share(Estimates.of_replicates(draws)), 4)
    0.0034
    """
    check_documents(estimates, "a share of the variance")
    if len(estimates.estimate) < 2:
        raise InputError("the variance between documents needs at least 2 of them, got 1")
    spread, noise = float(estimates.estimate.var(ddof=1)), float((estimates.standard_error**2).mean())
    return noise / spread if spread > 0 else np.nan


def reml(draws: ArrayLike) -> tuple[float, float]:
    """Components of variance by restricted maximum likelihood, for documents of one mask variance.

    Parameters
    ----------
    draws : array_like, shape (D, R)
        R >= 2 independent replicates of D >= 2 documents, nats; NaN stands where a document has no replicate.

    Returns
    -------
    between, within : float
        Nats squared; within is the variance of one replicate.

    Raises
    ------
    InputError
        If there are too few documents or replicates.

    Notes
    -----
    The likelihood of the one-way random-effects model, maximised over the ratio of the components, which is all that
    needs a search; for equal numbers of replicates the ratio has a closed form. It weighs documents by their replicates
    and is more precise than moments where these differ much, but it assumes one mask variance for all documents, which
    real ones have not: `components` does not.

    References
    ----------
    S. R. Searle, G. Casella, C. E. McCulloch, Variance Components, 1992, section 3.8.

    Examples
    --------
    >>> between, within = reml([[1.0, 1.2], [3.0, 3.2], [5.0, 5.2], [2.0, 2.2]])
    >>> round(between, 3), round(within, 3)
    (2.907, 0.02)
    """
    estimates = Estimates.of_replicates(draws)
    check_documents(estimates, "a variance component")
    means, counts = estimates.estimate, estimates.degrees + 1
    inside = float((estimates.degrees * counts * estimates.standard_error**2).sum())
    if len(means) < 2:
        raise InputError("the variance between documents needs at least 2 of them, got 1")
    if inside == 0:
        return float(means.var(ddof=1)), 0.0

    def within(ratio: float) -> float:
        weights = counts / (1 + ratio * counts)
        centre = (weights * means).sum() / weights.sum()
        return float((inside + (weights * (means - centre) ** 2).sum()) / (counts.sum() - 1))

    def deviance(ratio: float) -> float:
        # Minus twice the restricted log-likelihood, maximised over the mean and the component within.
        weights = counts / (1 + ratio * counts)
        logs = np.log1p(ratio * counts).sum() + np.log(weights.sum())
        return float((counts.sum() - 1) * np.log(within(ratio)) + logs)

    if (counts == counts[0]).all():
        squares = counts[0] * means.var(ddof=1) * (counts.sum() - len(counts)) / inside
        ratio = max(0.0, float((squares - 1) / counts[0]))
    else:
        found = optimize.minimize_scalar(
            lambda log: deviance(np.exp(log)),
            bounds=(-18, np.log(LARGEST_RATIO)),
            method="bounded",
            options={"xatol": 1e-9},
        )
        ratio = float(np.exp(found.x)) if found.fun < deviance(0.0) else 0.0
    return ratio * within(ratio), within(ratio)


def _difference(first: float, second: float, m: float, n: float, tail: float) -> tuple[float, float]:
    """Half-widths below and above the difference of two independent variances with m and n degrees of freedom."""
    squares = []
    for side in (1 - tail, tail):  # above, all tails are turned round
        ratio = stats.f.ppf(side, m, n)
        own, other = 1 - m / stats.chi2.ppf(side, m), n / stats.chi2.ppf(1 - side, n) - 1
        cross = ((ratio - 1) ** 2 - own**2 * ratio**2 - other**2) / ratio
        squares.append(own**2 * first**2 + other**2 * second**2 + cross * first * second)
    below, above = np.sqrt(np.maximum(0.0, squares)).tolist()
    return below, above

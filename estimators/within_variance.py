"""The within-replicate variance: the variance of a replicate, estimated from its own passes.

It gives intervals where there are few replicates, or a single one. All arrays have replicates first, and every
replicate is judged by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["WithinVariance", "added", "from_parts", "from_residuals", "from_second_differences", "from_strata"]

FloatArray = NDArray[np.float64]

MOST_LEVERAGE = 0.95  # of a pass on its own fit: with two passes a line fits both exactly
FEWEST_FOR_BEND = 8  # passes
SIGNIFICANT_BEND = 3  # standard errors
ROUNDING = 1e-10  # of shares between 0 and 1


@dataclass(frozen=True, eq=False)
class WithinVariance:
    """An estimate of each replicate's variance, and the degrees of freedom that it has.

    Attributes
    ----------
    variance : array of float64, shape (replicates,)
        Nats squared.
    degrees : array of float64, shape (replicates,)
        Degrees of freedom: the estimate is distributed about as the variance times chi-squared over its degrees.
    """

    variance: FloatArray
    degrees: FloatArray

    @classmethod
    def concatenate(cls, parts: Sequence["WithinVariance"]) -> "WithinVariance":
        """Join the replicates of several parts."""
        return cls(np.concatenate([part.variance for part in parts]), np.concatenate([part.degrees for part in parts]))

    def part(self, replicates: slice) -> "WithinVariance":
        """Return the variances of some of the replicates."""
        return WithinVariance(self.variance[replicates], self.degrees[replicates])


def from_parts(parts: FloatArray) -> WithinVariance:
    """Estimate from independent, identically distributed parts (replicates, n >= 2) whose mean is the estimate.

    Examples
    --------
    >>> within = from_parts(np.array([[1.0, 3.0, 5.0]]))
    >>> within.variance.round(3), within.degrees
    (array([1.333]), array([2.]))
    """
    count = parts.shape[1]
    return WithinVariance(parts.var(axis=1, ddof=1) / count, np.full(len(parts), count - 1.0))


def from_residuals(terms: FloatArray, at: FloatArray) -> WithinVariance:
    """Estimate from the residuals of a line or a parabola, for one term in each stratum and a smooth mean.

    The variance is ``K^-2 sum_k e_k^2 / (1 - h_k)`` (HC2) for a line: each pass with its own variance. The jumps
    between strata cost nothing, as they do not move the estimate. Where the mean bends significantly, by more than 3
    standard errors, the residuals are those of a parabola, divided by ``(1 - h_k)^2`` (HC3).

    Parameters
    ----------
    terms : array of float64, shape (replicates, passes)
        What each pass alone would estimate, nats.
    at : array of float64, shape (replicates, passes)
        The share of positions that each pass masks.

    Notes
    -----
    Measured at 16 passes, 1 replicate, 800 samples each of stratified counts, nominal 95 %: on four copies the bend is
    significant in 93 % of the samples, the width of the interval falls from 1.89 to 1.15 of that from the true variance
    and coverage from 99.5 to 95.9 %; on a nearly deterministic chain 76 %, 1.60 to 1.20, 99.8 to 96.8 %; on a chain of
    order 2 5 %, 1.07 to 1.06, 94.1 to 93.5 %.

    References
    ----------
    J. G. MacKinnon, H. White, Some heteroskedasticity-consistent covariance matrix estimators, Journal of Econometrics
    29, 1985.

    Examples
    --------
    >>> at = np.array([[0.2, 0.4, 0.6, 0.8]])
    >>> float(from_residuals(3.0 + at, at).variance[0].round(12))
    0.0
    """
    passes = terms.shape[1]
    line, curve = _directions(at)
    residual = _without(line, terms - terms.mean(axis=1, keepdims=True))
    leverage = np.minimum(1.0 / passes + line**2, MOST_LEVERAGE)
    shares = residual**2 / (1.0 - leverage)
    most = np.full(len(terms), passes - 2.0)
    if passes >= FEWEST_FOR_BEND:
        bend = (residual * curve).sum(axis=1)
        leverage = np.minimum(1.0 / passes + line**2 + curve**2, MOST_LEVERAGE)
        curved = (_without(curve, residual) / (1.0 - leverage)) ** 2
        bends = bend**2 > SIGNIFICANT_BEND**2 * (curve**2 * curved).sum(axis=1)
        shares = np.where(bends[:, None], curved, shares)
        most -= bends
    return _summed(shares / passes**2, most)


def _directions(at: FloatArray) -> tuple[FloatArray, FloatArray]:
    # Of a line and of a parabola in each row: orthonormal, and orthogonal to constants; 0 where there are none.
    line = _normalised(at - at.mean(axis=1, keepdims=True))
    square = line**2 - (line**2).mean(axis=1, keepdims=True)
    return line, _normalised(_without(line, square))


def _normalised(rows: FloatArray) -> FloatArray:
    length = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    unit: FloatArray = np.divide(rows, length, out=np.zeros_like(rows), where=length > ROUNDING)
    return unit


def _without(direction: FloatArray, rows: FloatArray) -> FloatArray:
    left: FloatArray = rows - (rows * direction).sum(axis=1, keepdims=True) * direction
    return left


def from_second_differences(terms: FloatArray) -> WithinVariance:
    """Estimate from second differences of neighbours, for one term in each stratum and a mean that may bend.

    Parameters
    ----------
    terms : array of float64, shape (replicates, passes)
        What each pass alone would estimate, nats; in the order of the strata. At least 3.

    Notes
    -----
    A second difference of independent terms has six times their variance, and a straight line has none. Neighbouring
    ones are correlated (-2/3 and 1/6), so that ``n`` of them have ``18 n / 35`` degrees of freedom.

    Examples
    --------
    >>> float(from_second_differences(np.array([[1.0, 2.0, 3.0, 4.0]])).variance[0])
    0.0
    """
    passes = terms.shape[1]
    differences = (terms[:, :-2] - 2.0 * terms[:, 1:-1] + terms[:, 2:]) ** 2 / 6.0
    count = passes - 2.0
    return _summed(differences / (passes * count), most=18.0 * count / 35.0, correlation=35.0 / 18.0)


def from_strata(contributions: FloatArray, strata: NDArray[np.int64]) -> WithinVariance:
    """Estimate from several passes in each stratum.

    Parameters
    ----------
    contributions : array of float64, shape (replicates, passes)
        What each pass adds to the estimate, nats.
    strata : array of int64, shape (passes,)
        The stratum of each pass, in order. A stratum of one pass is exact.

    References
    ----------
    F. E. Satterthwaite, An approximate distribution of estimates of variance components, Biometrics 2, 1946.

    Examples
    --------
    >>> from_strata(np.array([[5.0, 1.0, 3.0]]), np.array([0, 1, 1])).variance
    array([4.])
    """
    inside = [contributions[:, strata == stratum] for stratum in np.unique(strata)]
    sampled = [terms for terms in inside if terms.shape[1] > 1]
    if not sampled:
        return WithinVariance(np.zeros(len(contributions)), np.full(len(contributions), np.inf))
    return added(*(_of_sum(terms) for terms in sampled))


def _of_sum(terms: FloatArray) -> WithinVariance:
    count = terms.shape[1]
    return WithinVariance(count * terms.var(axis=1, ddof=1), np.full(len(terms), count - 1.0))


def added(*parts: WithinVariance) -> WithinVariance:
    """Return the variance of a sum of independent estimates, with Satterthwaite's degrees of freedom.

    The fourth moments that the degrees need are estimated without bias: ``v^2 nu / (nu + 2)`` for ``sigma^4``.

    Examples
    --------
    >>> within = WithinVariance(np.array([1.0]), np.array([4.0]))
    >>> added(within, within).degrees
    array([8.])
    """
    variance = np.stack([part.variance for part in parts])
    degrees = np.stack([part.degrees for part in parts])
    total = variance.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        satterthwaite = total**2 / (variance**2 / (degrees + 2.0)).sum(axis=0) - 2.0
    fewest, most = degrees.min(axis=0), degrees.sum(axis=0)
    return WithinVariance(total, np.clip(np.where(np.isnan(satterthwaite), most, satterthwaite), fewest, most))


def _summed(shares: FloatArray, most: FloatArray | float, correlation: float = 1.0) -> WithinVariance:
    """Add shares (replicates, n) of one degree each; ``correlation`` divides the degrees if shares are correlated."""
    total = shares.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = (3.0 * total**2 / (shares**2).sum(axis=1) - 2.0) / correlation
    return WithinVariance(
        total, np.clip(np.where(np.isnan(degrees), most, degrees), np.minimum(1.0, most), np.maximum(most, 1.0))
    )

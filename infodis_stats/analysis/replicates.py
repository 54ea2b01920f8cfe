"""Replicates and what they are reduced to: what the analysis asks of its draws, and when draws count as equal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError

__all__ = [
    "Estimates",
    "FloatArray",
    "all_equal",
    "as_draws",
    "as_truth",
    "check_level",
    "check_resamples",
    "rounding",
]

FloatArray = NDArray[np.float64]


def as_draws(draws: ArrayLike, needed: int, purpose: str) -> FloatArray:
    """Return `draws` as float64 after checking that there are enough replicates.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        Independent replicates of an estimate along the last axis.
    needed : int
        The fewest replicates that the purpose allows.
    purpose : str
        What the replicates are for, as the start of the error message: "an interval".

    Returns
    -------
    ndarray of float64, shape (..., R)

    Raises
    ------
    InputError
        If there is no replicate axis or it is too short.

    Examples
    --------
    >>> as_draws([1, 2, 3], needed=2, purpose="an interval")
    array([1., 2., 3.])
    """
    values = np.asarray(draws, dtype=np.float64)
    found = values.shape[-1] if values.ndim else 1
    if values.ndim == 0 or found < needed:
        raise InputError(f"{purpose} needs at least {needed} replicates, got {found}")
    return values


def as_truth(truth: ArrayLike, draws: FloatArray) -> FloatArray:
    """Return `truth` as float64 with one value per cell of `draws`.

    Parameters
    ----------
    truth : array_like, broadcastable to (...)
        What is estimated.
    draws : ndarray of float64, shape (..., R)
        Replicates of the estimates.

    Returns
    -------
    ndarray of float64, shape (...)
        Read-only where it was broadcast.

    Raises
    ------
    InputError
        If it does not broadcast.

    Examples
    --------
    >>> as_truth(3.0, np.zeros((2, 8)))
    array([3., 3.])
    """
    values = np.asarray(truth, dtype=np.float64)
    cells = draws.shape[:-1]
    try:
        return np.broadcast_to(values, cells)
    except ValueError:
        raise InputError(f"a truth of shape {values.shape} does not fit estimates of shape {cells}") from None


def check_level(level: float) -> None:
    """Refuse a confidence level outside (0, 1).

    Parameters
    ----------
    level : float
        A confidence level such as 0.95.

    Raises
    ------
    InputError
        If the level is 0, 1 or outside; a percentage such as 95 is the usual cause.

    Examples
    --------
    >>> check_level(0.95)
    """
    if not 0 < level < 1:
        raise InputError(f"a confidence level lies between 0 and 1, got {level}")


def check_resamples(resamples: int, level: float) -> None:
    """Refuse a bootstrap whose resamples cannot reach the tails of the level.

    Parameters
    ----------
    resamples : int
        Number of bootstrap resamples.
    level : float
        Confidence level; each tail must hold at least one resample on average.

    Raises
    ------
    InputError
        If there are too few resamples.

    Examples
    --------
    >>> check_resamples(999, level=0.95)
    """
    needed = int(np.ceil(round(2 / (1 - level), 6))) - 1
    if resamples < needed:
        raise InputError(f"a {level} bootstrap interval needs at least {needed} resamples, got {resamples}")


def rounding(value: ArrayLike) -> FloatArray:
    """Largest difference from `value` that counts as float rounding: ``1e-9 * max(1 nat, |value|)``.

    Sums of float64 token losses agree to about 1e-13 of their size, and nobody needs a billionth of a nat.

    Parameters
    ----------
    value : array_like, shape (...)
        Nats.

    Returns
    -------
    ndarray of float64, shape (...)
        Nats.

    Examples
    --------
    >>> rounding([0.0, 250.0])
    array([1.0e-09, 2.5e-07])
    """
    return np.asarray(1e-9 * np.maximum(1.0, np.abs(np.asarray(value, dtype=np.float64))))


def all_equal(draws: FloatArray) -> NDArray[np.bool_]:
    """Say where the replicates are equal up to rounding, as those of an exact estimator are.

    Parameters
    ----------
    draws : ndarray of float64, shape (..., R)
        Nats.

    Returns
    -------
    ndarray of bool, shape (...)
        True where the standard deviation over replicates is within `rounding` of their mean; False for NaN.

    Examples
    --------
    >>> all_equal(np.array([[0.3, 0.1 + 0.2], [0.3, 0.4]]))
    array([ True, False])
    """
    return np.asarray(draws.std(axis=-1) <= rounding(draws.mean(axis=-1)))


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates and their errors, all that Student's t asks for; the arrays share one shape.

    Parameters
    ----------
    estimate : ndarray of float64
        Nats; NaN where there is none.
    standard_error : ndarray of float64
        Nats. One that is float `rounding` of its estimate becomes 0.
    degrees : ndarray of float64
        Degrees of freedom of the standard error; infinite where it is known.

    Raises
    ------
    InputError
        If shapes differ, a standard error is negative, or there are no degrees of freedom.

    Examples
    --------
    >>> Estimates([3.0, 0.0], [1.5, 0.0], [7, np.inf]).statistic
    array([2., 0.])
    """

    estimate: FloatArray
    standard_error: FloatArray
    degrees: FloatArray

    def __post_init__(self) -> None:
        """Check the arrays, and take rounding for what it is."""
        given = (self.estimate, self.standard_error, self.degrees)
        estimate, error, degrees = (np.asarray(one, dtype=np.float64) for one in given)
        if not estimate.shape == error.shape == degrees.shape:
            shapes = ", ".join(str(one.shape) for one in (estimate, error, degrees))
            raise InputError(f"estimates, standard errors and degrees of freedom need one shape, got {shapes}")
        if (error < 0).any() or (degrees <= 0).any():
            raise InputError("standard errors need to be at least 0, and degrees of freedom above 0")
        object.__setattr__(self, "estimate", estimate)
        object.__setattr__(self, "standard_error", np.where(error <= rounding(estimate), 0.0, error))
        object.__setattr__(self, "degrees", degrees)

    @classmethod
    def of_replicates(cls, draws: ArrayLike) -> "Estimates":
        """Reduce replicates to their means.

        Parameters
        ----------
        draws : array_like, shape (..., R)
            R >= 2 independent replicates of each estimate, nats. NaN stands where a cell has no replicate.

        Returns
        -------
        Estimates
            Arrays of shape (...); NaN where a cell has fewer than 2 replicates.

        Raises
        ------
        InputError
            If R < 2.

        Examples
        --------
        >>> found = Estimates.of_replicates([[1.0, 2.0, 3.0], [2.0, 4.0, float("nan")]])
        >>> found.estimate, found.standard_error.round(3), found.degrees
        (array([2., 3.]), array([0.577, 1.   ]), array([2., 1.]))
        """
        values = as_draws(draws, 2, "a standard error")
        there = ~np.isnan(values)
        count = np.where(there.sum(axis=-1) >= 2, there.sum(axis=-1), np.nan)
        mean = np.where(there, values, 0.0).sum(axis=-1) / count
        squares = np.where(there, (values - mean[..., None]) ** 2, 0.0).sum(axis=-1)
        return cls(mean, np.sqrt(squares / (count - 1) / count), count - 1)

    @property
    def statistic(self) -> FloatArray:
        """Student's statistic against zero: infinite where an estimate is sure, 0 where it is sure to be zero."""
        sure_zero = (self.standard_error == 0) & (np.abs(self.estimate) <= rounding(0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sure_zero, 0.0, self.estimate / self.standard_error)

"""Replicates and `Estimates`: input checks, and the tolerance within which values count as equal."""

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
    "block",
    "check_level",
    "check_resamples",
    "rounding",
]

FloatArray = NDArray[np.float64]

LEAST_SKEWNESS = 1e-6  # below it, Hall's transformation changes nothing to nine digits


def as_draws(draws: ArrayLike, needed: int, purpose: str) -> FloatArray:
    """Convert `draws` to float64 and check the number of replicates.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        Independent replicates of an estimate on the last axis.
    needed : int
        Smallest number of replicates.
    purpose : str
        Purpose of the replicates, as the start of the error message: "an interval".

    Returns
    -------
    ndarray of float64, shape (..., R)

    Raises
    ------
    InputError
        If there is no replicate axis, or there are too few replicates.

    Examples
    --------
    >>> as_draws([1, 2, 3], needed=2, purpose="an interval")
    array([1., 2., 3.])
    """
    values = np.asarray(draws, dtype=np.float64)
    count = values.shape[-1] if values.ndim else 1
    if values.ndim == 0 or count < needed:
        raise InputError(f"{purpose} needs at least {needed} replicates, got {count}")
    return values


def as_truth(truth: ArrayLike, draws: FloatArray) -> FloatArray:
    """Broadcast `truth` to float64 with one value per cell of `draws`.

    Parameters
    ----------
    truth : array_like, broadcastable to (...)
        True values.
    draws : ndarray of float64, shape (..., R)
        Replicates of the estimates.

    Returns
    -------
    ndarray of float64, shape (...)
        Read-only if broadcast.

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
        raise InputError(f"a truth of shape {values.shape} does not broadcast to estimates of shape {cells}") from None


def check_level(level: float) -> None:
    """Check that a confidence level is in (0, 1).

    Parameters
    ----------
    level : float
        A confidence level such as 0.95.

    Raises
    ------
    InputError
        If the level is outside (0, 1), usually because it is a percentage.

    Examples
    --------
    >>> check_level(0.95)
    """
    try:
        inside = bool(0 < level < 1)
    except (TypeError, ValueError):  # a string or an array, say
        inside = False
    if not inside:
        raise InputError(f"a confidence level must be between 0 and 1, got {level!r}")


def check_resamples(resamples: int, level: float) -> None:
    """Check that there are enough bootstrap resamples for a confidence level.

    Parameters
    ----------
    resamples : int
        Number of bootstrap resamples.
    level : float
        Confidence level; the expected number of resamples in each tail must be at least 1.

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
    """Tolerance within which values count as equal: ``1e-9 * max(1 nat, |value|)``.

    It exceeds the relative rounding error of sums of float64 token losses, about 1e-13, and is negligible in practice.

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
    """Return whether the replicates of a cell are equal up to rounding, as those of an exact estimator.

    Parameters
    ----------
    draws : ndarray of float64, shape (..., R)
        Nats.

    Returns
    -------
    ndarray of bool, shape (...)
        True if the standard deviation over replicates is at most the `rounding` of their mean; False for NaN.

    Examples
    --------
    >>> all_equal(np.array([[0.3, 0.1 + 0.2], [0.3, 0.4]]))
    array([ True, False])
    """
    return np.asarray(draws.std(axis=-1) <= rounding(draws.mean(axis=-1)))


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates, standard errors and degrees of freedom, as for Student's t; arrays of the same shape.

    Parameters
    ----------
    estimate : ndarray of float64
        Nats; NaN if missing.
    standard_error : ndarray of float64
        Nats. Values within the `rounding` of the estimate are set to 0.
    degrees : ndarray of float64
        Degrees of freedom of the standard error; infinite if it is known.
    skewness : ndarray of float64, optional
        Skewness of the estimates, for which the statistic is corrected; 0 by default.
    unseen : ndarray of float64, optional
        Largest error in nats that no standard error shows, by which intervals are wider and statistics nearer to 0;
        0 by default.

    Raises
    ------
    InputError
        If shapes differ, a standard error or an unseen error is negative, or degrees of freedom are not positive.

    Examples
    --------
    >>> Estimates([3.0, 0.0], [1.5, 0.0], [7, np.inf]).statistic
    array([2., 0.])
    >>> float(Estimates([3.0], [1.5], [7], unseen=[1.5]).statistic[0])
    1.0
    """

    estimate: FloatArray
    standard_error: FloatArray
    degrees: FloatArray
    skewness: FloatArray | None = None
    unseen: FloatArray | None = None

    def __post_init__(self) -> None:
        """Check the arrays, and set standard errors within rounding to 0."""
        given = (self.estimate, self.standard_error, self.degrees)
        estimate, error, degrees = (np.asarray(values, dtype=np.float64) for values in given)
        skewness, unseen = (
            np.zeros(estimate.shape) if values is None else np.asarray(values, dtype=np.float64)
            for values in (self.skewness, self.unseen)
        )
        if not estimate.shape == error.shape == degrees.shape == skewness.shape == unseen.shape:
            shapes = ", ".join(str(values.shape) for values in (estimate, error, degrees, skewness, unseen))
            raise InputError(
                "estimates, standard errors, degrees of freedom, skewness and unseen errors must have the same shape, "
                f"got {shapes}"
            )
        if (error < 0).any() or (unseen < 0).any() or (degrees <= 0).any():
            raise InputError(
                "standard errors and unseen errors must be at least 0, and degrees of freedom must be positive"
            )
        object.__setattr__(self, "estimate", estimate)
        object.__setattr__(self, "standard_error", np.where(error <= rounding(estimate), 0.0, error))
        object.__setattr__(self, "degrees", degrees)
        object.__setattr__(self, "skewness", skewness)
        object.__setattr__(self, "unseen", unseen)

    @classmethod
    def of_replicates(cls, draws: ArrayLike) -> "Estimates":
        """Reduce replicates to means and standard errors.

        Parameters
        ----------
        draws : array_like, shape (..., R)
            R >= 2 independent replicates of each estimate, nats; missing replicates are NaN.

        Returns
        -------
        Estimates
            Arrays of shape (...); NaN if a cell has fewer than 2 replicates.

        Raises
        ------
        InputError
            If R < 2.

        Examples
        --------
        >>> estimates = Estimates.of_replicates([[1.0, 2.0, 3.0], [2.0, 4.0, float("nan")]])
        >>> estimates.estimate, estimates.standard_error.round(3), estimates.degrees
        (array([2., 3.]), array([0.577, 1.   ]), array([2., 1.]))
        """
        values = as_draws(draws, 2, "a standard error")
        present = ~np.isnan(values)
        count = np.where(present.sum(axis=-1) >= 2, present.sum(axis=-1), np.nan)
        mean = np.where(present, values, 0.0).sum(axis=-1) / count
        squares = np.where(present, (values - mean[..., None]) ** 2, 0.0).sum(axis=-1)
        return cls(mean, np.sqrt(squares / (count - 1) / count), count - 1)

    @property
    def statistic(self) -> FloatArray:
        """The t statistic of the null hypothesis of zero: infinite for exact nonzero estimates, 0 for exact zeros.

        Where an estimate is skewed, it is transformed as Hall's interval is, and an unseen error moves it towards 0:
        the test rejects zero if and only if the interval excludes it.
        """
        exact_zero = (self.standard_error == 0) & (np.abs(self.estimate) <= rounding(0.0))
        skewness, unseen = np.asarray(self.skewness), np.asarray(self.unseen)
        with np.errstate(divide="ignore", invalid="ignore"):
            nearer = np.sign(self.estimate) * np.maximum(np.abs(self.estimate) - unseen, 0.0)
            plain = np.where(exact_zero, 0.0, nearer / self.standard_error)
            hall = ((1.0 + skewness * plain / 3.0) ** 3 - 1.0) / skewness + skewness / 6.0
        return np.where(np.abs(skewness) < LEAST_SKEWNESS, plain, hall)


def block(draws: ArrayLike, size: int) -> FloatArray:
    """Divide replicates into disjoint blocks, to measure the coverage of intervals based on `size` replicates.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        Independent replicates.
    size : int
        Replicates per block, from 1 to R.

    Returns
    -------
    ndarray of float64, shape (..., R // size, size)
        Blocks in order; the last ``R % size`` replicates are dropped.

    Raises
    ------
    InputError
        If the size is below 1 or above R.

    Examples
    --------
    >>> block([1.0, 2.0, 3.0, 4.0, 5.0], size=2)
    array([[1., 2.],
           [3., 4.]])
    """
    if size < 1:
        raise InputError(f"a block needs at least 1 replicate, got {size}")
    values = as_draws(draws, size, f"a block of {size}")
    blocks = values.shape[-1] // size
    return values[..., : blocks * size].reshape(*values.shape[:-1], blocks, size)

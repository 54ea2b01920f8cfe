"""Bias, variance and mean squared error over replicates, and tests of the bias."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from infodis_stats.analysis.replicates import FloatArray, all_equal, as_draws, as_truth, rounding

__all__ = ["Bias", "bias", "mean_squared_error", "pooled_bias", "variance"]


@dataclass(frozen=True, eq=False)
class Bias:
    """An estimated bias and the test that it is zero, arrays of the same shape.

    Parameters
    ----------
    estimate : ndarray of float64
        Mean error, nats.
    standard_error : ndarray of float64
        Standard error of the mean error, nats.
    z : ndarray of float64
        The t statistic: estimate over standard error.
    p_value : ndarray of float64
        Two-sided p-value from Student's t.
    """

    estimate: FloatArray
    standard_error: FloatArray
    z: FloatArray
    p_value: FloatArray


def bias(draws: ArrayLike, truth: ArrayLike) -> Bias:
    """Mean error over replicates, with its t test.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        R >= 2 independent replicates of each estimate, nats.
    truth : array_like, broadcastable to (...)
        True values, nats.

    Returns
    -------
    Bias
        Arrays of shape (...). The p-value has R - 1 degrees of freedom.

    Raises
    ------
    InputError
        If R < 2, or the truth does not broadcast.

    Notes
    -----
    If all replicates are equal up to rounding (an exact estimator), z is 0 for an error within
    ``1e-9 * max(1 nat, |truth|)``, and huge or infinite for a larger error. NaN replicates give NaN.

    Examples
    --------
    >>> result = bias([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]], truth=[1.0, 2.0])
    >>> result.estimate
    array([1., 0.])
    >>> result.z.round(3)
    array([1.732, 0.   ])
    >>> result.p_value.round(3)
    array([0.225, 1.   ])
    """
    values = as_draws(draws, 2, "a standard error")
    target = as_truth(truth, values)
    error = np.asarray(values.mean(axis=-1) - target)
    standard_error = np.asarray(values.std(axis=-1, ddof=1) / np.sqrt(values.shape[-1]))
    exact = all_equal(values) & (np.abs(error) <= rounding(target))
    return _t_test(error, standard_error, exact, np.asarray(values.shape[-1] - 1.0))


def pooled_bias(draws: ArrayLike, truth: ArrayLike, axis: int, truth_se: ArrayLike = 0.0) -> Bias:
    """Mean bias over a fixed set of sequences, with its t test.

    The sequences are a fixed set, not a sample from a population, so the variation between them does not enter the
    standard error.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        R >= 2 independent replicates of each estimate, nats. Sequences must not share random
        numbers.
    truth : array_like, broadcastable to (...)
        True values, nats.
    axis : int
        The axis of sequences among the leading axes (...); -1 is the last of them.
    truth_se : array_like, broadcastable to (...)
        Known standard error ``tau_d`` of a truth that is itself an independent estimate, nats.

    Returns
    -------
    Bias
        Arrays of shape (...) without `axis`. The standard error is ``sqrt(sum_d (s_d^2 / R + tau_d^2)) / N``; the
        p-value has Satterthwaite's degrees of freedom [1]_. Exact estimators are treated as in `bias`. A NaN sequence
        gives NaN.

    Raises
    ------
    InputError
        If R < 2, or the truth does not broadcast.

    References
    ----------
    .. [1] F. E. Satterthwaite, An approximate distribution of estimates of variance components, Biometrics 2, 1946.

    Examples
    --------
    >>> result = pooled_bias([[1.0, 2.0, 3.0], [4.0, 4.0, 7.0]], truth=[1.0, 5.0], axis=0)
    >>> float(result.estimate), round(float(result.standard_error), 3)
    (0.5, 0.577)
    """
    values = as_draws(draws, 2, "a standard error")
    replicates = values.shape[-1]
    target = as_truth(truth, values)
    error = values.mean(axis=-1) - target
    squared_error = values.var(axis=-1, ddof=1) / replicates
    pooled = np.asarray(error.mean(axis=axis))
    known = np.broadcast_to(as_truth(truth_se, values), error.shape) ** 2
    total = (squared_error + known).sum(axis=axis)
    standard_error = np.asarray(np.sqrt(total) / error.shape[axis])
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = total**2 / np.sum(squared_error**2, axis=axis) * (replicates - 1)
    # If no sequence varies, the p-value does not depend on the degrees of freedom.
    degrees = np.where(np.isnan(degrees), replicates - 1.0, degrees)
    tolerance = rounding(target).mean(axis=axis)
    exact = np.asarray(all_equal(values).all(axis=axis) & (np.abs(pooled) <= tolerance))
    return _t_test(pooled, standard_error, exact, degrees)


def _t_test(error: FloatArray, standard_error: FloatArray, exact: NDArray[np.bool_], degrees: FloatArray) -> Bias:
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(exact, 0.0, error / standard_error)
    p_value = np.asarray(2 * scipy.stats.t.sf(np.abs(z), degrees))
    return Bias(error, standard_error, z, p_value)


def variance(draws: ArrayLike) -> FloatArray:
    """Sample variance over replicates, with divisor R - 1.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        R >= 2 independent replicates of each estimate, nats.

    Returns
    -------
    ndarray of float64, shape (...)
        Nats squared.

    Raises
    ------
    InputError
        If R < 2.

    Examples
    --------
    >>> variance([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])
    array([1., 0.])
    """
    return np.asarray(as_draws(draws, 2, "a variance").var(axis=-1, ddof=1))


def mean_squared_error(draws: ArrayLike, truth: ArrayLike) -> FloatArray:
    """Mean squared error over replicates.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        Independent replicates of each estimate, nats.
    truth : array_like, broadcastable to (...)
        True values, nats.

    Returns
    -------
    ndarray of float64, shape (...)
        Nats squared.

    Raises
    ------
    InputError
        If there is no replicate, or the truth does not broadcast.

    Examples
    --------
    >>> float(mean_squared_error([1.0, 2.0, 4.0], truth=2.0).round(3))
    1.667
    """
    values = as_draws(draws, 1, "a mean squared error")
    error = values - as_truth(truth, values)[..., None]
    return np.asarray((error**2).mean(axis=-1))

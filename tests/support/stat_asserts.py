"""Assertions about random numbers, in standard errors.

For normal means, four sigmas give one false alarm in 16,000 checks: enough for a suite with fixed seeds, where failures
after a harmless change of the random stream should be rare. Use at least a few hundred draws; with fewer, use
`assert_unbiased`, whose bound accounts for the degrees of freedom.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


def assert_mean(draws: ArrayLike, expected: ArrayLike, sigmas: float = 4.0) -> None:
    """Check that every mean over the last axis is within `sigmas` standard errors (or 1e-9) of its expectation."""
    values = np.asarray(draws, dtype=np.float64)
    error = values.mean(axis=-1) - expected
    standard_error = values.std(axis=-1, ddof=1) / np.sqrt(values.shape[-1])
    z = _z_scores(error, standard_error)
    assert np.all(np.abs(z) <= sigmas), f"mean is off by z = {_largest(z):.2f}, allowed {sigmas}"


def assert_rate(successes: int, trials: int, expected: float, sigmas: float = 4.0) -> None:
    """Check that a count of successes is within `sigmas` binomial standard deviations of ``trials * expected``."""
    error = np.asarray(successes - trials * expected, dtype=np.float64)
    z = _z_scores(error, np.sqrt(np.asarray(trials * expected * (1 - expected))))
    rate = successes / trials
    assert np.all(np.abs(z) <= sigmas), f"rate {rate:.4f} is off {expected} by z = {z:.2f}, allowed {sigmas}"


def assert_unbiased(draws: ArrayLike, truth: ArrayLike, false_alarms: float = 1e-4) -> None:
    """Check by t tests that no cell of draws (..., R) is biased, with Bonferroni correction over all cells."""
    values = np.asarray(draws, dtype=np.float64)
    replicates = values.shape[-1]
    error = values.mean(axis=-1) - truth
    z = _z_scores(error, values.std(axis=-1, ddof=1) / np.sqrt(replicates))
    allowed = stats.t.isf(false_alarms / (2 * z.size), replicates - 1)
    assert np.all(np.abs(z) <= allowed), f"biased: z = {_largest(z):.2f}, allowed {allowed:.2f}"


def _z_scores(error: np.ndarray, standard_error: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(error) <= 1e-9, 0.0, error / standard_error)


def _largest(z: np.ndarray) -> float:
    flat = z.ravel()
    return float(flat[np.argmax(np.where(np.isnan(flat), np.inf, np.abs(flat)))])

"""Discrete distributions: validation, random generation, and sampling by inversion."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError

__all__ = ["checked_probabilities", "cumulative", "dirichlet", "inverse", "numbers"]

TOLERANCE = 1e-9  # largest accepted deviation of a sum of probabilities from 1
ROUNDING = 1e-14  # deviation from 1 that float64 rounding explains
SMALLEST, LARGEST = 1e-300, 1e300  # concentrations for which log probabilities are finite


def numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Copy numbers into a float64 array; `InputError` names the argument ``what`` if they are not numbers."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{what} must be an array of numbers: {error}") from error


def checked_probabilities(values: NDArray[np.float64], what: str, conditions: int = 0) -> NDArray[np.float64]:
    """Check that probabilities sum to 1 within 1e-9, and normalise them.

    Parameters
    ----------
    values : array of float64
        One or several distributions. Those that sum to 1 up to rounding are kept unchanged, bit for bit.
    what : str
        Name of the array in error messages.
    conditions : int
        Number of leading axes that index distributions; the other axes index outcomes.

    Raises
    ------
    InputError
        If a value is negative or not finite, or a sum deviates from 1; the message gives the index and the value.
    """
    wrong = np.argwhere(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        raise InputError(
            f"{_entry(what, wrong[0])} is {values[tuple(wrong[0])]:.12g}; probabilities must be at least 0"
        )
    outcomes = tuple(range(conditions, values.ndim))
    with np.errstate(over="ignore"):  # an infinite sum is not 1 either
        totals = values.sum(axis=outcomes, keepdims=True)
    off = np.abs(totals - 1)
    wrong = np.argwhere(off > TOLERANCE)
    if len(wrong):
        total = totals[tuple(wrong[0])]
        raise InputError(f"the sum of {_entry(what, wrong[0][:conditions])} is {total:.12g}, not 1")
    return np.where(off > ROUNDING, values / totals, values)


def dirichlet(rng: np.random.Generator, concentration: float, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Draw distributions (distribution, outcome) from a symmetric Dirichlet, without underflow of small probabilities.

    Raises
    ------
    InputError
        If the concentration is outside [1e-300, 1e300].
    """
    if not SMALLEST <= concentration <= LARGEST:
        raise InputError(f"concentration must be from 1e-300 to 1e300, got {concentration}")
    # Gamma(a) = Gamma(a + 1) U^(1/a) in distribution; in logarithms, because numpy's dirichlet underflows to 0.
    log_gamma = np.log(rng.standard_gamma(concentration + 1, shape)) - rng.standard_exponential(shape) / concentration
    weights: NDArray[np.float64] = np.exp(log_gamma - log_gamma.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def cumulative(laws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cumulative distribution functions of distributions (distribution, outcome), for `inverse`."""
    sums: NDArray[np.float64] = laws.cumsum(axis=1)
    # The last entry is exactly 1, so that a last outcome of probability 0 is never drawn.
    sums /= np.where(sums[:, -1:] > 0, sums[:, -1:], 1.0)
    return sums


def inverse(functions: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sample by inversion: map uniforms (draw,) in [0, 1) to outcomes by the CDFs (draw, outcome)."""
    outcomes: NDArray[np.int64] = (functions <= uniform[:, None]).sum(axis=1)
    return outcomes


def _entry(what: str, index: NDArray[np.intp]) -> str:
    return f"{what}[{', '.join(map(str, index))}]" if len(index) else what

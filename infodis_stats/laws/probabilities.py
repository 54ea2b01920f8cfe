"""Laws of finitely many outcomes: handed over by a user, drawn at random, drawn from."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError

__all__ = ["checked_probabilities", "cumulative", "dirichlet", "inverse", "numbers"]

TOLERANCE = 1e-9  # how far from one a sum of probabilities may be
ROUNDING = 1e-14  # how far from one correct probabilities sum in float64
SMALLEST, LARGEST = 1e-300, 1e300  # concentrations whose logarithms of probabilities are finite


def numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Copy numbers into a float64 array, or raise an `InputError` that says what they were meant to be."""
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{what} needs to be an array of numbers: {error}") from error


def checked_probabilities(values: NDArray[np.float64], what: str, conditions: int = 0) -> NDArray[np.float64]:
    """Scale probabilities to sum to one, after checking that they nearly do.

    Parameters
    ----------
    values : array of float64
        Laws that sum to one within 1e-9. Those that do so up to rounding are kept bit for bit.
    what : str
        How messages call the array.
    conditions : int
        Number of leading axes that say which law it is; the others are its outcomes.

    Raises
    ------
    InputError
        If a value is negative or not finite, or a law has another sum; it says where and the sum.
    """
    wrong = np.argwhere(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        raise InputError(f"{_entry(what, wrong[0])} is {values[tuple(wrong[0])]:.12g}; probabilities are at least 0")
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
    """Draw laws (law, outcome) from the symmetric Dirichlet law, without rounding small probabilities to zero.

    Raises
    ------
    InputError
        If the concentration is not from 1e-300 to 1e300.
    """
    if not SMALLEST <= concentration <= LARGEST:
        raise InputError(f"concentration needs to be positive and finite, got {concentration} (1e-300 to 1e300)")
    # Gamma(a) is Gamma(a + 1) U^(1/a): in logarithms, because numpy's own rounds small probabilities to zero.
    log_gamma = np.log(rng.standard_gamma(concentration + 1, shape)) - rng.standard_exponential(shape) / concentration
    weights: NDArray[np.float64] = np.exp(log_gamma - log_gamma.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def cumulative(laws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distribution functions of laws (law, outcome), for `inverse`."""
    sums: NDArray[np.float64] = laws.cumsum(axis=1)
    # The last entry is exactly one, so that an outcome of probability zero is never drawn.
    sums /= np.where(sums[:, -1:] > 0, sums[:, -1:], 1.0)
    return sums


def inverse(functions: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return where each distribution function (draw, outcome) passes its number (draw,) in [0, 1): an outcome."""
    outcomes: NDArray[np.int64] = (functions <= uniform[:, None]).sum(axis=1)
    return outcomes


def _entry(what: str, index: NDArray[np.intp]) -> str:
    return f"{what}[{', '.join(map(str, index))}]" if len(index) else what

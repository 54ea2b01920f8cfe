"""Importance sampling in time: a pilot learns which times need most passes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError

__all__ = ["SMALLEST_PILOT", "TimeLaw"]

PASSES_PER_BIN = 16  # with 8, single rare jumps made the variance up to twice as large
SMALLEST_PILOT = 2 * PASSES_PER_BIN  # two bins
EVENLY = 0.3  # share of the passes that are uniform in time: no weight is more than 3.3 times too large


@dataclass(frozen=True)
class TimeLaw:
    """A law of the time on (0, 1), piecewise uniform.

    Parameters
    ----------
    probability : tuple of float
        Of equal parts of the interval, in order; positive, sum 1.

    Raises
    ------
    InputError
        If they are not such probabilities.

    Examples
    --------
    >>> law = TimeLaw((0.75, 0.25))
    >>> law.times([0.0, 0.75, 1.0]), law.density([0.1, 0.9])
    (array([0. , 0.5, 1. ]), array([1.5, 0.5]))
    """

    probability: tuple[float, ...]

    def __post_init__(self) -> None:
        values = np.array(self.probability, dtype=np.float64)
        if values.ndim != 1 or not len(values) or not (values > 0).all() or abs(values.sum() - 1) > 1e-9:
            raise InputError(f"a law of the time needs positive probabilities that sum to 1, got {self.probability}")

    @classmethod
    def fitted(cls, quantiles: NDArray[np.float64], squares: NDArray[np.float64]) -> "TimeLaw":
        """Return the law with the least variance by a pilot: proportional to the root mean square of a pass's term.

        Parameters
        ----------
        quantiles : array of float64, shape (passes,)
            Times of the pilot's passes.
        squares : array of float64, shape (passes,)
            Squares of their terms, with uniform times.

        Notes
        -----
        Part of the passes stays uniform in time, so times whose spread the pilot missed are still sampled. The
        estimator is unbiased for every law of the time, as long as it does not use the pilot's own terms again.
        """
        bins = max(1, len(quantiles) // PASSES_PER_BIN)
        place = np.minimum((quantiles * bins).astype(np.int64), bins - 1)
        count = np.bincount(place, minlength=bins)
        mean = np.bincount(place, squares, minlength=bins) / np.maximum(count, 1)
        root = np.sqrt(mean)
        total = root.sum()
        law = (1 - EVENLY) * root / total + EVENLY / bins if total > 0 else np.full(bins, 1.0 / bins)
        return cls(tuple((law / law.sum()).tolist()))

    def times(self, uniform: ArrayLike) -> NDArray[np.float64]:
        """Turn uniform numbers into times: the inverse distribution function."""
        ends = np.concatenate([[0.0], np.cumsum(self.probability)])
        ends[-1] = 1.0
        times: NDArray[np.float64] = np.interp(
            np.asarray(uniform, dtype=np.float64), ends, np.linspace(0.0, 1.0, len(ends))
        )
        return times

    def density(self, times: ArrayLike) -> NDArray[np.float64]:
        """Return the density at some times."""
        bins = len(self.probability)
        place = np.minimum((np.asarray(times) * bins).astype(np.int64), bins - 1)
        return np.array(self.probability)[place] * bins

"""Reductions: what the losses of a plan's passes come to, from one computation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators.within_variance import WithinVariance

__all__ = ["Reduction"]


@dataclass(frozen=True, eq=False)
class Reduction:
    """The estimate of each replicate and its within-replicate variance.

    Attributes
    ----------
    estimates : array of float64, shape (replicates,)
        Nats.
    within_variance : WithinVariance, optional
        None where the passes of a replicate do not allow it.
    sides : tuple of arrays of float64, shape (replicates,)
        Of a difference, the estimates of its two sides, in nats; else empty.

    Examples
    --------
    >>> first, second = Reduction(np.array([1.0, 2.0])), Reduction(np.array([3.0]))
    >>> Reduction.concatenate([first, second]).estimates, first.part(slice(1)).estimates
    (array([1., 2., 3.]), array([1.]))
    """

    estimates: NDArray[np.float64]
    within_variance: WithinVariance | None = None
    sides: tuple[NDArray[np.float64], ...] = ()

    @classmethod
    def concatenate(cls, reductions: Sequence["Reduction"]) -> "Reduction":
        """Join the replicates of several reductions; without a variance, or sides, where one of them has none."""
        variances = [part.within_variance for part in reductions if part.within_variance is not None]
        return cls(
            np.concatenate([part.estimates for part in reductions]),
            WithinVariance.concatenate(variances) if len(variances) == len(reductions) else None,
            tuple(np.concatenate(side) for side in zip(*(part.sides for part in reductions), strict=False)),
        )

    def part(self, replicates: slice) -> "Reduction":
        """Return the reduction of some of the replicates."""
        variance = self.within_variance
        return Reduction(
            self.estimates[replicates],
            None if variance is None else variance.part(replicates),
            tuple(side[replicates] for side in self.sides),
        )

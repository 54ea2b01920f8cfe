"""A sample: the replicates of a draw, divided among intervals."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from estimators import Cell, Draw
from estimators.within_variance import WithinVariance, added
from infodis_stats import analysis

__all__ = ["Sample", "once_per_sample"]

FloatArray = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Sample:
    """The replicates of a draw, divided among intervals of equal size; a remainder is dropped.

    Attributes
    ----------
    draw : Draw
    size : int
        Replicates of an interval.
    """

    draw: Draw
    size: int

    @property
    def cell(self) -> Cell:
        """The cell of one interval."""
        return replace(self.draw.cell, replicates=self.size)

    @property
    def estimates(self) -> FloatArray:
        """Replicates of each interval: (interval, size), nats."""
        return analysis.block(self.draw.estimates, self.size)

    @property
    def parts(self) -> FloatArray:
        """Independent parts of each interval's estimate: (interval, part), nats."""
        parts = self.draw.parts
        kept = len(parts) // self.size * self.size
        return parts[:kept].reshape(kept // self.size, -1)

    @property
    def within_variance(self) -> WithinVariance | None:
        """Variance of the sum of each interval's replicates, estimated within them; None where that is impossible."""
        within = self.draw.within_variance
        if within is None:
            return None
        variance, degrees = analysis.block(within.variance, self.size), analysis.block(within.degrees, self.size)
        return added(*(WithinVariance(variance[:, replicate], degrees[:, replicate]) for replicate in range(self.size)))


def once_per_sample(function: Callable[[Sample], T]) -> Callable[[Sample], T]:
    """Remember the value of a function while its sample lives: intervals of several levels have one sample."""
    known: WeakKeyDictionary[Sample, T] = WeakKeyDictionary()

    @wraps(function)
    def remembered(sample: Sample) -> T:
        if sample not in known:
            known[sample] = function(sample)
        return known[sample]

    return remembered

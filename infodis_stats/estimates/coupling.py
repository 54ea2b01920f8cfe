"""Contrasts: two sides by one estimator, their correlation, and how much variance coupling saves."""

from collections.abc import Sequence

import numpy as np

from estimators import Contrast, Coupled, Decoupled, Estimator
from estimators.arguments import check_flag
from infodis_stats.analysis.replicates import FloatArray
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.estimates.settings import named_estimator
from infodis_stats.results.labels import Variable

__all__ = ["contrast_named", "contrast_variables"]

CONTRAST_VARIABLES = {
    "correlation": Variable("1", "correlation of the two sides' estimates over replicates"),
    "coupling_gain": Variable("1", "variance of independent sides over the variance of the difference"),
}


def contrast_named(estimator: str | Estimator, *, coupled: bool) -> Contrast:
    """Return the difference of two estimates by an estimator or its name, with shared masks or independent ones."""
    check_flag("coupled", coupled)
    chosen = named_estimator(estimator)
    return Coupled(chosen) if coupled else Decoupled(chosen)


def contrast_variables(statistics: Sequence[DrawStatistics]) -> dict[str, FloatArray]:
    """Return the correlation of the two sides of each draw over its replicates, and the gain from it.

    The gain is the variance that independent sides would have over the variance of the difference. Both are NaN where a
    side does not vary.
    """
    first, second, cross = np.array([_products(item) for item in statistics]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "correlation": cross / np.sqrt(first * second),
            "coupling_gain": (first + second) / (first + second - 2 * cross),
        }


def _products(statistics: DrawStatistics) -> tuple[float, float, float]:
    """Return the squares of the two sides' deviations, and their product; draws may differ in their replicates."""
    sides = np.stack(statistics.reduction.sides)
    first, second = sides - sides.mean(axis=-1, keepdims=True)
    return float(first @ first), float(second @ second), float(first @ second)

"""Cells that tables of a frontier share: averages, and the estimators that are auto."""

import math

import xarray as xr

from infodis_stats.plots.numbers import band

__all__ = ["autos", "averaged"]


def averaged(mean: float, ends: tuple[float, float], exact: int, groups: int) -> str:
    """Return a geometric mean with its interval, and the number of exact groups, which it leaves out.

    Examples
    --------
    >>> averaged(12.0, (10.0, 14.4), 0, 3), averaged(12.0, (10.0, 14.4), 2, 3)
    ('12 [10, 14]', '12 [10, 14] (2 exact)')
    >>> averaged(float("nan"), (float("nan"),) * 2, 3, 3), averaged(float("nan"), (float("nan"),) * 2, 0, 3)
    ('exact', '–')
    """
    if groups and exact == groups:
        return "exact"
    counted = f" ({exact} exact)" if exact and not math.isnan(mean) else ""
    return band(mean, *ends, digits=2) + counted


def autos(summary: xr.Dataset) -> list[str]:
    """Name the estimators that choose one of the others."""
    return [str(name) for name in summary["estimator"].values[summary["role"].values == "auto"]]

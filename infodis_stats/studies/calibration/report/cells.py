"""The cells of a calibration at one confidence level: those with intervals and with a spread."""

import pandas as pd
import xarray as xr

from infodis_stats.results.validity import caution_keys

__all__ = ["SHORT", "cells", "main_interval", "main_level", "mean_coverage"]

SHORT = 0.05  # family-wise error of "covers more than one point less than nominal"


def main_level(summary: xr.Dataset) -> float:
    """Return the confidence level that is reported first: 95 % if available."""
    levels: list[float] = summary["level"].values.tolist()
    return 0.95 if 0.95 in levels else levels[len(levels) // 2]


def main_interval(summary: xr.Dataset) -> str:
    """Return the kind of interval that is reported first: the default if available."""
    names: list[str] = summary["interval"].values.tolist()
    return "auto" if "auto" in names else names[0]


def mean_coverage(part: pd.DataFrame) -> float:
    """Return the coverage over all intervals of some cells."""
    return float((part["coverage"] * part["intervals"]).sum() / part["intervals"].sum())


def cells(summary: xr.Dataset, level: float) -> pd.DataFrame:
    """Return one row per cell: coverage, misses, width and cautions.

    Exact estimators, whose intervals are points, have no row.
    """
    part = summary.sel(level=level)
    part = part.assign(cautions=caution_keys(part["cautions"]))
    names = ["coverage", "missed_low", "missed_high", "intervals", "relative_width", "short_p", "cautions"]
    frame = part[names].to_dataframe().reset_index().drop(columns="level")
    for end in ("lower", "upper"):
        frame[end] = part["coverage_ci"].sel(ci_bound=end).to_series().to_numpy()
    return frame[(frame["intervals"] > 0) & frame["relative_width"].notna()]

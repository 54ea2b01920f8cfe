"""The cells of a study of calibration that count: those with intervals and with a spread, at one level."""

import pandas as pd
import xarray as xr

from infodis_stats.report.frames import caution_keys

__all__ = ["SHORT", "cells", "main_interval", "main_level", "mean_coverage"]

SHORT = 0.05  # family-wise, of "covers less than nominal by more than what is allowed"


def main_level(summary: xr.Dataset) -> float:
    """Return the level that is reported first: 95 % if it is there."""
    levels: list[float] = summary["level"].values.tolist()
    return 0.95 if 0.95 in levels else levels[len(levels) // 2]


def main_interval(summary: xr.Dataset) -> str:
    """Return the kind of interval that is reported first: the default if it is there."""
    names: list[str] = summary["interval"].values.tolist()
    return "auto" if "auto" in names else names[0]


def mean_coverage(part: pd.DataFrame) -> float:
    """Return the share of all intervals of some cells that cover."""
    return float((part["coverage"] * part["intervals"]).sum() / part["intervals"].sum())


def cells(summary: xr.Dataset, level: float) -> pd.DataFrame:
    """Return one row per cell: its coverage, how many of its intervals missed, its width, and its cautions.

    Exact estimators have points for intervals, and no row.
    """
    part = summary.sel(level=level)
    part = part.assign(cautions=caution_keys(part["cautions"]))
    names = ["coverage", "missed_low", "missed_high", "intervals", "relative_width", "short_p", "cautions"]
    frame = part[names].to_dataframe().reset_index().drop(columns="level")
    for end in ("lower", "upper"):
        frame[end] = part["coverage_ci"].sel(ci_bound=end).to_series().to_numpy()
    return frame[(frame["intervals"] > 0) & frame["relative_width"].notna()]

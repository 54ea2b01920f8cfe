"""The cells of a calibration at one confidence level: those with intervals and with a spread."""

import pandas as pd
import xarray as xr

from infodis_stats.results.validity import caution_keys

__all__ = ["cautioned_cells", "cells", "clean_cells", "flag_shares", "main_level"]


def main_level(summary: xr.Dataset) -> float:
    """Return the confidence level that is reported first: 95 % if available."""
    levels: list[float] = summary["level"].values.tolist()
    return 0.95 if 0.95 in levels else levels[len(levels) // 2]


def flag_shares(summary: xr.Dataset) -> xr.Dataset:
    """Replace ``flag_share (..., flag)`` by one variable per flag, such as ``skewed_share``."""
    shares = summary["flag_share"]
    named = {f"{flag}_share": shares.sel(flag=flag, drop=True) for flag in shares["flag"].values.tolist()}
    return summary.drop_dims("flag").assign(named)


def cells(summary: xr.Dataset, level: float) -> pd.DataFrame:
    """Return one row per cell: coverage, misses, width, cautions, and the share of the intervals with each flag.

    Coverage and misses are of all intervals, in columns ``quiet_...`` of those without a flag. Exact estimators,
    whose intervals are points, have no row.
    """
    part = flag_shares(summary.sel(level=level))
    part = part.assign(cautions=caution_keys(part["cautions"])).drop_vars("caution")
    bands = {
        f"{which}{end}": part[f"{which}coverage_ci"].sel(ci_bound=end, drop=True)
        for which in ("", "quiet_")
        for end in ("lower", "upper")
    }
    frame = part.drop_dims("ci_bound").assign(bands).to_dataframe().reset_index().drop(columns="level")
    sampled = frame["relative_width"].notna() | (frame["quiet_share"] < 1)
    return frame[(frame["intervals"] > 0) & sampled]


def clean_cells(summary: xr.Dataset, level: float) -> pd.DataFrame:
    """Return the `cells` without a caution, with coverage and misses of their intervals without a flag only."""
    frame = cells(summary, level)
    frame = frame[(frame["cautions"] == "") & (frame["quiet_intervals"] > 0)]
    names = ["intervals", "missed_low", "missed_high", "coverage", "lower", "upper"]
    return frame.drop(columns=names).rename(columns={f"quiet_{name}": name for name in names})


def cautioned_cells(summary: xr.Dataset, level: float) -> pd.DataFrame:
    """Return the `cells` with a caution, with coverage and misses of all their intervals."""
    frame = cells(summary, level)
    return frame[frame["cautions"] != ""]

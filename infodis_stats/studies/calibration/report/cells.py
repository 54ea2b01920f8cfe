"""What a calibration reports first, and the coverage of several cells together."""

import pandas as pd
import xarray as xr

__all__ = ["SHORT", "main_interval", "mean_coverage"]

SHORT = 0.05  # family-wise error of "covers more than one point less than nominal"


def main_interval(summary: xr.Dataset) -> str:
    """Return the kind of interval that is reported first: the default if available."""
    names: list[str] = summary["interval"].values.tolist()
    return "auto" if "auto" in names else names[0]


def mean_coverage(part: pd.DataFrame) -> float:
    """Return the coverage over all intervals of some cells."""
    return float((part["coverage"] * part["intervals"]).sum() / part["intervals"].sum())

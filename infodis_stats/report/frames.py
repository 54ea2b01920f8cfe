"""Data sets as tables for other programs: one row per cell, full precision."""

import pandas as pd
import xarray as xr

from infodis_stats.results.validity import caution_keys

__all__ = ["flat", "frame"]


def flat(dataset: xr.Dataset) -> xr.Dataset:
    """Replace each interval by two variables, ``_lower`` and ``_upper``, and cautions by their keys."""
    ends = dataset
    if "cautions" in ends:
        ends = ends.assign(cautions=caution_keys(ends["cautions"])).drop_vars("caution")
    for name in list(dataset.data_vars):
        if "ci_bound" in dataset[name].dims:
            for bound in ("lower", "upper"):
                ends = ends.assign(
                    {f"{str(name).removesuffix('_ci')}_{bound}": dataset[name].sel(ci_bound=bound, drop=True)}
                )
            ends = ends.drop_vars(str(name))
    return ends.drop_vars("ci_bound", errors="ignore")


def frame(dataset: xr.Dataset, dims: list[str]) -> pd.DataFrame:
    """Return the variables over exactly these dimensions, one row per cell."""
    names = [name for name in dataset.data_vars if set(dataset[name].dims) == set(dims)]
    table = dataset[names].to_dataframe(dim_order=dims).reset_index()
    return table.drop(columns=[name for name in table if name not in (*dims, *names, "group")])

"""Tables of a study of the frontier: numbers for other programs, and the same numbers as text for readers."""

import numpy as np
import pandas as pd
import xarray as xr

from infodis_stats.plots.numbers import band, significant
from infodis_stats.report.document import BEST, TIED
from infodis_stats.report.frames import flat
from infodis_stats.studies.frontier.report.cells import autos, averaged
from infodis_stats.studies.view import Study

__all__ = ["gain_table", "mean_table", "numeric_tables", "regret_table"]


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that are written as CSV: one row per cell, full precision.

    Returns
    -------
    dict of DataFrame
        ``summary`` (group, estimator, passes), ``gains`` (with the rival), ``winners`` (group, passes), ``averages``
        (subject, estimator, passes), ``average_gains`` (with the rival).
    """
    summary, subjects = flat(study.summary), flat(study["subjects"])
    return {
        "summary": _rows(summary, ["group", "estimator", "passes"]),
        "gains": _rows(summary, ["group", "estimator", "passes", "rival"]),
        "winners": _rows(summary, ["group", "passes"]),
        "averages": _rows(subjects, ["subject", "estimator", "passes"]),
        "average_gains": _rows(subjects, ["subject", "estimator", "passes", "rival"]),
    }


def _rows(dataset: xr.Dataset, dims: list[str]) -> pd.DataFrame:
    names = [name for name in dataset.data_vars if set(dataset[name].dims) == set(dims)]
    return dataset[names].to_dataframe(dim_order=dims).reset_index()


def mean_table(study: Study, rival: str) -> pd.DataFrame:
    """Return how many times less variance than a rival the best and auto have, on average over groups."""
    summary, subjects = study.summary, study["subjects"]
    rows = []
    for name in subjects["subject"].values.tolist():
        averages = subjects.sel(subject=name)
        best = averages.sel(estimator=rival)
        rows.append({"subject": name, "estimator": "the best"} | _means(best, "regret", int(averages["groups"])))
        for auto in autos(summary):
            part = averages.sel(estimator=auto, rival=rival)
            rows.append({"subject": name, "estimator": auto} | _means(part, "gain", int(averages["groups"])))
    return pd.DataFrame(rows)


def _means(part: xr.Dataset, quantity: str, groups: int) -> dict[str, str]:
    return {
        str(passes): averaged(
            float(part[f"mean_{quantity}"].sel(passes=passes)),
            part[f"mean_{quantity}_ci"].sel(passes=passes).values.tolist(),
            int(part[f"{quantity}_infinite"].sel(passes=passes)),
            groups,
        )
        for passes in part["passes"].values.tolist()
    }


def regret_table(study: Study, auto: str) -> pd.DataFrame:
    """Return the regret of auto by subject and passes: the geometric mean with its interval, and the largest."""
    summary, subjects = study.summary, study["subjects"]
    rows = []
    for name in subjects["subject"].values.tolist():
        row = {"subject": name}
        averages = subjects.sel(subject=name, estimator=auto)
        part = summary.isel(group=summary["subject"].values == name).sel(estimator=auto)
        for passes in subjects["passes"].values.tolist():
            cell = averages.sel(passes=passes)
            mean = band(float(cell["mean_regret"]), *cell["mean_regret_ci"].values.tolist())
            known = part["regret"].sel(passes=passes).values
            row[str(passes)] = f"{mean}; {significant(float(np.nanmax(known)))}" if not np.isnan(known).all() else "–"
        rows.append(row)
    return pd.DataFrame(rows)


def gain_table(study: Study, group: str) -> pd.DataFrame:
    """Return the gain of each estimator over the first rival: one row each, one column per number of passes."""
    part = study.summary.sel(group=group).isel(rival=0).transpose("estimator", "passes", ...)
    gains, ends, exact, tied = (part[name].values for name in ("gain", "gain_ci", "exact", "tied"))
    names, winners = part["estimator"].values.tolist(), part["winner"].values.tolist()
    columns = {"estimator": names}
    for column, passes in enumerate(part["passes"].values.tolist()):
        lower, upper = ends[:, column].T
        columns[str(passes)] = [
            ("exact" if exact[row, column] else band(gains[row, column], lower[row], upper[row], digits=2))
            + (BEST if winners[column] == name else TIED if tied[row, column] else "")
            for row, name in enumerate(names)
        ]
    return pd.DataFrame(columns)

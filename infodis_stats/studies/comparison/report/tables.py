"""Tables of a comparison: numbers for other programs, and the same numbers as text for readers."""

import math
from collections.abc import Callable

import pandas as pd
import xarray as xr

from infodis_stats.plots.numbers import band, percent, significant
from infodis_stats.report.document import BEST, TIED
from infodis_stats.report.frames import flat, frame
from infodis_stats.results.validity import held
from infodis_stats.studies.comparison.report.winners import Winner, winner_of
from infodis_stats.studies.view import Study

__all__ = [
    "bias_table",
    "coverage_cell",
    "coverage_table",
    "efficiency_cell",
    "efficiency_table",
    "main_table",
    "mark",
    "marked",
    "numeric_tables",
    "slope_table",
    "tail_table",
]


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that are written as CSV: one row per cell, full precision.

    Returns
    -------
    dict of DataFrame
        ``summary`` (group, estimator, passes), ``coverage`` (with the kind of interval), ``slopes`` (group, estimator),
        ``truth`` (one row per sequence or pair); where subjects share groups, ``subjects`` (shared, subject, passes).
    """
    summary = study.summary
    ends = flat(summary)
    cells = ["group", "estimator", "passes"]
    tables = {
        "summary": frame(ends, cells),
        "coverage": frame(ends, [*cells, "interval"]),
        "slopes": frame(ends, cells[:2]),
        "truth": frame(study.truth, ["item"]),
    }
    if "subjects" in study:
        tables["subjects"] = frame(flat(study["subjects"]), ["shared", "subject", "passes"])
    return tables


def main_table(study: Study, group: str) -> pd.DataFrame:
    """Return the results of a group at the largest number of passes, one row per estimator; the best is marked."""
    summary, winner = study.summary.sel(group=group).isel(passes=-1), winner_of(study, group)
    rows = []
    for name in ran_on(study, group):
        part = summary.sel(estimator=name)
        student = part.sel(interval="student-t")
        rows.append(
            {
                "estimator": name,
                "sd (nats)": significant(float(part["variance"]) ** 0.5),
                f"times less variance than {summary.attrs['reference']}": efficiency_cell(part) + mark(winner, name),
                "bias (z)": significant(float(part["bias_z"]), 2),
                f"coverage of {100 * summary.attrs['ci_prob']:g} % t, all passes": coverage_cell(
                    student, "coverage_pooled"
                ),
                "caution": ", ".join(caution.key for caution in held(part["cautions"])),
            }
        )
    return pd.DataFrame(rows)


def mark(winner: Winner, name: str) -> str:
    """Return what stands behind a value of an estimator: a mark if it is the best, or tied with it."""
    return BEST if name == winner.name else TIED if name in winner.tied else ""


def efficiency_cell(cell: xr.Dataset) -> str:
    """Return how many times less variance than the reference, with its interval."""
    lower, upper = cell["efficiency_ci"].values.tolist()
    return band(float(cell["efficiency"]), lower, upper)


def efficiency_table(study: Study, group: str) -> pd.DataFrame:
    """Return how many times less variance each estimator has than the reference, one column per number of passes."""
    return _by_passes(study, group, efficiency_cell)


def bias_table(study: Study, group: str) -> pd.DataFrame:
    """Return the bias in nats with its z-score; starred where significant, family-wise at 5 %."""

    def cell(part: xr.Dataset) -> str:
        star = "*" if float(part["bias_p"]) < 0.05 else ""
        return f"{significant(float(part['bias']), 2)} ({significant(float(part['bias_z']), 2)}){star}"

    return _by_passes(study, group, cell)


def coverage_table(study: Study, group: str, interval: str) -> pd.DataFrame:
    """Return the coverage of intervals in percent with its Wilson interval; starred where not nominal."""

    def cell(part: xr.Dataset) -> str:
        kind = part.sel(interval=interval)
        return coverage_cell(kind, "coverage") + ("*" if float(kind["coverage_p"]) < 0.05 else "")

    table = _by_passes(study, group, cell)
    pooled = study.summary.sel(group=group, interval=interval)
    names = ran_on(study, group)
    table["all"] = [coverage_cell(pooled.sel(estimator=name), "coverage_pooled") for name in names]
    return table


def coverage_cell(cell: xr.Dataset, name: str) -> str:
    """Return a coverage in percent with its Wilson interval, or "exact" for an exact estimator."""
    if math.isnan(cell[name]) and (cell["half_width"] == 0).any():
        return "exact"
    lower, upper = cell[f"{name}_ci"].values.tolist()
    return f"{percent(float(cell[name]))} [{percent(lower)}, {percent(upper)}]"


def slope_table(study: Study, group: str) -> pd.DataFrame:
    """Return the fitted slope of log variance on log passes; iid sampling has -1."""
    summary = study.summary.sel(group=group)
    return pd.DataFrame(
        [
            {
                "estimator": marked(summary, name),
                "slope": band(
                    float(summary["slope"].sel(estimator=name)),
                    *summary["slope_ci"].sel(estimator=name).values.tolist(),
                ),
            }
            for name in ran_on(study, group)
        ]
    )


def tail_table(study: Study, group: str) -> pd.DataFrame:
    """Return the median Pareto k-hat of single passes, and measured over exact variance where that is known."""

    def cell(part: xr.Dataset) -> str:
        exact = float(part["exact_variance"])
        check = f"; {significant(float(part['variance']) / exact)}" if 0 < exact < float("inf") else ""
        return significant(float(part["khat_median"]), 2) + check

    return _by_passes(study, group, cell)


def ran_on(study: Study, group: str) -> list[str]:
    """Return the estimators that were run on a group: the others need more passes, or another model."""
    names = study.summary["estimator"].values.tolist()
    ran = study.summary["variance"].sel(group=group).notnull().any("passes").values
    return [name for name, run in zip(names, ran, strict=True) if run]


def marked(summary: xr.Dataset, name: str) -> str:
    """Mark an estimator that has a caution in this group."""
    return f"{name} †" if summary["cautions"].sel(estimator=name).any() else name


def _by_passes(study: Study, group: str, cell: Callable[[xr.Dataset], str]) -> pd.DataFrame:
    summary = study.summary.sel(group=group)
    rows = []
    for name in ran_on(study, group):
        row = {"estimator": marked(summary, name)}
        for passes in summary["passes"].values.tolist():
            part = summary.sel(estimator=name, passes=passes)
            row[str(passes)] = "–" if bool(part["variance"].isnull()) else cell(part)
        rows.append(row)
    return pd.DataFrame(rows)

"""Tables of a study of information."""

import itertools

import pandas as pd

from infodis_stats.plots.numbers import band, significant
from infodis_stats.report.frames import flat, frame
from infodis_stats.studies.comparison.report.tables import coverage_cell, efficiency_cell, mark, marked
from infodis_stats.studies.comparison.report.tables import numeric_tables as comparison_tables
from infodis_stats.studies.comparison.report.winners import winner_of
from infodis_stats.studies.information.report.answer import inside
from infodis_stats.studies.view import Study

__all__ = ["cost_table", "lead_table", "numeric_tables", "total_table"]


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that are written as CSV: one row per cell, full precision.

    Returns
    -------
    dict of DataFrame
        Those of a comparison of estimators; ``leads`` (group, passes), ``curves`` (group, noise, noise_level) and
        ``totals`` (group, noise).
    """
    curves = flat(study["curves"])
    curves["entropy"] = curves["entropy"].broadcast_like(curves["entropy_z"])
    cells = ["group", "noise"]
    return comparison_tables(study) | {
        "leads": frame(flat(study.summary), ["group", "passes"]),
        "curves": frame(curves, [*cells, "noise_level"]),
        "totals": frame(curves, cells),
    }


def cost_table(study: Study, group: str) -> pd.DataFrame:
    """Return what a likelihood costs at the largest number of passes: one row per estimator."""
    summary, truth = study.summary.sel(group=group).isel(passes=-1), study.truth
    winner = winner_of(study, group)
    mean = float(truth["truth"].values[(truth["group"] == group).values].mean())
    rows = []
    for name in summary["estimator"].values.tolist():
        part = summary.sel(estimator=name)
        if bool(part["variance"].isnull()):
            continue
        value, z = significant(mean + float(part["bias"]), 4), significant(float(part["bias_z"]), 2)
        star = "*" if float(part["bias_p"]) < 0.05 else ""
        rows.append(
            {
                "estimator": marked(summary, name),
                "mean (z)": f"{value} ({z}){star}",
                "variance (nats²)": significant(float(part["variance"])),
                "gain": efficiency_cell(part) + mark(winner, name),
                "coverage (%)": coverage_cell(part.sel(interval="student-t"), "coverage_pooled"),
                "passes run": significant(float(part["passes_run"])),
            }
        )
    return pd.DataFrame(rows)


def lead_table(study: Study) -> pd.DataFrame:
    """Return how many times less variance the best score entropy has than the best masked estimator, by passes."""
    summary = study.summary
    rows = []
    for group in summary["group"].values.tolist():
        row = {"group": group}
        for passes in summary["passes"].values.tolist():
            part = summary.sel(group=group, passes=passes)
            row[str(passes)] = band(float(part["lead"]), *part["lead_ci"].values.tolist())
        rows.append(row)
    return pd.DataFrame(rows)


def total_table(study: Study) -> pd.DataFrame:
    """Return the information without noise against the entropy, and whether the band contains the exact curve."""
    curves = study["curves"]
    contained = inside(curves)
    rows = []
    for group, noise in itertools.product(curves["group"].values.tolist(), curves["noise"].values.tolist()):
        total = curves.sel(group=group, noise=noise).isel(noise_level=0)
        value, error = float(total["information"]), float(total["information_se"])
        known = float(contained.sel(group=group, noise=noise))
        rows.append(
            {
                "group": group,
                "noise": noise,
                "estimated total (nats)": f"{significant(value, 4)} ± {significant(error, 2)}",
                "entropy (nats)": significant(float(total["entropy"]), 4),
                "z": significant(float(total["entropy_z"]), 2),
                "adjusted p": significant(float(total["entropy_p"]), 2),
                "band contains the exact curve": {1.0: "yes", 0.0: "no"}.get(known, "–"),
            }
        )
    return pd.DataFrame(rows)

"""Tables of a study of calibration."""

import itertools

import pandas as pd

from infodis_stats.plots.calibration_cells import cautioned_cells, cells, clean_cells, flag_shares, main_level
from infodis_stats.plots.numbers import percent, significant
from infodis_stats.report.frames import flat
from infodis_stats.results.error_bars import SAMPLE_CAUTIONS
from infodis_stats.studies.calibration.report.cells import SHORT, mean_coverage
from infodis_stats.studies.view import Study

__all__ = ["caution_table", "estimator_table", "kind_table", "numeric_tables", "short_table"]


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return ``summary``: every cell with intervals, shares and widths to six decimals."""
    cells_of = flat(flag_shares(study.summary)).to_dataframe().reset_index()
    return {"summary": cells_of[cells_of["intervals"] > 0].round(6)}


def kind_table(study: Study, *, cautioned: bool) -> pd.DataFrame:
    """Return coverage, misses and width by kind of interval and replicates, over cells with or without a caution."""
    summary = study.summary
    counted = (cautioned_cells if cautioned else clean_cells)(summary, main_level(summary))
    rows = []
    for name, count in itertools.product(summary["interval"].values.tolist(), summary["replicates"].values.tolist()):
        part = counted[(counted["interval"] == name) & (counted["replicates"] == count)]
        if part.empty:
            continue
        number = part["intervals"].sum()
        row = {
            "interval": name,
            "replicates": str(count),
            "cells": str(len(part)),
            "intervals": f"{int(number):,}",
            "covers (%)": percent(mean_coverage(part)),
            "least (%)": percent(part["coverage"].min()),
        }
        if not cautioned:
            row["short"] = str(int((part["short_p"] < SHORT).sum()))
        row["below (%)"] = percent(part["missed_low"].sum() / number)
        row["above (%)"] = percent(part["missed_high"].sum() / number)
        if not cautioned:
            row["width"] = significant(float(part["relative_width"].median()))
        rows.append(row)
    return pd.DataFrame(rows)


def estimator_table(study: Study, interval: str) -> pd.DataFrame:
    """Return the coverage of one kind of interval, by estimator and replicates; cells without a caution."""
    summary = study.summary
    clean = clean_cells(summary, main_level(summary))
    counted = clean[clean["interval"] == interval]
    rows = []
    for name in summary["estimator"].values.tolist():
        row = {"estimator": name}
        for count in summary["replicates"].values.tolist():
            part = counted[(counted["estimator"] == name) & (counted["replicates"] == count)]
            row[str(count)] = _cell(part) if len(part) else "–"
        rows.append(row)
    return pd.DataFrame(rows)


def caution_table(study: Study, interval: str) -> pd.DataFrame:
    """Return how many intervals of one kind have no caution, by estimator, how often they cover, and each flag."""
    summary = study.summary
    counted, clean = (
        part[part["interval"] == interval]
        for part in (cells(summary, main_level(summary)), clean_cells(summary, main_level(summary)))
    )
    rows = []
    for name in summary["estimator"].values.tolist():
        every, quiet = counted[counted["estimator"] == name], clean[clean["estimator"] == name]
        number = every["intervals"].sum()
        if not number:
            continue
        share = quiet["intervals"].sum() / number
        row = {
            "estimator": name,
            "intervals": f"{int(number):,}",
            "no caution (%)": percent(share),
            "of these cover (%)": percent(mean_coverage(quiet)) if share else "–",
            "all cover (%)": percent(mean_coverage(every)),
            "cell with a caution (%)": percent(every["intervals"][every["cautions"] != ""].sum() / number),
        }
        for flag in SAMPLE_CAUTIONS:
            row[f"{flag} (%)"] = percent((every[f"{flag}_share"] * every["intervals"]).sum() / number)
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(part: pd.DataFrame) -> str:
    width = significant(float(part["relative_width"].median()))
    return f"{percent(mean_coverage(part))} ({percent(part['coverage'].min())}); {width}"


def short_table(study: Study, interval: str) -> pd.DataFrame:
    """Return the cells without a caution in which a kind of interval is short, the worst first."""
    summary = study.summary
    clean = clean_cells(summary, main_level(summary))
    part = clean[(clean["interval"] == interval) & (clean["short_p"] < SHORT)].sort_values("coverage")
    columns = {
        "group": part["group"],
        "estimator": part["estimator"],
        "passes": part["passes"].astype(str),
        "replicates": part["replicates"].astype(str),
        "intervals": [f"{int(count):,}" for count in part["intervals"]],
        "covers (%)": [
            f"{percent(value)} [{percent(lower)}, {percent(upper)}]"
            for value, lower, upper in part[["coverage", "lower", "upper"]].to_numpy().tolist()
        ],
        "width": [significant(width) for width in part["relative_width"]],
    }
    return pd.DataFrame(columns)

"""Tables of a study of calibration."""

import itertools

import pandas as pd

from infodis_stats.report.frames import flat
from infodis_stats.report.numbers import percent, significant
from infodis_stats.studies.calibration.report.cells import SHORT, cells, main_level, mean_coverage
from infodis_stats.studies.view import Study

__all__ = ["estimator_table", "kind_table", "numeric_tables", "short_table"]


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return ``summary``: every cell with intervals, shares and widths to six decimals."""
    cells_of = flat(study.summary).to_dataframe().reset_index()
    return {"summary": cells_of[cells_of["intervals"] > 0].round(6)}


def kind_table(study: Study, *, cautioned: bool) -> pd.DataFrame:
    """Return coverage, misses and width by kind of interval and replicates, over cells with or without a caution."""
    summary = study.summary
    counted = cells(summary, main_level(summary))
    counted = counted[(counted["cautions"] != "") == cautioned]
    rows = []
    for name, count in itertools.product(summary["interval"].values.tolist(), summary["replicates"].values.tolist()):
        part = counted[(counted["interval"] == name) & (counted["replicates"] == count)]
        if part.empty:
            continue
        number = part["intervals"].sum()
        rows.append(
            {
                "interval": name,
                "replicates": str(count),
                "cells": str(len(part)),
                "covers (%)": percent(mean_coverage(part)),
                "least (%)": percent(part["coverage"].min()),
                "short": str(int((part["short_p"] < SHORT).sum())),
                "below (%)": percent(part["missed_low"].sum() / number),
                "above (%)": percent(part["missed_high"].sum() / number),
                "width": significant(float(part["relative_width"].median())),
            }
        )
    return pd.DataFrame(rows)


def estimator_table(study: Study, interval: str) -> pd.DataFrame:
    """Return the coverage of one kind of interval, by estimator and replicates; cells without a caution."""
    summary = study.summary
    counted = cells(summary, main_level(summary))
    counted = counted[(counted["interval"] == interval) & (counted["cautions"] == "")]
    rows = []
    for name in summary["estimator"].values.tolist():
        row = {"estimator": name}
        for count in summary["replicates"].values.tolist():
            part = counted[(counted["estimator"] == name) & (counted["replicates"] == count)]
            row[str(count)] = _cell(part) if len(part) else "–"
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(part: pd.DataFrame) -> str:
    width = significant(float(part["relative_width"].median()))
    return f"{percent(mean_coverage(part))} ({percent(part['coverage'].min())}); {width}"


def short_table(study: Study, interval: str) -> pd.DataFrame:
    """Return the cells without a caution in which a kind of interval is short, the worst first."""
    summary = study.summary
    counted = cells(summary, main_level(summary))
    short = (counted["interval"] == interval) & (counted["cautions"] == "") & (counted["short_p"] < SHORT)
    part = counted[short].sort_values("coverage")
    columns = {
        "group": part["group"],
        "estimator": part["estimator"],
        "passes": part["passes"].astype(str),
        "replicates": part["replicates"].astype(str),
        "covers (%)": [
            f"{percent(value)} [{percent(lower)}, {percent(upper)}]"
            for value, lower, upper in part[["coverage", "lower", "upper"]].to_numpy().tolist()
        ],
        "width": [significant(width) for width in part["relative_width"]],
    }
    return pd.DataFrame(columns)

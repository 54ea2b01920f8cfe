"""The answer of a study of calibration in words, each sentence with its number."""

import pandas as pd
import xarray as xr

from infodis_stats.report.numbers import percent, significant
from infodis_stats.studies.calibration.report.cells import SHORT, cells, main_interval, main_level, mean_coverage
from infodis_stats.studies.view import Study

__all__ = ["answer"]

ENOUGH = 4  # replicates from which the default interval should have nominal coverage


def answer(study: Study) -> list[str]:
    """Return the findings: coverage and width of the default interval, and of the other kinds."""
    summary = study.summary
    level, main = main_level(summary), main_interval(summary)
    counted = cells(summary, level)
    default = counted[counted["interval"] == main]
    plain = default[default["cautions"] == ""]
    enough = plain["replicates"] >= ENOUGH
    return [
        *_held(plain[enough], f"{main}, with {ENOUGH} replicates or more and no caution", level),
        *_held(plain[~enough], f"{main}, with fewer replicates and no caution", level),
        *_cautioned(default[default["cautions"] != ""], main, level),
        *(_kind(counted, str(name)) for name in summary["interval"].values.tolist() if name != main),
        *_levels(summary, main, level),
    ]


def _held(part: pd.DataFrame, subject: str, level: float) -> list[str]:
    if part.empty:
        return []
    short = int((part["short_p"] < SHORT).sum())
    verdict = f"{short} of {len(part):,} cells are short" if short else f"none of {len(part):,} cells is short"
    worst = part.sort_values("coverage").iloc[0]
    missed = part[["missed_low", "missed_high"]].sum() / part["intervals"].sum()
    return [
        f"{subject}: {verdict} of nominal {percent(level)} % significantly by more than a point (binomial, Holm at "
        f"{100 * SHORT:g} %). It covers {percent(mean_coverage(part))} % on average, {percent(worst['coverage'])} % "
        f"[{percent(worst['lower'])}, {percent(worst['upper'])}] where it covers least ({_cell(worst)}); "
        f"{percent(missed['missed_low'])} % lie below the truth and {percent(missed['missed_high'])} % above it. "
        f"Its median width is {significant(float(part['relative_width'].median()))} times that of the normal "
        "interval of known variance."
    ]


def _cautioned(part: pd.DataFrame, name: str, level: float) -> list[str]:
    if part.empty:
        return []
    short = int((part["short_p"] < SHORT).sum())
    worst = part.sort_values("coverage").iloc[0]
    return [
        f"{name}, with a caution: {short:,} of {len(part):,} cells are short of {percent(level)} %; the worst covers "
        f"{percent(worst['coverage'])} % ({_cell(worst)}; {worst['cautions']})."
    ]


def _kind(counted: pd.DataFrame, name: str) -> str:
    every = counted[counted["interval"] == name]
    if every.empty:
        return f"{name}: no intervals."
    plain = every[every["cautions"] == ""]
    shown, where = (every, "with a caution everywhere") if plain.empty else (plain, "no caution")
    widths = shown.groupby("replicates")["relative_width"].median()
    listed = ", ".join(f"{significant(float(width))} at {count}" for count, width in widths.items())
    short = int((shown["short_p"] < SHORT).sum())
    return (
        f"{name}, {where}: it covers {percent(mean_coverage(shown))} % on average and is short in {short:,} of "
        f"{len(shown):,} cells; median width by replicates {listed}."
    )


def _levels(summary: xr.Dataset, name: str, level: float) -> list[str]:
    words = []
    for other in summary["level"].values.tolist():
        part = cells(summary, other)
        part = part[(part["interval"] == name) & (part["cautions"] == "") & (part["replicates"] >= ENOUGH)]
        if other != level and not part.empty:
            short = int((part["short_p"] < SHORT).sum())
            words.append(f"{percent(mean_coverage(part))} % of nominal {percent(other)} % ({short} short)")
    if not words:
        return []
    return [f"{name} at other confidence levels, with {ENOUGH} replicates or more and no caution: {'; '.join(words)}."]


def _cell(row: pd.Series) -> str:
    return f"{row['estimator']}, {row['passes']} passes x {row['replicates']}, {row['group']}"

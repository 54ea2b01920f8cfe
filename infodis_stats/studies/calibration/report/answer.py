"""The answer of a study of calibration in words, each sentence with its number."""

import pandas as pd
import xarray as xr

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.calibration_cells import cautioned_cells, cells, clean_cells, main_level
from infodis_stats.plots.numbers import percent, significant
from infodis_stats.studies.calibration.report.cells import SHORT, main_interval, mean_coverage
from infodis_stats.studies.view import Study

__all__ = ["answer"]

ENOUGH = 4  # replicates from which the default interval should have nominal coverage


def answer(study: Study) -> list[str]:
    """Return the findings: coverage and width of the default interval, and of the other kinds."""
    summary = study.summary
    level, main = main_level(summary), main_interval(summary)
    clean, cautioned = clean_cells(summary, level), cautioned_cells(summary, level)
    plain = clean[clean["interval"] == main]
    enough = plain["replicates"] >= ENOUGH
    few = _held(plain[~enough], f"{main}, with fewer replicates and no caution", level)
    return [
        *_held(plain[enough], f"{main}, with {ENOUGH} replicates or more and no caution", level),
        *([" ".join(few)] if few else []),
        *_shares(cells(summary, level), plain, main),
        *_cautioned(cautioned[cautioned["interval"] == main], main, level),
        *(_kind(clean, cautioned, str(name)) for name in summary["interval"].values.tolist() if name != main),
        *_levels(summary, main, level),
    ]


def _held(part: pd.DataFrame, subject: str, level: float) -> list[str]:
    if part.empty:
        return []
    short = int((part["short_p"] < SHORT).sum())
    verdict = f"{short or 'none'} of {counted(len(part), 'cell')} {'are' if short > 1 else 'is'} short"
    worst = part.sort_values("coverage").iloc[0]
    missed = part[["missed_low", "missed_high"]].sum() / part["intervals"].sum()
    return [
        f"{subject}: {verdict} of nominal {percent(level)} % significantly by more than a point (binomial, Holm at "
        f"{100 * SHORT:g} %).",
        f"It covers {percent(mean_coverage(part))} % on average, {percent(worst['coverage'])} % "
        f"[{percent(worst['lower'])}, {percent(worst['upper'])}] where it covers least ({_cell(worst)}); "
        f"{percent(missed['missed_low'])} % lie below the truth and {percent(missed['missed_high'])} % above it.",
        f"Its median width is {significant(float(part['relative_width'].median()))} times that of the normal "
        "interval of known variance.",
    ]


def _shares(of_level: pd.DataFrame, plain: pd.DataFrame, name: str) -> list[str]:
    """Say how many intervals have no caution, and how often they and the others cover."""
    every = of_level[of_level["interval"] == name]
    if every.empty:
        return []
    number, quiet = int(every["intervals"].sum()), int(plain["intervals"].sum())
    of_cells = int(every["intervals"][every["cautions"] != ""].sum())
    covered, quiet_covered = ((part["coverage"] * part["intervals"]).sum() for part in (every, plain))
    words = f"{name}: {percent(quiet / number)} % of all {counted(number, 'interval')} have no caution"
    if quiet:
        words += f" and cover {percent(quiet_covered / quiet)} %"
    if quiet < number:
        words += (
            f"; {percent(of_cells / number)} % are in cells with a caution, and "
            f"{percent((number - quiet - of_cells) / number)} % have one of their own in other cells: together these "
            f"cover {percent((covered - quiet_covered) / (number - quiet))} %"
        )
    return [f"{words}."]


def _cautioned(part: pd.DataFrame, name: str, level: float) -> list[str]:
    if part.empty:
        return []
    worst = part.sort_values("coverage").iloc[0]
    return [
        f"{name}, in the {counted(len(part), 'cell')} with a caution: it covers {percent(mean_coverage(part))} % of "
        f"nominal {percent(level)} % on average, {percent(worst['coverage'])} % where it covers least ({_cell(worst)}; "
        f"{worst['cautions']})."
    ]


def _kind(clean: pd.DataFrame, cautioned: pd.DataFrame, name: str) -> str:
    plain, others = (part[part["interval"] == name] for part in (clean, cautioned))
    if plain.empty and others.empty:
        return f"{name}: no intervals."
    if plain.empty:
        return f"{name}, with a caution everywhere: it covers {percent(mean_coverage(others))} % on average."
    widths = plain.groupby("replicates")["relative_width"].median()
    listed = ", ".join(f"{significant(float(width))} at {count}" for count, width in widths.items())
    short = int((plain["short_p"] < SHORT).sum())
    return (
        f"{name}, no caution: it covers {percent(mean_coverage(plain))} % on average and is short in {short:,} of "
        f"{counted(len(plain), 'cell')}; median width by replicates {listed}."
    )


def _levels(summary: xr.Dataset, name: str, level: float) -> list[str]:
    words = []
    for other in summary["level"].values.tolist():
        part = clean_cells(summary, other)
        part = part[(part["interval"] == name) & (part["replicates"] >= ENOUGH)]
        if other != level and not part.empty:
            short = int((part["short_p"] < SHORT).sum())
            words.append(f"{percent(mean_coverage(part))} % of nominal {percent(other)} % ({short} short)")
    if not words:
        return []
    return [f"{name} at other confidence levels, with {ENOUGH} replicates or more and no caution: {'; '.join(words)}."]


def _cell(row: pd.Series) -> str:
    return f"{row['estimator']}, {counted(int(row['passes']), 'pass')} x {row['replicates']}, {row['group']}"

"""Tables of a study of blocks: numbers for other programs, and the same numbers as text for readers."""

import pandas as pd
import xarray as xr

from infodis_stats.plots.numbers import band, percent, significant
from infodis_stats.report.frames import flat, frame
from infodis_stats.studies.blocks.report.answer import has_exact_values, perplexity
from infodis_stats.studies.view import Study

__all__ = ["choice_table", "error_table", "exact_in_words", "numeric_tables", "ratio_table", "single_table"]

SHORT = {"blocks": "with", "whole sequence": "without"}
"""How tables call the two structures."""


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that are written as CSV, in full precision.

    Returns
    -------
    dict of DataFrame
        ``texts`` (reference value of each text, nats), ``single_texts`` (item, estimator), ``single`` (subject,
        estimator), ``standard_errors`` (subject, structure, estimator, passes), ``ratios`` (subject, estimator,
        passes), ``mean_ratios`` (subject, estimator).
    """
    single = _ends(study["single_summary"])
    summary = flat(study.summary)
    return {
        "texts": study.truth.to_dataframe().reset_index(),
        "single_texts": frame(single, ["item", "estimator"]),
        "single": frame(single, ["subject", "estimator"]),
        "standard_errors": frame(summary, ["subject", "structure", "estimator", "passes"]),
        "ratios": frame(summary, ["subject", "estimator", "passes"]),
        "mean_ratios": frame(summary, ["subject", "estimator"]),
    }


def _ends(single: xr.Dataset) -> xr.Dataset:
    """Replace each range by two variables, ``_5`` and ``_95``."""
    ends = flat(single)
    for name in [str(name) for name in single.data_vars if "tail" in single[name].dims]:
        stem = name.removesuffix("_range")
        parts = {f"{stem}_{100 * tail:g}": single[name].sel(tail=tail, drop=True) for tail in single["tail"].values}
        ends = ends.drop_vars(name).assign(parts)
    return ends.drop_vars("tail")


def single_table(study: Study, subject: str) -> pd.DataFrame:
    """Return how far single draws of a subject are from the exact values, one row per estimator."""
    single = study["single_summary"].sel(subject=subject)
    rows = []
    for name in single["estimator"].values.tolist():
        part = single.sel(estimator=name)
        bits = float(part["bits"])
        text, whole = part["text_range"].values.tolist(), part["set_range"].values.tolist()
        rows.append(
            {
                "estimator": name,
                "text: SD": significant(float(part["text_sd"]), 2),
                "text: 5 to 95 %": " to ".join(map(_signed, text)),
                "text: off (%)": percent(float(part["text_off"])),
                "set: SD": significant(float(part["set_sd"]), 2),
                "set: 5 to 95 %": " to ".join(map(_signed, whole)),
                "set: off (%)": percent(float(part["set_off"])),
                "set: perplexity": " to ".join(significant(perplexity(bits + end)) for end in whole),
            }
        )
    return pd.DataFrame(rows)


def exact_in_words(study: Study, subject: str) -> str:
    """Return the exact value of a subject's texts together: bits per token and perplexity."""
    single = study["single_summary"].sel(subject=subject)
    bits, error = float(single["bits"]), float(single["bits_se"])
    value = f"{significant(bits, 4)} bits per token, perplexity {significant(perplexity(bits), 4)}"
    return (
        f"exact value {value}" if has_exact_values(study, subject) else f"reference value {value} (± {error:.2g} bits)"
    )


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'}{significant(abs(value), 2)}"


def ratio_table(study: Study, subject: str) -> pd.DataFrame:
    """Return the variance without blocks over that with blocks, one row per estimator, one column per passes."""
    summary = study.summary.sel(subject=subject)
    rows = []
    for name in summary["estimator"].values.tolist():
        row = {"estimator": name}
        for passes in _run(summary):
            part = summary.sel(estimator=name, passes=passes)
            exact = int(part["exact_texts"])
            lower, upper = part["ratio_ci"].values.tolist()
            mean = band(float(part["ratio"]), lower, upper, digits=2)
            counted = f" ({exact} exact)" if exact else ""
            row[str(passes)] = "exact" if exact == int(part["compared"]) else mean + counted
        lower, upper = summary["mean_ratio_ci"].sel(estimator=name).values.tolist()
        row["mean"] = band(float(summary["mean_ratio"].sel(estimator=name)), lower, upper, digits=2)
        rows.append(row)
    return pd.DataFrame(rows)


def error_table(study: Study, subject: str) -> pd.DataFrame:
    """Return the standard error of one replicate, with and without blocks, one column per number of passes."""
    summary = study.summary.sel(subject=subject)
    rows = []
    for name in summary["estimator"].values.tolist():
        for structure in summary["structure"].values.tolist():
            part = summary["standard_error"].sel(estimator=name, structure=structure)
            values = {str(passes): _error(float(part.sel(passes=passes))) for passes in _run(summary)}
            rows.append({"estimator": name, "blocks": SHORT[structure]} | values)
    return pd.DataFrame(rows)


def _error(value: float) -> str:
    return "exact" if value == 0 else significant(value, 2)


def choice_table(study: Study) -> pd.DataFrame:
    """Return what ``auto`` chose, with and without blocks, one column per number of passes; empty without ``auto``."""
    chosen = study.summary["chosen"]
    rows = []
    for subject in chosen["subject"].values.tolist():
        for name in chosen["estimator"].values.tolist():
            for structure in chosen["structure"].values.tolist():
                part = chosen.sel(subject=subject, structure=structure, estimator=name)
                if name.partition("(")[0] == "auto":
                    cells = {
                        str(passes): str(part.sel(passes=passes).item()) or "–" for passes in part["passes"].values
                    }
                    rows.append({"subject": subject, "blocks": SHORT[structure]} | cells)
    return pd.DataFrame(rows)


def _run(summary: xr.Dataset) -> list[int]:
    """Return the numbers of passes that a subject was run with."""
    run = summary["standard_error"].notnull().any(["structure", "estimator"])
    return [int(passes) for passes in summary["passes"].values[run.values]]

"""Tables of a study of likelihoods: numbers for other programs, and the same numbers as text for readers."""

from collections.abc import Callable

import pandas as pd
import xarray as xr

from estimators import estimator
from estimators.masked.published import Published
from infodis_stats.plots.numbers import significant
from infodis_stats.report.frames import flat, frame
from infodis_stats.results.estimands import ESTIMANDS
from infodis_stats.studies.likelihoods.report.answer import ran, signed_percent, value_in_words
from infodis_stats.studies.likelihoods.report.comparable import comparable
from infodis_stats.studies.view import Study

__all__ = ["bits_table", "definition_table", "numeric_tables", "perplexity_table", "published_table"]

ROUNDING = 5e-6  # of shares, under a network

REPORTED_BY = {
    "any-order": "LLaDA, Dream, MDLM, BD3-LM, Duo, RADD, GIDD: perplexities, ELBOs, likelihoods of answers",
    "order-marginal": "no paper that we know of; here from all masks, or between two bounds",
    "sampler": "DUEL (arXiv 2603.01367)",
    "left-to-right": "autoregressive models; studies of the order of generation",
    "right-to-left": "studies of the order of generation",
    "order": "studies of the order of generation",
}


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that are written as CSV, in full precision.

    Returns
    -------
    dict of DataFrame
        ``estimands`` (subject, estimand), ``estimators`` (subject, estimator), and ``texts`` (item, estimand), nats.
    """
    summary = flat(study.summary)
    return {
        "estimands": frame(summary, ["subject", "estimand"]),
        "estimators": frame(summary, ["subject", "estimator"]),
        "texts": frame(study["values"], ["item", "estimand"]),
    }


def definition_table(study: Study) -> pd.DataFrame:
    """Return what each estimand is and who reports it, one row each."""
    names = dict.fromkeys(name.partition("(")[0] for name in study.summary["estimand"].values.tolist())
    return pd.DataFrame(
        [{"estimand": name, "what it is": ESTIMANDS[name], "who reports it": REPORTED_BY[name]} for name in names]
    )


def bits_table(study: Study) -> pd.DataFrame:
    """Return the bits per token of each estimand under each subject, with the difference from the any-order value."""
    return _values_table(study, lambda cell: f"{value_in_words(cell)}{_difference(cell)}")


def perplexity_table(study: Study) -> pd.DataFrame:
    """Return the perplexity per token of each estimand under each subject."""
    return _values_table(study, _perplexity)


def _values_table(study: Study, shown: Callable[[xr.Dataset], str]) -> pd.DataFrame:
    """Return one row per estimand, one column per subject."""
    summary = study.summary
    rows = []
    for name in summary["estimand"].values.tolist():
        row = {"estimand": name}
        for subject in summary["subject"].values.tolist():
            cell = summary.sel(subject=subject, estimand=name)
            row[subject] = shown(cell) if bool(cell["bits"].notnull()) else "–"
        rows.append(row)
    return pd.DataFrame(rows)


def _difference(cell: xr.Dataset) -> str:
    return "" if cell["estimand"].item() == "any-order" else f" ({signed_percent(float(cell['difference']))})"


def _perplexity(part: xr.Dataset) -> str:
    lower, upper = part["perplexity_ci"].values.tolist()
    if bool(part["exact"]):
        return significant(float(part["perplexity"]), 4)
    return f"{significant(lower, 4)} to {significant(upper, 4)}" if lower > 1 else f"at most {significant(upper, 4)}"


def published_table(study: Study, subject: str) -> pd.DataFrame:
    """Return the bias and the spread of each published estimator on a subject, one row each."""
    part = ran(study.summary, subject)
    rows = []
    for label in part["estimator"].values.tolist():
        cell = part.sel(estimator=label)
        made = estimator(str(cell["published_name"].item()))
        rows.append(
            {
                "estimator": str(cell["published_name"].item()),
                "repository": made.source.partition(",")[0] if isinstance(made, Published) else "this project",
                "purpose": made.purpose if isinstance(made, Published) else "any",
                "passes": str(int(cell["published_passes"])),
                "mean, bits per token": significant(float(cell["mean_bits"]), 4),
                "bias": _bias(float(cell["bias"]), float(cell["bias_se"])),
                "SD, one text": _share(float(cell["text_spread"])),
                "SD, all texts": _share(float(cell["set_spread"])),
                "may be compared with": comparable(cell).words,
            }
        )
    return pd.DataFrame(rows)


def _bias(bias: float, error: float) -> str:
    if abs(bias) < ROUNDING:
        return "0"
    return signed_percent(bias) + (f" ± {significant(100 * error, 1)}" if error > ROUNDING else "")


def _share(value: float) -> str:
    return "0" if value < ROUNDING else f"{significant(100 * value, 2)} %"

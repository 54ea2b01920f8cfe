"""A comparison of two models in words and as a table."""

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from infodis_stats.plots.numbers import significant

__all__ = ["comparison_sentences", "comparison_table"]

FloatArray = NDArray[np.float64]

SCORED = {"question": "log-likelihood of the right choice", "document": "log-likelihood"}
PREDICTED = {"question": "the right choice", "document": "these texts"}


def comparison_table(compared: xr.Dataset) -> pd.DataFrame:
    """Return the differences as text, one row per score and per unit of the log ratio.

    Parameters
    ----------
    compared : xarray.Dataset
        Of `infodis_stats.harness.comparison.compare_models`.
    """
    items, rows = f"{compared.attrs['unit']}s", []
    for score in compared["score"].values.tolist():
        cell = compared.sel(score=score)
        rows.append(
            {
                "difference of": f"{score}, points",
                "first minus second": significant(100 * float(cell["difference"])),
                f"± over {items}": significant(100 * float(cell["difference_stderr"]), 2),
                "± over masks": significant(100 * float(cell["difference_mask_stderr"]), 2),
                f"these {items}": _ends(cell["difference_ci"].values * 100),
                f"{items} like these": _ends(cell["difference_population_ci"].values * 100),
            }
        )
    for unit in compared["per"].values.tolist():
        cell = compared.sel(per=unit)
        rows.append(
            {
                "difference of": f"{SCORED[compared.attrs['unit']]}, nats per {unit}",
                "first minus second": significant(float(cell["log_ratio"])),
                f"± over {items}": significant(float(cell["log_ratio_stderr"]), 2),
                "± over masks": significant(float(cell["log_ratio_mask_stderr"]), 2),
                f"these {items}": _ends(cell["log_ratio_ci"].values),
                f"{items} like these": _ends(cell["log_ratio_population_ci"].values),
            }
        )
    return pd.DataFrame(rows)


def comparison_sentences(compared: xr.Dataset) -> list[str]:
    """Return what the comparison shows, one sentence or two for each score and one for the likelihoods.

    Parameters
    ----------
    compared : xarray.Dataset
        Of `infodis_stats.harness.comparison.compare_models`.
    """
    task, sentences = compared.attrs["task"], []
    for score in compared["score"].values.tolist():
        cell = compared.sel(score=score)
        b, c = int(cell["first_only"]), int(cell["second_only"])
        settled = int(cell["first_only_settled"]) + int(cell["second_only_settled"])
        sentences.append(
            f"{task}, {score}: {_verdict(cell['difference_population_ci'].values, 'more accurate')} on questions like "
            f"these; only the first is right on {b:,} and only the second on {c:,} of "
            f"{compared.attrs['count']:,} questions (exact p {significant(float(cell['p_value']), 2)}); of these "
            f"{b + c:,}, {settled:,} are settled for both."
        )
    unit = compared.attrs["unit"]
    ratio = compared.sel(per=unit)
    ends = ratio["log_ratio_population_ci"].values
    verdict = _verdict(ends, f"better at predicting {PREDICTED[unit]}")
    mean = significant(float(ratio["log_ratio"]))
    return [
        *sentences,
        f"{task}: {verdict}; the log-likelihood of the first minus the second is {mean} nats per {unit}.",
    ]


def _verdict(ends: FloatArray, words: str) -> str:
    if ends[0] > 0:
        return f"the first model is {words}"
    return f"the second model is {words}" if ends[1] < 0 else f"neither model is significantly {words}"


def _ends(ends: FloatArray) -> str:
    return significant(np.nan) if np.isnan(ends).any() else f"[{', '.join(significant(end) for end in ends.tolist())}]"

"""Tables of a comparison of corpora: numbers for other programs, and the same numbers as text for readers."""

import pandas as pd
import xarray as xr

from infodis_stats.plots.numbers import band, percent
from infodis_stats.report.frames import flat, frame
from infodis_stats.studies.view import Study

__all__ = ["auroc_table", "corpus_table", "numeric_tables"]


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that are written as CSV, in full precision.

    Returns
    -------
    dict of DataFrame
        ``corpora`` (one row each), ``auroc`` (corpus, passes), ``texts`` (one row per text, nats), and ``maps`` (one
        row per token) where texts were drawn.
    """
    summary, draws = flat(study.summary), study.draws
    most = draws["estimate"].isel(passes=-1)
    texts = xr.Dataset(
        {
            "length": draws["length"],
            "nll": most.mean("replicate"),
            "nll_se": most.std("replicate", ddof=1) / most.sizes["replicate"] ** 0.5,
        }
    )
    tables = {
        "corpora": frame(summary, ["corpus"]),
        "auroc": frame(summary, ["corpus", "passes"]),
        "texts": texts.drop_vars("passes").to_dataframe().reset_index(),
    }
    if "maps" in study:
        tables["maps"] = study["maps"].to_dataframe().reset_index(drop=True)
    return tables


def corpus_table(study: Study) -> pd.DataFrame:
    """Return the cost of each corpus, one row each."""
    summary = study.summary
    reference = summary.attrs["reference"]
    rows = []
    for name in summary["corpus"].values.tolist():
        part = summary.sel(corpus=name)
        rows.append(
            {
                "corpus": name,
                "texts": str(int(part["texts"])),
                "bits per token": band(float(part["bits_per_token"]), *part["bits_per_token_ci"].values.tolist()),
                f"more than {reference}": "–"
                if name == reference
                else band(float(part["difference"]), *part["difference_ci"].values.tolist()),
                "mask noise, % of the variance": percent(float(part["mask_share"])),
            }
        )
    return pd.DataFrame(rows)


def auroc_table(study: Study) -> pd.DataFrame:
    """Return the AUROC of one estimate for texts of each corpus against the reference, by passes."""
    summary = study.summary
    rows = []
    for name in summary["corpus"].values.tolist():
        if name != summary.attrs["reference"]:
            row = {"corpus": name}
            for passes in summary["passes"].values.tolist():
                part = summary.sel(corpus=name, passes=passes)
                row[str(passes)] = band(float(part["auroc"]), *part["auroc_ci"].values.tolist())
            rows.append(row)
    return pd.DataFrame(rows)

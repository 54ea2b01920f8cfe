"""Tables of a comparison of corpora: numbers for other programs, and the same numbers as text for readers."""

import pandas as pd
import xarray as xr

from infodis_stats.report.frames import flat, frame
from infodis_stats.report.numbers import band, percent
from infodis_stats.studies.view import Study

__all__ = ["auroc_table", "corpus_table", "numeric_tables"]


def numeric_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables that are written as CSV, in full precision.

    Returns
    -------
    dict of DataFrame
        ``corpora`` (one row each), ``auroc`` (corpus, passes), ``texts`` (one row a text, nats), and ``maps`` (one row
        a token) where texts were drawn.
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
    """Return what each corpus costs, a row each."""
    summary = study.summary
    reference = summary.attrs["reference"]
    rows = []
    for name in summary["corpus"].values.tolist():
        one = summary.sel(corpus=name)
        rows.append(
            {
                "corpus": name,
                "texts": str(int(one["texts"])),
                "bits a token": band(float(one["bits_per_token"]), *one["bits_per_token_ci"].values.tolist()),
                f"more than {reference}": "–"
                if name == reference
                else band(float(one["difference"]), *one["difference_ci"].values.tolist()),
                "mask noise, % of the variance": percent(float(one["mask_share"])),
            }
        )
    return pd.DataFrame(rows)


def auroc_table(study: Study) -> pd.DataFrame:
    """Return how well one estimate of so many passes tells a text of each corpus from one of the reference."""
    summary = study.summary
    rows = []
    for name in summary["corpus"].values.tolist():
        if name != summary.attrs["reference"]:
            row = {"corpus": name}
            for passes in summary["passes"].values.tolist():
                one = summary.sel(corpus=name, passes=passes)
                row[str(passes)] = band(float(one["auroc"]), *one["auroc_ci"].values.tolist())
            rows.append(row)
    return pd.DataFrame(rows)

"""The report of substitution scans: a heat map and a ranking for each sequence."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import xarray as xr

from infodis_stats.estimates.substitutions import rank_substitutions
from infodis_stats.io.files import writable_folder
from infodis_stats.io.store import write_store
from infodis_stats.report.heatmap import heatmap_figure, visible
from infodis_stats.report.numbers import band, significant
from infodis_stats.report.page import environment, write_texts
from infodis_stats.results.validity import caution_sentences

__all__ = ["ranking_tables", "scan_answer", "write_scans"]

SHOWN = 15  # at either end of a ranking


def write_scans(scans: Mapping[str, xr.Dataset], folder: Path | str) -> Path:
    """Write scans and their report into a folder.

    Parameters
    ----------
    scans : mapping of str to xarray.Dataset
        What `scan_substitutions` returns, by the sequence's name; of one model.
    folder : Path or str
        Made if need be. Gets ``scan.html`` (self-contained), ``scan.md`` with ``figures/*.svg``, ``scan.csv`` with a
        row a substitution, best first, and ``scan.nc`` with a group a sequence; each file is replaced whole.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StoreError
        If the folder cannot be written.
    """
    folder = writable_folder(folder)
    content = _content(scans)
    figures = {f"scan-{number}": heatmap_figure(one, f"scan-{number}") for number, one in enumerate(scans.values(), 1)}
    rankings = [rank_substitutions(one) for one in scans.values()]
    for name, ranking in zip(scans, rankings, strict=True):
        ranking.insert(0, "sequence", name)
    page = environment(autoescape=True).get_template("scan.html.jinja").render(content, figures=list(figures.values()))
    text = environment(autoescape=False).get_template("scan.md.jinja").render(content, figures=list(figures))
    table = pd.concat(rankings).to_csv(index=False)
    groups = {f"scan-{number}": one.assign_attrs(name=name) for number, (name, one) in enumerate(scans.items(), 1)}
    write_store(xr.DataTree.from_dict(groups), folder / "scan.nc")
    files = {"scan.html": page, "scan.md": text, "scan.csv": table}
    write_texts(files | {f"figures/{name}.svg": figure for name, figure in figures.items()}, folder)
    return folder / "scan.html"


def scan_answer(scan: xr.Dataset) -> list[str]:
    """Return the scan's findings in words, each with its number."""
    frame, level = rank_substitutions(scan), scan.attrs["ci_prob"]
    best = frame.iloc[0]
    counts = {verdict: int((frame["verdict"] == verdict).sum()) for verdict in ("better", "worse")}
    sentences = [
        f"{counts['better']} of {len(frame)} substitutions are more likely than the original and {counts['worse']} "
        f"less likely, beyond chance ({100 * (1 - level):g} % family-wise over the scan, Holm).",
        f"The highest estimate is {visible(best['substitution'])}: "
        f"{band(best['log_ratio'], best['lower'], best['upper'])} nats against the original.",
    ]
    if "exact" in frame:
        within = (frame["lower"] <= frame["exact"] + 1e-9) & (frame["exact"] - 1e-9 <= frame["upper"])
        sentences.append(
            f"The exact values are known here: {int(within.sum())} of {len(frame)} pointwise {100 * level:g} % "
            "intervals hold theirs."
        )
    return sentences


def ranking_tables(scan: xr.Dataset, shown: int = SHOWN) -> dict[str, pd.DataFrame]:
    """Return the two ends of the ranking as text, by their titles; all of it in one where it is short."""
    frame = rank_substitutions(scan)
    table = pd.DataFrame(
        {
            "rank": [str(rank) for rank in range(1, len(frame) + 1)],
            "substitution": [visible(one) for one in frame["substitution"]],
            f"log ratio [pointwise {100 * scan.attrs['ci_prob']:g} % interval], nats": [
                band(*cell) for cell in zip(frame["log_ratio"], frame["lower"], frame["upper"], strict=True)
            ],
            "family-wise p": [significant(one, 2) for one in frame["p"]],
            "verdict": frame["verdict"],
        }
    )
    if "exact" in frame:
        table["exact"] = [significant(one) for one in frame["exact"]]
    if len(table) <= 3 * shown:
        return {"The ranking": table}
    return {"The most likely": table[:shown], "The least likely": table[-shown:]}


def _content(scans: Mapping[str, xr.Dataset]) -> dict[str, object]:
    attributes = next(iter(scans.values())).attrs
    cautions = {key: words for one in scans.values() for key, words in caution_sentences(one).items()}
    return {
        "title": f"Substitution scan: {next(iter(scans))}" if len(scans) == 1 else "Substitution scans",
        "scans": [
            {
                "name": name,
                "sequence": visible(one.attrs["sequence"]),
                "answer": scan_answer(one),
                "tables": ranking_tables(one),
                "positions": one.sizes["position"],
                "symbols": " ".join(visible(symbol) for symbol in one["symbol"].values.tolist()),
            }
            for name, one in scans.items()
        ],
        "cautions": cautions,
        "attributes": attributes,
        "level": f"{100 * attributes['ci_prob']:g}",
        "error": f"{100 * (1 - attributes['ci_prob']):g}",
        "versions": json.loads(attributes["versions"]),
        "forward_passes": f"{sum(one.attrs['forward_passes'] for one in scans.values()):,}",
    }

"""The report of substitution scans: a heat map and a ranking for each sequence."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import xarray as xr

from infodis_stats.diagnostics.scan import diagnose_scans
from infodis_stats.diagnostics.verdict import counted
from infodis_stats.estimates.substitutions import rank_substitutions
from infodis_stats.io.files import writable_folder
from infodis_stats.io.store import write_store
from infodis_stats.io.tables import csv_table
from infodis_stats.plots.numbers import band, significant
from infodis_stats.report.conventions import model_points
from infodis_stats.report.document import (
    Answer,
    Code,
    Document,
    Figure,
    Heading,
    Note,
    Points,
    Section,
    SideBySide,
    Table,
    Verdicts,
)
from infodis_stats.report.heatmap import heatmap_figure, visible
from infodis_stats.report.page import files_of, write_texts
from infodis_stats.results.estimands import estimand_notes
from infodis_stats.results.validity import NO_CLAIM, caution_sentences

__all__ = ["ranking_tables", "scan_answer", "scan_document", "write_scans"]

SHOWN = 15  # at either end of a ranking


def write_scans(scans: Mapping[str, xr.Dataset], folder: Path | str) -> Path:
    """Write scans and their report into a folder.

    Parameters
    ----------
    scans : mapping of str to xarray.Dataset
        As returned by `scan_substitutions`, by the sequence's name; of one model.
    folder : Path or str
        Created if missing. Gets ``scan.html`` (self-contained), ``scan.md`` with ``figures/*.svg``, ``scan.csv`` with a
        row per substitution, best first, and ``scan.nc`` with a group per sequence; each file is replaced whole.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StoreError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> scan = ids.scan_substitutions(law, law.encode(["GAT"])[0], "exhaustive", passes=7)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ids.write_scans({"codon": scan}, folder).name
    'scan.html'
    """
    folder = writable_folder(folder)
    rankings = [rank_substitutions(scan) for scan in scans.values()]
    for name, ranking in zip(scans, rankings, strict=True):
        ranking.insert(0, "sequence", name)
    files = files_of(scan_document(scans), "scan") | {"scan.csv": csv_table(pd.concat(rankings))}
    groups = {f"scan-{number}": scan.assign_attrs(name=name) for number, (name, scan) in enumerate(scans.items(), 1)}
    write_store(xr.DataTree.from_dict(groups), folder / "scan.nc")
    write_texts(files, folder)
    return folder / "scan.html"


def scan_answer(scan: xr.Dataset) -> list[str]:
    """Return the scan's findings in words, each with its number."""
    frame, level = rank_substitutions(scan), scan.attrs["ci_prob"]
    best = frame.iloc[0]
    counts = {verdict: int((frame["verdict"] == verdict).sum()) for verdict in ("better", "worse")}
    sentences = [
        f"{counts['better']} of {counted(len(frame), 'substitution')} are more likely than the original and "
        f"{counts['worse']} less likely (significant at {100 * (1 - level):g} % family-wise over the scan, Holm).",
        f"The highest estimate is {visible(best['substitution'])}: "
        f"{band(best['log_ratio'], best['lower'], best['upper'])} nats against the original.",
    ]
    cautioned = frame["cautions"] != ""
    if cautioned.any():
        withheld = scan["cautions"].sel(caution=list(NO_CLAIM)).any("caution") & (scan["log_ratio_p"] < 1 - level)
        number = int(withheld.sum())
        unclaimed = f"; significant, but without a verdict because the interval may miss unseen: {number}"
        sentences.append(
            f"A caution holds for {int(cautioned.sum())} of {counted(len(frame), 'substitution')}"
            f"{unclaimed if number else ''}."
        )
    if "exact" in frame:
        within = (frame["lower"] <= frame["exact"] + 1e-9) & (frame["exact"] - 1e-9 <= frame["upper"])
        sentences.append(
            f"The exact values are known here: {int(within.sum())} of {len(frame)} pointwise {100 * level:g} % "
            "intervals contain theirs."
        )
    return sentences


def ranking_tables(scan: xr.Dataset, shown: int = SHOWN) -> dict[str, pd.DataFrame]:
    """Return the two ends of the ranking as text, by their titles; or a short ranking whole."""
    frame = rank_substitutions(scan)
    table = pd.DataFrame(
        {
            "rank": [str(rank) for rank in range(1, len(frame) + 1)],
            "substitution": [visible(name) for name in frame["substitution"]],
            f"log ratio [pointwise {100 * scan.attrs['ci_prob']:g} % interval], nats": [
                band(*cell) for cell in zip(frame["log_ratio"], frame["lower"], frame["upper"], strict=True)
            ],
            "family-wise p": [significant(p_value, 2) for p_value in frame["p"]],
            "verdict": frame["verdict"],
        }
    )
    if (frame["cautions"] != "").any():
        table["cautions"] = frame["cautions"]
    if "exact" in frame:
        table["exact"] = [significant(value) for value in frame["exact"]]
    if len(table) <= 3 * shown:
        return {"The ranking": table}
    return {"The most likely": table[:shown], "The least likely": table[-shown:]}


def scan_document(scans: Mapping[str, xr.Dataset]) -> Document:
    """Return the report of scans of one model, by the names of their sequences."""
    return Document(
        title=f"Substitution scan: {next(iter(scans))}" if len(scans) == 1 else "Substitution scans",
        subtitle="Every single substitution against the original: log p(mutant) − log p(original) under one model, "
        "with the same masks",
        sections=[
            Verdicts(diagnose_scans(scans)),
            *(part for number, name in enumerate(scans, 1) for part in _scan(scans[name], name, number, len(scans))),
            *_reading(scans),
            *_provenance(scans),
        ],
        kind="scan",
    )


def _scan(scan: xr.Dataset, name: str, number: int, count: int) -> Iterator[Section]:
    if count > 1:
        yield Heading(name)
    yield Answer(tuple(scan_answer(scan)))
    yield Code(visible(scan.attrs["sequence"]))
    yield Figure(
        f"scan-{number}",
        "Heat map of the log ratios",
        heatmap_figure(scan, f"scan-{number}"),
        "Red: less likely than the original; blue: more likely. A dot is the original's symbol. The pointwise "
        f"{100 * scan.attrs['ci_prob']:g} % interval of a small square covers 0. A frame marks what is significantly "
        "more likely than the original over the whole scan and has a verdict. The colours are linear within one nat of "
        "0 and logarithmic beyond.",
    )
    yield SideBySide([(Heading(title, 3), Table(frame)) for title, frame in ranking_tables(scan).items()])


def _reading(scans: Mapping[str, xr.Dataset]) -> Iterator[Section]:
    attributes = next(iter(scans.values())).attrs
    level = f"{100 * attributes['ci_prob']:g} %"
    yield Heading("How to read this")
    yield Note(
        f"Intervals are pointwise: each covers its value with {level} confidence, so of many intervals some do not. A "
        f"verdict is for the whole scan of a sequence: with {level} confidence none of them is wrong (Holm, both "
        f"directions, {attributes['replicates']} replicates). “Better” means more likely under the model."
    )
    yield Note(
        "All substitutions of a sequence share their masks, so their errors are correlated: compare two of them by the "
        "differences of their replicates, in scan.nc. Estimates at the top of a ranking are on "
        "average a little too high, because the ranking selects them. All substitutions are in scan.csv."
    )
    cautions = {key: words for scan in scans.values() for key, words in caution_sentences(scan).items()}
    if cautions:
        items = [(key, f"{sentence}.") for key, sentence in cautions.items()]
        yield Points(items, "Cautions, of the substitutions that the ranking names:", warning=True)


def _provenance(scans: Mapping[str, xr.Dataset]) -> Iterator[Section]:
    attributes = next(iter(scans.values())).attrs
    passes = sum(scan.attrs["forward_passes"] for scan in scans.values())
    sampled = f"{attributes['estimator']}, {attributes['passes']} passes × {attributes['replicates']} replicates"
    versions = json.loads(attributes["versions"])
    yield Heading("Provenance")
    yield Points(
        [
            *model_points(attributes),
            *(("", _symbols(scan, name if len(scans) > 1 else "")) for name, scan in scans.items()),
            ("", f"{sampled}, seed {attributes['seed']}; {passes:,} forward passes run"),
            *(("", note) for note in estimand_notes(attributes)),
            ("", ", ".join(f"{package} {number}" for package, number in versions.items())),
        ]
    )


def _symbols(scan: xr.Dataset, name: str) -> str:
    symbols = " ".join(visible(symbol) for symbol in scan["symbol"].values.tolist())
    words = f"{counted(scan.sizes['position'], 'position')}, symbols {symbols}"
    return f"{name}: {words}" if name else words

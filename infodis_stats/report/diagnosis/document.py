"""The page of a diagnosis."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import xarray as xr

from estimators import InputError
from infodis_stats.diagnostics import Diagnosis, diagnose_result
from infodis_stats.io.files import writable_folder
from infodis_stats.plots.intervals import covered, plot_intervals
from infodis_stats.plots.ranks import plot_ranks, ranked_draws
from infodis_stats.plots.running import SHOWN, plot_running, several_replicates
from infodis_stats.plots.sizes import plot_sizes
from infodis_stats.report.conventions import model_points
from infodis_stats.report.document import Document, Figure, Heading, Points, Verdicts
from infodis_stats.report.page import files_of, write_texts
from infodis_stats.report.summary_table import made_by
from infodis_stats.report.svg import svg_of
from infodis_stats.results.labels import with_estimates

__all__ = ["diagnosis_document", "worst_first", "write_diagnosis"]


def write_diagnosis(result: xr.Dataset, folder: Path | str, sizes: xr.Dataset | None = None) -> Path:
    """Write the diagnosis of a result into a folder: verdicts and figures.

    Parameters
    ----------
    result : xarray.Dataset
        What `diagnose` takes, except a study: its report opens with its diagnosis.
    folder : Path or str
        Created if missing. Gets ``diagnosis.html`` (self-contained), and ``diagnosis.md`` with ``figures/*.svg``; each
        file is replaced whole.
    sizes : xarray.Dataset, optional
        Of `estimate_sizes` on the same sequences, to draw the contributions of masks of each size.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If it is not such a result, or the sizes belong to other sequences.
    StoreError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.estimate_nll(law, law.sample(4, length=12, seed=1), replicates=16)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ids.write_diagnosis(result, folder).name
    'diagnosis.html'
    """
    if "kind" in getattr(result, "attrs", {}):
        raise InputError("write_diagnosis is for results; for a study use write_report, which opens with the diagnosis")
    document = diagnosis_document(result, sizes)
    folder = writable_folder(folder)
    write_texts(files_of(document, "diagnosis"), folder)
    return folder / "diagnosis.html"


def diagnosis_document(result: xr.Dataset, sizes: xr.Dataset | None = None) -> Document:
    """Return the diagnosis of a result as a report; see `write_diagnosis`."""
    diagnosis = diagnose_result(result)
    result = with_estimates(result)
    name = "nll" if "nll" in result else "log_ratio"
    rows = worst_first(diagnosis, result[result[name].dims[0]].values.tolist())
    pictures = list(_pictures(result, name, rows))
    if sizes is not None:
        pictures.append(_sizes(sizes, result, name, rows))
    asked, *notes = made_by(result)
    versions = json.loads(result.attrs["versions"])
    return Document(
        title="Diagnosis",
        subtitle=asked,
        sections=[
            Verdicts(diagnosis),
            *(section for picture in pictures for section in (Heading(picture.title), picture)),
            Heading("Provenance"),
            Points(
                [
                    *model_points(result.attrs),
                    *(("", note) for note in notes),
                    ("", f"{result.attrs['forward_passes']:,} forward passes run"),
                    (
                        "",
                        ", ".join(f"{package} {number}" for package, number in versions.items()),
                    ),
                ]
            ),
        ],
        kind="diagnosis",
    )


def worst_first(diagnosis: Diagnosis, labels: Sequence[object]) -> list[int]:
    """Return the indices of labels: first those that a bad verdict concerns, worst first, then the others.

    Examples
    --------
    >>> worst_first(Diagnosis([]), ["a", "b"])
    [0, 1]
    """
    named = [item for verdict in diagnosis.verdicts if verdict.verdict != "fine" for item in verdict.items]
    return sorted(range(len(labels)), key=lambda row: named.index(labels[row]) if labels[row] in named else len(named))


def _pictures(result: xr.Dataset, name: str, rows: Sequence[int]) -> Iterator[Figure]:
    level, unit = result.attrs["ci_prob"], str(result[name].dims[0])
    percent = f"{100 * level:g} %"
    several = set(several_replicates(result, name))
    first = [row for row in rows if row in several][:SHOWN]
    if first:
        which = f"{SHOWN} of {len(rows)} {unit}s; any that the verdicts name come first. " if len(rows) > SHOWN else ""
        dashed = " The dashed line is the exact value." if "exact" in result else ""
        caption = (
            f"{which}Dots are replicates; the line is their running mean. The band covers the value at all numbers of "
            f"replicates at once with {percent} confidence.{dashed} Look for a mean that leaves its earlier band, and "
            "for one dot far from all others."
        )
        part = result.isel({unit: first})
        yield Figure("running", "Running means", svg_of("running", plot_running, part), caption)
    if ranked_draws(result, name):
        caption = (
            f"Replicates are ranked within their {unit}. If the first half is distributed like the second, all bars "
            f"end near the black line, with {percent} confidence within the grey band; red bars do not. A slope is a "
            "drift; a U or its reverse is a change of spread."
        )
        yield Figure("ranks", "Ranks of the first half", svg_of("ranks", plot_ranks, result), caption)
    caption = f"The {percent} interval of each {unit}; the exact values are unknown."
    if "exact" in result:
        missed = int((~covered(result, name)).sum())
        expected = (
            f"with {percent} confidence none should"
            if result.attrs["ci_simultaneous"]
            else f"about {(1 - level) * len(rows):.2g} are expected"
        )
        caption = f"Each {percent} interval minus the exact value. {missed} of {len(rows)} miss it (red); {expected}."
    yield Figure("intervals", "All intervals", svg_of("intervals", plot_intervals, result), caption)


def _sizes(sizes: xr.Dataset, result: xr.Dataset, name: str, rows: Sequence[int]) -> Figure:
    unit = str(result[name].dims[0])
    if not isinstance(sizes, xr.Dataset) or "size_nll" not in sizes:
        raise InputError("sizes must be the result of estimate_sizes")
    if unit != "sequence" or sizes["sequence"].values.tolist() != result[unit].values.tolist():
        raise InputError("sizes belong to other sequences than the result; give both the same names")
    caption = (
        "The area under the line is the negative log-likelihood; the bands of a sequence hold together with "
        f"{100 * sizes.attrs['ci_prob']:g} % confidence. A rise at the right is loss where almost everything is "
        "masked: a few revealed tokens determine the rest, and few masks show it."
    )
    shown = sizes.isel(sequence=rows[:SHOWN])
    return Figure("sizes", "Loss by mask size", svg_of("sizes", plot_sizes, shown), caption)

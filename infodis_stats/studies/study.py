"""Studies of any kind: from a file to a tree of data sets that says what made it."""

import json
import time
from pathlib import Path

import torch
import xarray as xr
from tqdm import tqdm

from infodis_stats.estimates.request import rows_a_call
from infodis_stats.provenance import SCHEMA, model_fingerprint, versions
from infodis_stats.spec import (
    CalibrationSpec,
    CorporaSpec,
    FrontierSpec,
    InformationSpec,
    Scored,
    StudySpec,
    read_study,
)
from infodis_stats.studies.calibration import calibrate
from infodis_stats.studies.comparison import compare_estimators
from infodis_stats.studies.corpora import compare_corpora
from infodis_stats.studies.frontier import find_frontier
from infodis_stats.studies.information import follow_information
from infodis_stats.studies.result import Bar, Result
from infodis_stats.studies.subject import Subject, load_network

__all__ = ["run_study"]


def run_study(
    path: Path | str, *, batch_size: int | None = None, device: torch.device | str = "cpu", show_progress: bool = False
) -> xr.DataTree:
    """Run a study file.

    Parameters
    ----------
    path : Path or str
        A TOML file; the studies in ``reports/`` are examples.
    batch_size : int, optional
        Rows in a call of the model. None: 1,024 for an exact law, found from memory for a network; see `evaluate`.
    device : torch.device or str, default "cpu"
    show_progress : bool, default False
        Draw a progress bar where the standard error is a terminal.

    Returns
    -------
    xarray.DataTree
        ``draws`` (every replicate), ``summary`` and ``provenance``; of estimators and of information also ``truth``
        (what they are compared with, and loss profiles), of information ``curves`` (over levels of noise), of corpora
        ``maps`` (what each token of chosen texts costs), of frontiers ``subjects`` (averages over lengths).

    Raises
    ------
    InputError
        If the file cannot be read or says something that cannot be done; names the line.
    ModelError
        If the model breaks its contract on some sequence.
    """
    started = time.monotonic()
    spec, text = read_study(path)
    subjects = _subjects(spec, device)
    with tqdm(unit="pass", unit_scale=True, disable=None if show_progress else True) as bar:
        result = _run(spec, subjects, batch_size=batch_size, device=device, bar=bar)
    provenance = {
        "spec": text,
        "seed": spec.seed,
        "model": "; ".join(dict.fromkeys(model_fingerprint(subject.model) for subject in subjects)),
        "versions": json.dumps(versions()),
        "forward_passes": result.forward_passes,
        "not_run": json.dumps(sorted(set(result.not_run))),
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    tree = xr.DataTree.from_dict({**result.datasets, "provenance": xr.Dataset(attrs=provenance)})
    tree.attrs = {"title": spec.title, "kind": spec.kind, "schema": SCHEMA, **result.attributes}
    return tree


def _subjects(spec: StudySpec, device: torch.device | str) -> list[Subject]:
    """Make what is scored; a network that several subjects name is loaded once."""
    tables = spec.subjects if isinstance(spec, FrontierSpec | CalibrationSpec | InformationSpec) else (spec,)
    networks = {name: load_network(name, device) for name in {one.model for one in tables} if name is not None}
    laws = [one.law if isinstance(one, Scored) else None for one in tables]
    return [
        Subject(None if law is None else law.build(), None if one.model is None else networks[one.model])
        for one, law in zip(tables, laws, strict=True)
    ]


def _run(
    spec: StudySpec, subjects: list[Subject], *, batch_size: int | None, device: torch.device | str, bar: Bar
) -> Result:
    if isinstance(spec, FrontierSpec):
        return find_frontier(subjects, spec, batch_size=batch_size, device=device, bar=bar)
    if isinstance(spec, CalibrationSpec):
        return calibrate(subjects, spec, batch_size=batch_size, device=device, bar=bar)
    if isinstance(spec, InformationSpec):
        return follow_information(subjects, spec, batch_size=batch_size, device=device, bar=bar)
    (subject,) = subjects
    rows = rows_a_call(subject.model, batch_size)
    if isinstance(spec, CorporaSpec):
        assert subject.network is not None
        return compare_corpora(subject.network, spec, batch_size=rows, device=device, bar=bar)
    return compare_estimators(subject, spec, batch_size=rows, device=device, bar=bar)

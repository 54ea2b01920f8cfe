"""Studies of any kind: from a file to a tree of data sets that says what made it."""

import json
import time
from pathlib import Path

import torch
import xarray as xr
from tqdm import tqdm

from infodis_stats.provenance import SCHEMA, model_fingerprint, versions
from infodis_stats.spec import read_study
from infodis_stats.studies.comparison import compare_estimators
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
        Rows in a call of the model: 1024 for an exact law, where it changes no number; 64 for a network.
    device : torch.device or str, default "cpu"
    show_progress : bool, default False
        Draw a progress bar where the standard error is a terminal.

    Returns
    -------
    xarray.DataTree
        ``draws`` (every replicate), ``truth`` (values to compare with and loss profiles), ``summary`` (by group,
        estimator and passes) and ``provenance``.

    Raises
    ------
    InputError
        If the file cannot be read or says something that cannot be done; names the line.
    ModelError
        If the model breaks its contract on some sequence.
    """
    started = time.monotonic()
    spec, text = read_study(path)
    subject = Subject(
        law=None if spec.law is None else spec.law.build(),
        network=None if spec.model is None else load_network(spec.model, device),
    )
    rows = batch_size or (1024 if subject.exact else 64)
    with tqdm(unit="pass", unit_scale=True, disable=None if show_progress else True) as bar:
        result = compare_estimators(subject, spec, batch_size=rows, device=device, bar=bar)
    provenance = {
        "spec": text,
        "seed": spec.seed,
        "model": model_fingerprint(subject.model),
        "versions": json.dumps(versions()),
        "forward_passes": result.forward_passes,
        "not_run": json.dumps(sorted(set(result.not_run))),
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    tree = xr.DataTree.from_dict({**result.datasets, "provenance": xr.Dataset(attrs=provenance)})
    tree.attrs = {"title": spec.title, "kind": spec.kind, "schema": SCHEMA, **result.attributes}
    return tree

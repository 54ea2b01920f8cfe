"""Studies of any kind: from a file to a tree of data sets that says what made it."""

import json
import time
from pathlib import Path

import torch
import xarray as xr
from tqdm import tqdm

from infodis_stats.estimate import rows_a_call
from infodis_stats.provenance import SCHEMA, model_fingerprint, versions
from infodis_stats.spec import ComparisonSpec, CorporaSpec, read_study
from infodis_stats.studies.comparison import compare_estimators
from infodis_stats.studies.corpora import compare_corpora
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
        ``draws`` (every replicate), ``summary`` and ``provenance``; of estimators also ``truth`` (what they are
        compared with, and loss profiles), of corpora ``maps`` (what each token of chosen texts costs).

    Raises
    ------
    InputError
        If the file cannot be read or says something that cannot be done; names the line.
    ModelError
        If the model breaks its contract on some sequence.
    """
    started = time.monotonic()
    spec, text = read_study(path)
    law = spec.law.build() if isinstance(spec, ComparisonSpec) and spec.law is not None else None
    network = None if spec.model is None else load_network(spec.model, device)
    rows = rows_a_call(network or law, batch_size)
    with tqdm(unit="pass", unit_scale=True, disable=None if show_progress else True) as bar:
        if isinstance(spec, CorporaSpec):
            assert network is not None
            result = compare_corpora(network, spec, batch_size=rows, device=device, bar=bar)
        else:
            result = compare_estimators(Subject(law, network), spec, batch_size=rows, device=device, bar=bar)
    provenance = {
        "spec": text,
        "seed": spec.seed,
        "model": model_fingerprint(network or law),
        "versions": json.dumps(versions()),
        "forward_passes": result.forward_passes,
        "not_run": json.dumps(sorted(set(result.not_run))),
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    tree = xr.DataTree.from_dict({**result.datasets, "provenance": xr.Dataset(attrs=provenance)})
    tree.attrs = {"title": spec.title, "kind": spec.kind, "schema": SCHEMA, **result.attributes}
    return tree

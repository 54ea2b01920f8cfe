"""Studies of any kind: from a file to a tree of data sets that says what made it."""

import contextlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import xarray as xr

from estimators import InputError
from infodis_stats.execution import Job, Workflow, cluster, processes, run
from infodis_stats.io.store import SCHEMA
from infodis_stats.results.provenance import model_fingerprint, versions
from infodis_stats.studies.calibration.run import calibrate
from infodis_stats.studies.calibration.schema import CalibrationSpec
from infodis_stats.studies.comparison.run import compare_estimators
from infodis_stats.studies.corpora.run import compare_corpora
from infodis_stats.studies.corpora.schema import CorporaSpec
from infodis_stats.studies.design.result import Steps
from infodis_stats.studies.design.scenario import Subject, load_network
from infodis_stats.studies.design.target_schema import Scored
from infodis_stats.studies.frontier.run import find_frontier
from infodis_stats.studies.frontier.schema import FrontierSpec
from infodis_stats.studies.information.run import follow_information
from infodis_stats.studies.information.schema import InformationSpec
from infodis_stats.studies.study_file import StudySpec, parse_study, read_study

__all__ = ["run_study"]


def run_study(
    path: Path | str,
    *,
    ledger: Path | str | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    show_progress: bool = False,
) -> xr.DataTree:
    """Run a study file.

    Parameters
    ----------
    path : Path or str
        A TOML file; the studies in ``reports/`` are examples.
    ledger : Path or str, optional
        Folder where work that is done is kept. A run that is killed goes on from there, and a study that has changed
        runs what has changed; the numbers are those of a run that nothing disturbed. None: nothing is kept.
    workers : int, default 1
        Processes that share the work, and the threads. It changes no number of an exact law, and none of a network but
        by the rounding of its own type. With more than one a script needs ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a running Dask cluster that does the work instead, such as ``"tcp://node1:8786"``, or its scheduler
        file (.json); its workers must see the study's files and the ledger under the same paths.
    batch_size : int, optional
        Rows in a call of the model. None: 1,024 for an exact law, found from memory for a network; see `evaluate`.
    device : torch.device or str, default "cpu"
        Where those who do the work run networks.
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
    StoreError
        If the ledger cannot be written, or another run is at work there.
    WorkError
        If workers die again and again, or no scheduler answers.
    """
    spec, text = read_study(path)
    if scheduler is not None and workers != 1:
        raise InputError("workers are counted where they are started: give either workers or a scheduler")
    open_executor = processes(workers) if scheduler is None else cluster(scheduler)
    study = _Study(str(Path(path).resolve()), text)
    with contextlib.ExitStack() as stack:
        if ledger is None:
            ledger = stack.enter_context(tempfile.TemporaryDirectory(prefix="infodis-stats-"))
        job = Job(study, Path(ledger).resolve(), batch_size, str(device))
        facts = {"title": spec.title, "study": str(path), "workers": workers if scheduler is None else scheduler}
        return run(job, open_executor, show_progress=show_progress, **facts)


@dataclass(frozen=True)
class _Study:
    """A study file as it was read, for whoever works on it."""

    path: str
    text: str

    def __call__(self, device: str) -> Workflow[xr.DataTree]:
        """Begin the study."""
        spec = parse_study(self.text, self.path)
        subjects = _subjects(spec, device)
        result = yield from _steps(spec, subjects)
        provenance = {
            "spec": self.text,
            "seed": spec.seed,
            "model": "; ".join(dict.fromkeys(model_fingerprint(subject.model) for subject in subjects)),
            "versions": json.dumps(versions()),
            "forward_passes": result.forward_passes,
            "failed": json.dumps(dict(result.failed)),
            "not_run": json.dumps(sorted(set(result.not_run))),
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


def _steps(spec: StudySpec, subjects: list[Subject]) -> Steps:
    if isinstance(spec, FrontierSpec):
        return find_frontier(subjects, spec)
    if isinstance(spec, CalibrationSpec):
        return calibrate(subjects, spec)
    if isinstance(spec, InformationSpec):
        return follow_information(subjects, spec)
    (subject,) = subjects
    if isinstance(spec, CorporaSpec):
        assert subject.network is not None
        return compare_corpora(subject.network, spec)
    return compare_estimators(subject, spec)

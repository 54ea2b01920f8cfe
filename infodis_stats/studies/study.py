"""Running of studies: from a study file to a tree of data sets with its provenance."""

import contextlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import xarray as xr

from estimators import InputError
from infodis_stats.execution import StudyRun, Workflow, cluster, processes, run
from infodis_stats.io.store import SCHEMA
from infodis_stats.results.provenance import model_conventions, model_fingerprint, versions
from infodis_stats.studies.design.scenario import Subject, make_subjects
from infodis_stats.studies.study_file import parse_study, read_study

__all__ = ["run_study"]


def run_study(
    path: Path | str,
    *,
    ledger: Path | str | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    trust_remote_code: bool = False,
    allow_import: bool = False,
    show_progress: bool = False,
) -> xr.DataTree:
    """Run a study file.

    Parameters
    ----------
    path : Path or str
        A TOML file; the studies in ``reports/`` are examples.
    ledger : Path or str, optional
        Folder that keeps completed blocks. A killed run resumes from it, and a changed study reruns only what has
        changed; the numbers are those of an uninterrupted run. None: nothing is kept.
    workers : int, default 1
        Processes that share the work and the threads. Results under an exact law do not depend on it; those of a
        network only by the rounding of its floating-point type. With more than one, a script needs
        ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a running Dask cluster to use instead, such as ``"tcp://node1:8786"``, or its scheduler file (.json);
        its workers must see the study's files and the ledger under the same paths.
    batch_size : int, optional
        Rows per call of the model. None: 1,024 for an exact law; chosen by free memory for a network.
    device : torch.device or str, default "cpu"
        Device on which the workers run networks.
    trust_remote_code : bool, default False
        Whether to run Python code stored with the weights of the study's networks.
    allow_import : bool, default False
        Whether to import modules of your own that the study names as networks, ``"package.module:object"``. Workers on
        other machines must be able to import them too.
    show_progress : bool, default False
        Show a progress bar if the standard error stream is a terminal.

    Returns
    -------
    xarray.DataTree
        ``draws`` (every replicate; ``counts`` of misses in a calibration), ``summary`` and ``provenance``. Comparisons
        and information: also ``truth`` (reference values and loss profiles). Information: ``curves`` against noise.
        Corpora: ``maps`` (the cost of each token of some texts). Frontiers: ``subjects`` (averages over lengths).

    Raises
    ------
    InputError
        If the file cannot be read or is invalid (the message names the line), or needs code that is not permitted.
    ModelError
        If the model violates its contract on a sequence.
    StoreError
        If the ledger cannot be written, or another run uses it.
    WorkError
        If workers die repeatedly, or the scheduler does not answer.

    Examples
    --------
    >>> text = '''
    ... title = "Two estimators"
    ... seed = 1
    ... passes = [4]
    ... replicates = 8
    ... estimators = ["time-free", "uniform-count"]
    ... reference = "time-free"
    ... law = { kind = "markov-chain", order = 1, alphabet = "ACGT" }
    ... targets = [{ name = "short", count = 2, length = 6 }]
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = Path(folder, "study.toml").write_text(text)
    ...     tree = run_study(Path(folder, "study.toml"))
    >>> dict(tree["draws"]["estimate"].sizes)
    {'item': 2, 'estimator': 2, 'passes': 1, 'replicate': 8}
    """
    spec, text = read_study(path)
    if scheduler is not None and workers != 1:
        raise InputError("give either workers or a scheduler: the workers of a cluster are started separately")
    open_executor = processes(workers) if scheduler is None else cluster(scheduler)
    study = _Study(str(Path(path).resolve()), text, trust_remote_code, allow_import)
    with contextlib.ExitStack() as stack:
        if ledger is None:
            ledger = stack.enter_context(tempfile.TemporaryDirectory(prefix="infodis-stats-"))
        study_run = StudyRun(study, Path(ledger).resolve(), batch_size, str(device))
        facts = {"title": spec.title, "study": str(path), "workers": workers if scheduler is None else scheduler}
        return run(study_run, open_executor, show_progress=show_progress, **facts)


@dataclass(frozen=True)
class _Study:
    """A study file as it was read, and what code it may run; every worker starts from it."""

    path: str
    text: str
    trust_remote_code: bool = False
    allow_import: bool = False

    def __call__(self, device: str) -> Workflow[xr.DataTree]:
        """Run the study."""
        kind, spec = parse_study(self.text, self.path)
        subjects = make_subjects(
            spec.scenarios(), device, trust_remote_code=self.trust_remote_code, allow_import=self.allow_import
        )
        result = yield from kind.run(subjects, spec)
        provenance = {
            "spec": self.text,
            "seed": spec.seed,
            "model": "; ".join(dict.fromkeys(model_fingerprint(subject.model) for subject in subjects)),
            "model_conventions": _conventions(subjects),
            "versions": json.dumps(versions()),
            "forward_passes": result.forward_passes,
            "failed": json.dumps(dict(result.failed)),
            "not_run": json.dumps(sorted(set(result.not_run))),
        }
        tree = xr.DataTree.from_dict({**result.datasets, "provenance": xr.Dataset(attrs=provenance)})
        tree.attrs = {"title": spec.title, "kind": kind.name, "schema": SCHEMA, **result.attributes}
        return tree


def _conventions(subjects: Sequence[Subject]) -> str:
    """Return the conventions that the networks declare as a JSON object, by fingerprint."""
    stated = {model_fingerprint(subject.model): json.loads(model_conventions(subject.model)) for subject in subjects}
    return json.dumps({model: conventions for model, conventions in stated.items() if conventions})

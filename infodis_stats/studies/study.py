"""Running of studies: from a study file to a tree of data sets with its provenance."""

from __future__ import annotations

import contextlib
import json
import pickle
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import torch
import xarray as xr

from estimators import InputError, Model
from estimators.model import gives_ratios, prices_masks
from infodis_stats.execution import StudyRun, Workflow, cluster, processes, run
from infodis_stats.io.files import read_text
from infodis_stats.io.store import SCHEMA
from infodis_stats.models.huggingface.folder import first_line
from infodis_stats.results.estimands import estimand_of_model
from infodis_stats.results.provenance import model_conventions, model_fingerprint, versions
from infodis_stats.studies.design.laws import law_in_words
from infodis_stats.studies.design.scenario import Subject, make_subjects
from infodis_stats.studies.digest import has_report, stored_study, study_digest
from infodis_stats.studies.kind import StudyKind
from infodis_stats.studies.spec import Spec
from infodis_stats.studies.study_file import parse_study

__all__ = ["Kept", "kept_study", "run_study"]


def run_study(
    spec: Path | str | Spec | Mapping[str, Any],
    *,
    model: Model | None = None,
    ledger: Path | str | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    trust_remote_code: bool = False,
    allow_import: bool = False,
    show_progress: bool = False,
) -> xr.DataTree:
    """Run a study.

    Parameters
    ----------
    spec : Path, str, Spec or mapping
        A TOML file, such as ``infodis-stats init`` writes; or a `Spec` or dictionary with the keys of such a file.
    model : ConditionalModel or TextModel, optional
        A model in memory, which scores what the study names no ``[model]`` for. Texts need a `TextModel`; another
        model gets the symbols of the study's law as tokens, by their places in its alphabet.
    ledger : Path or str, optional
        Folder that keeps completed blocks. A killed run resumes from it, and a changed study reruns only what has
        changed; the numbers are those of an uninterrupted run. None: nothing is kept. A ``model`` needs a method
        ``fingerprint()``, without which a changed one would not be noticed.
    workers : int, default 1
        Processes that share the work and the threads; a ``model`` is pickled for them. Results under an exact law do
        not depend on their number; those of a network only by the rounding of its floating-point type. With more than
        one, a script needs ``if __name__ == "__main__":``.
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
        Show a progress bar, in terminals and notebooks.

    Returns
    -------
    xarray.DataTree
        ``draws`` (every replicate; ``counts`` of misses in a calibration), ``summary`` and ``provenance``. Comparisons
        and information: also ``truth`` (reference values and loss profiles). Information: ``curves`` against noise.
        Corpora: ``maps`` (the cost of each token of some texts). Frontiers: ``subjects`` (averages over lengths).

    Raises
    ------
    InputError
        If the study cannot be read or is invalid (the message names the lines), or needs code that is not permitted;
        or a ``model`` is none, or cannot be pickled for workers.
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
    switches = {
        "trust_remote_code": trust_remote_code,
        "allow_import": allow_import,
        "show_progress": show_progress,
    }
    _check_arguments(spec, ledger=ledger, workers=workers, scheduler=scheduler, device=device, **switches)
    if scheduler is not None and workers != 1:
        raise InputError("give either workers or a scheduler: the workers of a cluster are started separately")
    if model is not None:
        _check_model(model, kept=ledger is not None, workers=workers, scheduler=scheduler)
    text, path, shown = _text_of(spec, model)
    name = "" if model is None else _name(model)
    study = _Study(path, text, trust_remote_code, allow_import, name, model)
    open_executor = processes(workers) if scheduler is None else cluster(scheduler)
    title = parse_study(text, path, name, shown)[1].title
    with contextlib.ExitStack() as stack:
        if ledger is None:
            ledger = stack.enter_context(tempfile.TemporaryDirectory(prefix="infodis-stats-"))
        study_run = StudyRun(study, Path(ledger).resolve(), batch_size, str(device))
        facts = {
            "title": title,
            "study": shown or "a study in Python",
            "workers": workers if scheduler is None else scheduler,
        }
        return run(study_run, open_executor, show_progress=show_progress, **facts)


class Kept(NamedTuple):
    """What a folder keeps of a study: the study itself if it is there, and whether the report is one of it."""

    study: xr.DataTree | None = None
    report: bool = False


def kept_study(
    file: Path | str,
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    trust_remote_code: bool = False,
    allow_import: bool = False,
) -> Kept:
    """Return what a folder keeps of a study file, by the digest of its keys, texts, models and code.

    Parameters
    ----------
    file : Path or str
    folder : Path
        As `write_report` wrote it; damaged files do not count.
    device, trust_remote_code, allow_import
        As in `run_study`; the models are loaded if the folder has something to compare.

    Raises
    ------
    InputError
        If the study file cannot be read or is invalid, or needs code that is not permitted.
    """
    text, path, shown = _text_of(file, None)
    title = parse_study(text, path, "", shown)[1].title
    if not any((folder / name).is_file() for name in ("study.nc", "report.md")):
        return Kept()
    _, spec, subjects = _Study(path, text, trust_remote_code, allow_import).prepared(str(device))
    digest = study_digest(spec, subjects)
    tree = stored_study(folder, digest)
    if tree is not None:  # the title and the comments may have changed
        tree.attrs["title"] = title
        tree["provenance"].attrs["spec"] = text
    return Kept(tree, has_report(folder, digest))


@dataclass(frozen=True)
class _Study:
    """A study file as it was read, what code it may run, and its model in memory; every worker starts from it."""

    path: str
    text: str
    trust_remote_code: bool = False
    allow_import: bool = False
    model_name: str = ""
    model: Model | None = field(default=None, compare=False)  # it may have no hash; its blocks have its fingerprint

    def __call__(self, device: str) -> Workflow[xr.DataTree]:
        """Run the study."""
        kind, spec, subjects = self.prepared(device)
        result = yield from kind.run(subjects, spec)
        provenance = {
            "spec": self.text,
            "seed": spec.seed,
            "estimand": "; ".join(dict.fromkeys(estimand_of_model(subject.model) for subject in subjects)),
            **({"estimand": result.attributes["estimand"]} if "estimand" in result.attributes else {}),
            "model": "; ".join(dict.fromkeys(model_fingerprint(subject.model) for subject in subjects)),
            "model_conventions": _conventions(subjects),
            "laws": json.dumps([law_in_words(law) for law, _ in spec.scenarios() if law is not None]),
            "versions": json.dumps(versions()),
            "forward_passes": result.forward_passes,
            "failed": json.dumps(dict(result.failed)),
            "not_run": json.dumps(sorted(set(result.not_run))),
            "digest": study_digest(spec, subjects),
        }
        if self.model is not None:
            provenance["model_in_memory"] = _statement(self.model)
        tree = xr.DataTree.from_dict({**result.datasets, "provenance": xr.Dataset(attrs=provenance)})
        tree.attrs = {"title": spec.title, "kind": kind.name, "schema": SCHEMA, **result.attributes}
        return tree

    def prepared(self, device: str) -> tuple[StudyKind[Any], Any, list[Subject]]:
        """Return the kind of the study, its checked keys, and its subjects, whose models are loaded."""
        kind, spec = parse_study(self.text, self.path, self.model_name)
        subjects = make_subjects(
            spec.scenarios(),
            device,
            trust_remote_code=self.trust_remote_code,
            allow_import=self.allow_import,
            objects={} if self.model is None else {self.model_name: self.model},
        )
        return kind, spec, subjects


def _text_of(spec: Path | str | Spec | Mapping[str, Any], model: Model | None) -> tuple[str, str, str]:
    """Return the text of a study file, its path, and its path as it was given; empty if it was not."""
    if isinstance(spec, Mapping):
        spec = Spec(**spec)
    if isinstance(spec, Spec):
        if spec.needs_model and model is None:
            raise InputError("the study names neither a law nor a model: give run_study a model in memory as model=")
        return spec.text, str(Path.cwd() / "Spec"), ""
    return read_text(spec), str(Path(spec).resolve()), str(spec)


def _check_arguments(spec: Any, *, ledger: Any, workers: Any, scheduler: Any, device: Any, **switches: Any) -> None:
    """Refuse arguments of the wrong type."""
    if not isinstance(spec, str | Path | Spec | Mapping):
        raise InputError(
            f"a study is the path of a study file, a Spec or a dictionary of its keys, got {type(spec).__name__}"
        )
    if isinstance(spec, str) and "\n" in spec:
        raise InputError(
            "a study is the path of a study file, got a text of several lines: write the text to a file, or give the "
            "dictionary that tomllib.loads(text) returns"
        )
    other = [key for key in spec if not isinstance(key, str)] if isinstance(spec, Mapping) else []
    if other:
        raise InputError(f"the keys of a study must be strings, got {other[0]!r}")
    if ledger is not None and not isinstance(ledger, str | Path):
        raise InputError(f"ledger must be the path of a folder, got {type(ledger).__name__}")
    if isinstance(workers, bool) or not isinstance(workers, Integral):
        raise InputError(f"workers must be a positive integer, got {workers!r}")
    if scheduler is not None and not isinstance(scheduler, str):
        raise InputError(
            f"scheduler must be an address or the path of a scheduler file, got {type(scheduler).__name__}"
        )
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise InputError(f"{name} must be True or False, got {value!r}")
    try:
        torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"device must be a torch device such as 'cpu' or 'cuda:0', got {device!r}") from error


def _check_model(model: Any, *, kept: bool, workers: int, scheduler: str | None) -> None:
    """Refuse what is no model, or cannot do what is asked of it."""
    kind = type(model).__qualname__
    if isinstance(model, str | Path):
        raise InputError(f"model= is a model in memory: name {str(model)!r} in the [model] table of the study instead")
    if not (prices_masks(model) or gives_ratios(model)) or isinstance(model, type):
        raise InputError(
            f"model= must have the method token_nll(tokens, masked), -log p of each masked token in nats, got {kind}"
        )
    if (kept or scheduler is not None) and not hasattr(model, "fingerprint"):
        raise InputError(
            "a ledger or a scheduler needs a model with a method fingerprint(), which changes whenever its numbers "
            f"do: {kind} has none"
        )
    if workers != 1 or scheduler is not None:
        try:
            pickle.dumps(model)
        except Exception as error:  # the model's own code may raise anything
            raise InputError(
                f"workers get a pickled copy of the model, but {kind} cannot be pickled ({first_line(error)}): use "
                "workers=1 and no scheduler"
            ) from error


def _name(model: Model) -> str:
    """Return the name that stands for a model in memory."""
    return f"{type(model).__module__}.{type(model).__qualname__}, in memory"


def _statement(model: Model) -> str:
    """Say where a model came from, and what is not known of it."""
    known = "" if hasattr(model, "fingerprint") else "; it has no fingerprint, so its parameters are not recorded"
    return f"an object of the type {type(model).__module__}.{type(model).__qualname__}, given in Python{known}"


def _conventions(subjects: Sequence[Subject]) -> str:
    """Return the conventions that the networks declare as a JSON object, by fingerprint."""
    stated = {model_fingerprint(subject.model): json.loads(model_conventions(subject.model)) for subject in subjects}
    return json.dumps({model: conventions for model, conventions in stated.items() if conventions})

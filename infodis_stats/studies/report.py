"""The report of a study: a self-contained page, Markdown, figures and tables."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
import xarray as xr

from estimators import InputError
from infodis_stats.io.files import writable_folder
from infodis_stats.io.store import copy_store, read_store, write_store
from infodis_stats.report.conventions import conventions_in_words
from infodis_stats.report.document import Code, Document, Heading, Points, Section, Verdicts
from infodis_stats.report.group_names import short_group
from infodis_stats.report.page import files_of, write_texts
from infodis_stats.results.estimands import estimand_notes
from infodis_stats.studies.diagnosis import diagnose, estimator_verdicts
from infodis_stats.studies.digest import digest_in_words
from infodis_stats.studies.kinds import kind_named
from infodis_stats.studies.view import Study

__all__ = ["document_of", "rewrite_report", "write_document", "write_report"]

STEM = "report"


def document_of(tree: xr.DataTree) -> Document:
    """Return the report of a study of any kind: verdicts, findings and provenance.

    Raises
    ------
    InputError
        If it is no study, or there is no such kind.
    """
    kind = kind_named(Study.of(tree, "a report").attrs["kind"])
    with Study(tree).whole("the report"):
        names = _group_names(Study(tree))
        shown = _renamed(tree, names)
        study = Study(shown)
        document = kind.document(study)
        opening = Verdicts(diagnose(shown), estimator_verdicts(shown), document.cell)
        return replace(
            document,
            sections=[opening, *document.sections, *_provenance(study)],
            tables={name: _stored(table, names) for name, table in document.tables.items()},
            kind=kind.name,
        )


def write_report(tree: xr.DataTree, folder: Path | str) -> Path:
    """Write a study and its report into a folder.

    Parameters
    ----------
    tree : xarray.DataTree
        As returned by `run_study`.
    folder : Path or str
        Created if missing. Gets ``study.nc``, ``report.html`` (self-contained), ``report.md`` with ``figures/*.svg``,
        and ``tables/*.csv``; each file is replaced whole.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If it is no study, or only a part of one.
    StoreError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import infodis_stats as ids
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
    ...     file = Path(folder, "study.toml")
    ...     size = file.write_text(text)
    ...     ids.write_report(ids.run_study(file), folder).name
    'report.html'
    """
    Study.of(tree, "a report")
    if not isinstance(folder, str | Path):
        raise InputError(f"folder must be the path of a folder, got {type(folder).__name__}")
    folder = writable_folder(folder)  # fail before the figures are drawn, not after
    return write_document(document_of(tree), tree, folder)


def write_document(document: Document, tree: xr.DataTree, folder: Path | str) -> Path:
    """Write a study and its finished report, as `write_report` does."""
    folder = writable_folder(folder)
    files = files_of(document, STEM)
    write_store(tree, folder / "study.nc")
    write_texts(files, folder)
    return folder / f"{STEM}.html"


def rewrite_report(study: Path | str, folder: Path | str) -> Path:
    """Rewrite the report of a stored study, next to a copy of the study.

    Parameters
    ----------
    study : Path or str
        Anything that `read_store` reads.
    folder : Path or str
        As in `write_report`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    StoreError
        If the study cannot be read, or the folder cannot be written.
    """
    with read_store(study) as tree:
        folder = writable_folder(folder)
        files = files_of(document_of(tree), STEM)
    copy_store(study, folder / "study.nc")
    write_texts(files, folder)
    return folder / f"{STEM}.html"


def _group_names(study: Study) -> dict[str, str]:
    """Return the names of the groups that are shorter on the page, unless two would be the same."""
    names = study.summary["group"].values.tolist() if "group" in study.summary.coords else []
    try:
        subjects = tomllib.loads(study.provenance["spec"]).get("subjects", [])
    except tomllib.TOMLDecodeError:  # the text was changed: names stay as they are
        subjects = []
    short = {name: short_group(name, [table["name"] for table in subjects]) for name in names}
    return {name: new for name, new in short.items() if new != name} if len(set(short.values())) == len(names) else {}


def _renamed(tree: xr.DataTree, names: Mapping[str, str]) -> xr.DataTree:
    """Return a study with other names of its groups."""
    shown = tree.copy()
    for part, node in tree.children.items() if names else ():
        if "group" in node.coords:
            dataset = node.to_dataset()
            values = [names.get(name, name) for name in dataset["group"].values.tolist()]
            shown[part] = xr.DataTree(dataset.assign_coords(group=(dataset["group"].dims, values)))
    return shown


def _stored(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Return a table with the names of the groups in the study."""
    if "group" not in table or not names:
        return table
    return table.assign(group=table["group"].replace({short: name for name, short in names.items()}))


def _provenance(study: Study) -> Iterator[Section]:
    facts = study.provenance
    failed, not_run, versions = (json.loads(facts[name]) for name in ("failed", "not_run", "versions"))
    conventions = json.loads(facts.get("model_conventions", "{}"))
    yield Heading("Provenance")
    yield Points(
        [
            *(("", note) for note in estimand_notes(facts)),
            ("", f"Model: {facts['model']}"),
            *(("", f"The model is {statement}") for statement in [facts.get("model_in_memory", "")] if statement),
            *(("", f"Law: {law}") for law in json.loads(facts.get("laws", "[]"))),
            *(("", f"Conventions of {model}: {conventions_in_words(own)}") for model, own in conventions.items()),
            ("", f"Seed {facts['seed']}; {int(facts['forward_passes']):,} forward passes run"),
            ("", ", ".join(f"{package} {number}" for package, number in versions.items())),
            *(("", f"Failed and left out: {item}, {problem}") for item, problem in failed.items()),
            *(("", f"Not run: {reason}") for reason in not_run),
            *(("", digest_in_words(digest)) for digest in [facts.get("digest", "")] if digest),
        ]
    )
    yield Code(facts["spec"], "toml")

"""The report: a study as a self-contained page, as Markdown and as tables."""

import json
from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from infodis_stats.io.files import writable_folder
from infodis_stats.io.store import copy_store, read_store, write_store
from infodis_stats.report.document import Document
from infodis_stats.report.page import environment, write_texts
from infodis_stats.studies.diagnosis import diagnose, estimator_verdicts
from infodis_stats.studies.kinds import kinds_by_name
from infodis_stats.studies.view import Study

__all__ = ["document", "render_html", "render_markdown", "rewrite_report", "write_report"]

PAGE = "report.html"


def document(tree: xr.DataTree) -> Document:
    """Return the report of a study of any kind."""
    return kinds_by_name()[tree.attrs["kind"]].document(Study(tree))


def write_report(tree: xr.DataTree, folder: Path | str) -> Path:
    """Write a study and its report into a folder.

    Parameters
    ----------
    tree : xarray.DataTree
        What `run_study` returns.
    folder : Path or str
        Made if need be. Gets ``study.nc``, ``report.html`` (self-contained), ``report.md`` with ``figures/*.svg``, and
        ``tables/*.csv``; each file is replaced whole.

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
    files = _files(tree)
    write_store(tree, folder / "study.nc")
    write_texts(files, folder)
    return folder / PAGE


def rewrite_report(study: Path | str, folder: Path | str) -> Path:
    """Write the report of a stored study anew, and beside it the study as it is stored.

    Parameters
    ----------
    study : Path or str
        What `read_store` reads.
    folder : Path or str
        As `write_report` has it.

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
        files = _files(tree)
    copy_store(study, folder / "study.nc")
    write_texts(files, folder)
    return folder / PAGE


def _files(tree: xr.DataTree) -> dict[str, str]:
    """Return the texts of a report by their names in its folder."""
    report = document(tree)
    figures = _drawn(tree, report)
    files = {"report.md": _rendered("md", tree, report, {}), PAGE: _rendered("html", tree, report, figures)}
    files |= {f"figures/{name}.svg": figure for name, figure in figures.items()}
    return files | {f"tables/{name}.csv": frame.to_csv(index=False) for name, frame in report.tables.items()}


def render_html(tree: xr.DataTree) -> str:
    """Return the report as one page with its figures inside."""
    report = document(tree)
    return _rendered("html", tree, report, _drawn(tree, report))


def render_markdown(tree: xr.DataTree) -> str:
    """Return the report as Markdown; it shows the files in ``figures/``."""
    return _rendered("md", tree, document(tree), {})


def _drawn(tree: xr.DataTree, report: Document) -> dict[str, str]:
    return {name: draw(Study(tree)) for name, draw in report.figures.items()}


def _rendered(suffix: str, tree: xr.DataTree, report: Document, figures: Mapping[str, str]) -> str:
    template = environment(autoescape=suffix == "html").get_template(f"{report.template}.{suffix}.jinja")
    provenance = tree["provenance"].attrs
    return template.render(
        report.content,
        title=tree.attrs["title"],
        answer=report.answer,
        diagnosis=diagnose(tree),
        estimator_words=estimator_verdicts(tree).by_word(),
        figures=figures,
        model=provenance["model"],
        seed=provenance["seed"],
        spec=provenance["spec"],
        failed=json.loads(provenance["failed"]),
        not_run=json.loads(provenance["not_run"]),
        versions=json.loads(provenance["versions"]),
        forward_passes=f"{int(provenance['forward_passes']):,}",
    )

"""The report: a study as a self-contained page, as Markdown and as tables."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2
import xarray as xr

from infodis_stats.diagnostics import diagnose, estimator_verdicts
from infodis_stats.io.files import StoreError, atomic_path, sweep, writable_folder
from infodis_stats.io.store import copy_store, read_store, write_store
from infodis_stats.report import markdown
from infodis_stats.report.document import Document
from infodis_stats.studies.calibration.report import calibration_document
from infodis_stats.studies.comparison.report import comparison_document
from infodis_stats.studies.corpora.report import corpora_document
from infodis_stats.studies.frontier.report import frontier_document
from infodis_stats.studies.information.report import information_document

__all__ = [
    "document",
    "environment",
    "render_html",
    "render_markdown",
    "rewrite_report",
    "write_report",
    "write_texts",
]

PAGE = "report.html"
KINDS: dict[str, Callable[[xr.DataTree], Document]] = {
    "calibration": calibration_document,
    "comparison": comparison_document,
    "corpora": corpora_document,
    "frontier": frontier_document,
    "information": information_document,
}


def document(tree: xr.DataTree) -> Document:
    """Return the report of a study of any kind."""
    return KINDS[tree.attrs["kind"]](tree)


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


def write_texts(files: Mapping[str, str], folder: Path) -> None:
    """Write texts to files in a folder, each replaced whole; folders inside it are made if need be.

    Raises
    ------
    StoreError
        If a file cannot be written, or a link in the folder leads out of it.
    """
    for name, text in files.items():
        path = folder / name
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            raise StoreError(f"{path.parent} is a link that leads out of the folder {folder}")
        try:
            sweep(writable_folder(path.parent))
            with atomic_path(path) as beside:
                beside.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def render_html(tree: xr.DataTree) -> str:
    """Return the report as one page with its figures inside."""
    report = document(tree)
    return _rendered("html", tree, report, _drawn(tree, report))


def render_markdown(tree: xr.DataTree) -> str:
    """Return the report as Markdown; it shows the files in ``figures/``."""
    return _rendered("md", tree, document(tree), {})


def _drawn(tree: xr.DataTree, report: Document) -> dict[str, str]:
    return {name: draw(tree) for name, draw in report.figures.items()}


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


def environment(*, autoescape: bool) -> jinja2.Environment:
    """Return what renders the templates; escape for HTML or for Markdown."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("infodis_stats.report", "templates"),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=None if autoescape else markdown.finished,
    )
    environment.filters |= {
        "markdown_table": markdown.table,
        "markdown_text": markdown.plain,
        "markdown_code": markdown.code,
    }
    return environment

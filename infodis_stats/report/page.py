"""Files of a report: pages from templates, written whole."""

from collections.abc import Mapping
from pathlib import Path

import jinja2

from infodis_stats.io.files import StoreError, atomic_path, sweep, writable_folder
from infodis_stats.report import markdown

__all__ = ["environment", "write_texts"]


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

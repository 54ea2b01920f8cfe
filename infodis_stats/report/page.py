"""Files of a report: its pages, figures and tables, each replaced whole."""

from collections.abc import Mapping
from pathlib import Path

from infodis_stats.io.files import StoreError, atomic_path, sweep, writable_folder
from infodis_stats.io.tables import csv_table
from infodis_stats.report.document import Document
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown

__all__ = ["files_of", "write_texts"]


def files_of(document: Document, stem: str) -> dict[str, str]:
    """Return the texts of a report by file name; the pages are named ``stem``."""
    return {
        f"{stem}.md": render_markdown(document),
        f"{stem}.html": render_html(document),
        **{f"figures/{name}.svg": svg for name, svg in document.figures.items()},
        **{f"tables/{name}.csv": csv_table(frame) for name, frame in document.tables.items()},
    }


def write_texts(files: Mapping[str, str], folder: Path) -> None:
    """Write texts to files in a folder, each replaced whole; missing subfolders are created.

    Raises
    ------
    StoreError
        If a file cannot be written, or a symbolic link leads out of the folder.
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

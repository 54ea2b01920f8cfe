"""The digest of everything that determines the numbers of a study, and what a folder holds of that digest."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from pydantic import BaseModel

from estimators import InputError
from infodis_stats.io.files import StoreError
from infodis_stats.io.store import read_store
from infodis_stats.results.code_digest import code_digest
from infodis_stats.results.provenance import model_fingerprint
from infodis_stats.studies.design.models import ModelSpec
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.spec import StudySpec

__all__ = ["digest_in_words", "has_report", "stored_study", "study_digest"]

PAGES = {"report.md": "```", "report.html": "</html>"}
"""The pages of a report, and how they end."""

FIGURE = re.compile(r"^!\[.*\]\((figures/[\w-]+\.svg)\)$", re.MULTILINE)
"""A line of ``report.md`` that shows a figure."""


def study_digest(spec: StudySpec, subjects: Sequence[Subject]) -> str:
    """Return the SHA-256 of all that determines the numbers of a study, in hexadecimal.

    These are the keys of the study with their defaults, but not its title; the content of the files that it names; the
    fingerprints of its laws and models; and the code of its kind. Versions of other packages, processors and devices
    do not count: they change numbers by rounding only, and the report names the versions.

    Parameters
    ----------
    spec : StudySpec
    subjects : sequence of Subject

    Returns
    -------
    str
        Empty if a model has no fingerprint: a changed one would not be noticed.
    """
    models = [subject.model for subject in subjects]
    if not all(hasattr(model, "fingerprint") for model in models):
        return ""
    keys = {name: value for name, value in _plain(spec).items() if name != "title"}
    counted = [code_digest(type(spec).__module__), [model_fingerprint(model) for model in models], keys]
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()


def digest_in_words(digest: str) -> str:
    """Return the line of a report that has the digest."""
    return f"Digest of study, models and code: {digest}"


def stored_study(folder: Path, digest: str) -> xr.DataTree | None:
    """Return the study that a folder holds, if it is whole and has the digest."""
    try:
        with read_store(folder) as tree:
            return tree.load() if digest and tree["provenance"].attrs.get("digest") == digest else None
    except StoreError:
        return None


def has_report(folder: Path, digest: str) -> bool:
    """Return whether a folder holds the whole pages of a report that has the digest, its figures and tables."""
    if not digest:
        return False
    try:
        pages = {name: (folder / name).read_text("utf-8") for name in PAGES}
    except (OSError, UnicodeDecodeError):
        return False
    line = digest_in_words(digest)
    whole = all(line in text and text.rstrip().endswith(PAGES[name]) for name, text in pages.items())
    figures = all((folder / name).is_file() for name in FIGURE.findall(pages["report.md"]))
    return whole and figures and any((folder / "tables").glob("*.csv"))  # no page says which tables there are


def _plain(value: Any) -> Any:
    """Return the keys of a study for JSON, with the content of files in place of their names."""
    if isinstance(value, BaseModel):
        # The fingerprint stands for the name of a model, and the text of its path differs from machine to machine.
        keys = {name: getattr(value, name) for name in type(value).model_fields}
        if isinstance(value, ModelSpec):
            del keys["name"]
            if value.tokenizer is not None and Path(value.tokenizer).is_dir():
                keys["tokenizer"] = sorted(path for path in Path(value.tokenizer).iterdir() if path.is_file())
        return _plain(keys)
    if isinstance(value, Path):
        try:
            return hashlib.sha256(value.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{value} cannot be read: {error.strerror or error}") from error
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value

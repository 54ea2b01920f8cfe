"""Study files of any kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from estimators import InputError
from infodis_stats.io.files import read_text
from infodis_stats.studies.design.spec import StudySpec
from infodis_stats.studies.design.toml import checked, kind_of, parsed
from infodis_stats.studies.kind import StudyKind
from infodis_stats.studies.kinds import kinds_by_name

__all__ = ["check_study", "parse_study", "read_study"]


def read_study(path: Path | str) -> tuple[StudySpec, str]:
    """Read and check a study file; its ``kind`` is ``"comparison"`` by default.

    Returns
    -------
    spec : StudySpec
    text : str
        The text of the file.

    Raises
    ------
    InputError
        If the file cannot be read, or keys are unknown, missing or of the wrong type; the message names the lines.
    """
    text = read_text(path)
    return parse_study(text, path)[1], text


def parse_study(
    text: str, path: Path | str, model: str = "", shown: Path | str | None = None
) -> tuple[StudyKind[Any], Any]:
    """Check the text of the study file at a path, and return its kind and its specification.

    Parameters
    ----------
    text : str
    path : Path or str
    model : str
        Name that stands for a model in memory, which scores what the study names no ``[model]`` for.
    shown : Path or str, optional
        The path in messages, if it differs; empty: the study was written in Python, so that messages name no lines.
    """
    where, lines = ("Spec", "") if shown == "" else (str(path if shown is None else shown), text)
    return check_study(parsed(text, where), where=where, folder=Path(path).parent, text=lines, model=model)


def check_study(
    data: Mapping[str, Any], *, where: str, folder: Path, text: str = "", model: str = ""
) -> tuple[StudyKind[Any], Any]:
    """Check the keys of a study, as `parse_study` does."""
    kinds = kinds_by_name()
    kind = kinds[kind_of(data, where, list(kinds), text)]
    filled = _with_model(kind, data, where, model) if model else data
    return kind, checked(kind.schema, filled, where=where, folder=folder, text=text, name=model)


def _with_model(kind: StudyKind[Any], data: Mapping[str, Any], where: str, model: str) -> Mapping[str, Any]:
    """Put the name of a model where the study names none."""
    table = {"model": {"name": model}}
    if "model" in kind.schema.model_fields and not data.get("subjects"):
        if "model" in data:
            raise InputError(f"{where} names a model already: leave out either [model] or model=")
        return {**data, **table}
    subjects = data.get("subjects")
    if not isinstance(subjects, list):
        return data  # the schema says what is wrong
    if subjects and all(isinstance(subject, dict) and "model" in subject for subject in subjects):
        raise InputError(f"{where} names the model of every subject already: leave out either these or model=")
    return {
        **data,
        "subjects": [{**table, **subject} if isinstance(subject, dict) else subject for subject in subjects],
    }

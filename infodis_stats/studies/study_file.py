"""Study files of any kind."""

from pathlib import Path
from typing import Any

from infodis_stats.io.files import read_text
from infodis_stats.studies.design.spec import StudySpec
from infodis_stats.studies.design.toml import checked, kind_of, parsed
from infodis_stats.studies.kind import StudyKind
from infodis_stats.studies.kinds import kinds_by_name

__all__ = ["parse_study", "read_study"]


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
        If the file cannot be read or a key is unknown, missing or of the wrong type; the message names the line.
    """
    text = read_text(path)
    return parse_study(text, path)[1], text


def parse_study(text: str, path: Path | str) -> tuple[StudyKind[Any], Any]:
    """Check the text of the study file at a path, and return its kind and its specification."""
    kinds, data = kinds_by_name(), parsed(text, path)
    kind = kinds[kind_of(data, str(path), list(kinds), text)]
    return kind, checked(kind.schema, data, where=str(path), folder=Path(path).parent, text=text)

"""Study files of any kind."""

from pathlib import Path

from infodis_stats.files import read_text
from infodis_stats.spec.comparison import ComparisonSpec
from infodis_stats.spec.document import validated

__all__ = ["read_study"]


def read_study(path: Path | str) -> tuple[ComparisonSpec, str]:
    """Read and check a study file.

    Returns
    -------
    spec : ComparisonSpec
    text : str
        The file as it stands, for the record.

    Raises
    ------
    InputError
        If the file cannot be read or a key is unknown, missing or of the wrong type; names the line.
    """
    text = read_text(path)
    return validated(ComparisonSpec, text, path), text

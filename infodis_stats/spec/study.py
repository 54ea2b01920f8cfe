"""Study files of any kind."""

from pathlib import Path

from infodis_stats.files import read_text
from infodis_stats.spec.comparison import ComparisonSpec
from infodis_stats.spec.corpora import CorporaSpec
from infodis_stats.spec.document import kind_of, validated

__all__ = ["read_study"]

KINDS: dict[str, type[ComparisonSpec] | type[CorporaSpec]] = {"comparison": ComparisonSpec, "corpora": CorporaSpec}


def read_study(path: Path | str) -> tuple[ComparisonSpec | CorporaSpec, str]:
    """Read and check a study file; its ``kind`` is ``"comparison"`` (of estimators) unless it says otherwise.

    Returns
    -------
    spec : ComparisonSpec or CorporaSpec
    text : str
        The file as it stands, for the record.

    Raises
    ------
    InputError
        If the file cannot be read or a key is unknown, missing or of the wrong type; names the line.
    """
    text = read_text(path)
    return validated(KINDS[kind_of(text, path, list(KINDS))], text, path), text

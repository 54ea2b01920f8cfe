"""Study files of any kind."""

from pathlib import Path

from infodis_stats.files import read_text
from infodis_stats.spec.calibration import CalibrationSpec
from infodis_stats.spec.comparison import ComparisonSpec
from infodis_stats.spec.corpora import CorporaSpec
from infodis_stats.spec.document import kind_of, validated
from infodis_stats.spec.frontier import FrontierSpec
from infodis_stats.spec.information import InformationSpec

__all__ = ["StudySpec", "parse_study", "read_study"]

StudySpec = ComparisonSpec | CalibrationSpec | CorporaSpec | FrontierSpec | InformationSpec

KINDS: dict[str, type[StudySpec]] = {
    "comparison": ComparisonSpec,
    "calibration": CalibrationSpec,
    "corpora": CorporaSpec,
    "frontier": FrontierSpec,
    "information": InformationSpec,
}


def read_study(path: Path | str) -> tuple[StudySpec, str]:
    """Read and check a study file; its ``kind`` is ``"comparison"`` (of estimators) unless it says otherwise.

    Returns
    -------
    spec : StudySpec
    text : str
        The file as it stands, for the record.

    Raises
    ------
    InputError
        If the file cannot be read or a key is unknown, missing or of the wrong type; names the line.
    """
    text = read_text(path)
    return parse_study(text, path), text


def parse_study(text: str, path: Path | str) -> StudySpec:
    """Check the text of a study file that lies at a path; see `read_study`."""
    return validated(KINDS[kind_of(text, path, list(KINDS))], text, path)

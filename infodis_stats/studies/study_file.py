"""Study files of any kind."""

from pathlib import Path

from infodis_stats.io.files import read_text
from infodis_stats.studies.calibration.schema import CalibrationSpec
from infodis_stats.studies.comparison.schema import ComparisonSpec
from infodis_stats.studies.corpora.schema import CorporaSpec
from infodis_stats.studies.design.toml import kind_of, validated
from infodis_stats.studies.frontier.schema import FrontierSpec
from infodis_stats.studies.information.schema import InformationSpec

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

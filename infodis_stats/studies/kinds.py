"""The kinds of study."""

from typing import Any

from infodis_stats.studies.calibration import CALIBRATION
from infodis_stats.studies.comparison import COMPARISON
from infodis_stats.studies.corpora import CORPORA
from infodis_stats.studies.frontier import FRONTIER
from infodis_stats.studies.information import INFORMATION
from infodis_stats.studies.kind import StudyKind

__all__ = ["KINDS", "kinds_by_name"]

KINDS: tuple[StudyKind[Any], ...] = (COMPARISON, CALIBRATION, CORPORA, FRONTIER, INFORMATION)
"""Every kind; the first is the default of study files."""


def kinds_by_name() -> dict[str, StudyKind[Any]]:
    """Return the kinds by their names, in order."""
    return {kind.name: kind for kind in KINDS}

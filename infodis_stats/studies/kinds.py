"""The kinds of study."""

from typing import Any

from estimators import InputError
from infodis_stats.studies.blocks import BLOCKS
from infodis_stats.studies.calibration import CALIBRATION
from infodis_stats.studies.comparison import COMPARISON
from infodis_stats.studies.corpora import CORPORA
from infodis_stats.studies.design.toml import hint
from infodis_stats.studies.frontier import FRONTIER
from infodis_stats.studies.information import INFORMATION
from infodis_stats.studies.kind import StudyKind
from infodis_stats.studies.likelihoods import LIKELIHOODS

__all__ = ["KINDS", "kind_named", "kinds_by_name"]

KINDS: tuple[StudyKind[Any], ...] = (COMPARISON, BLOCKS, CALIBRATION, CORPORA, FRONTIER, INFORMATION, LIKELIHOODS)
"""Every kind; the first is the default of study files."""


def kinds_by_name() -> dict[str, StudyKind[Any]]:
    """Return the kinds by their names, in order."""
    return {kind.name: kind for kind in KINDS}


def kind_named(name: str) -> StudyKind[Any]:
    """Return the kind of a name; `InputError` if there is none."""
    kinds = kinds_by_name()
    if name not in kinds:
        advice = hint(name, kinds) or f"; there are {', '.join(kinds)}"
        raise InputError(f"there is no kind of study {name!r}{advice}")
    return kinds[name]

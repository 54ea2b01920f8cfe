"""Information: score entropies against masked estimators, and mutual information against noise."""

from infodis_stats.studies.information.example import EXAMPLE
from infodis_stats.studies.information.report import information_document
from infodis_stats.studies.information.run import follow_information
from infodis_stats.studies.information.schema import InformationSpec
from infodis_stats.studies.information.verdicts import information_verdicts
from infodis_stats.studies.kind import StudyKind

__all__ = ["INFORMATION"]

INFORMATION = StudyKind(
    name="information",
    schema=InformationSpec,
    run=follow_information,
    verdicts=information_verdicts,
    document=information_document,
    example=EXAMPLE,
    compares_estimators=True,
)

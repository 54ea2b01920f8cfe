"""Information: score entropies against masked estimators, and mutual information against noise."""

from infodis_stats.lazy import on_first_call
from infodis_stats.studies.information.example import EXAMPLE
from infodis_stats.studies.information.schema import InformationSpec
from infodis_stats.studies.kind import StudyKind

__all__ = ["INFORMATION"]

INFORMATION = StudyKind(
    name="information",
    schema=InformationSpec,
    run=on_first_call("infodis_stats.studies.information.run:follow_information"),
    verdicts=on_first_call("infodis_stats.studies.information.verdicts:information_verdicts"),
    document=on_first_call("infodis_stats.studies.information.report:information_document"),
    example=EXAMPLE,
    compares_estimators=True,
)

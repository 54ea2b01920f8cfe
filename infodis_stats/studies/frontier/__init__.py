"""Frontiers: which estimator has the least variance at every length and number of passes."""

from infodis_stats.lazy import on_first_call
from infodis_stats.studies.frontier.example import EXAMPLE
from infodis_stats.studies.frontier.schema import FrontierSpec
from infodis_stats.studies.kind import StudyKind

__all__ = ["FRONTIER"]

FRONTIER = StudyKind(
    name="frontier",
    schema=FrontierSpec,
    run=on_first_call("infodis_stats.studies.frontier.run:find_frontier"),
    verdicts=on_first_call("infodis_stats.studies.frontier.verdicts:frontier_verdicts"),
    document=on_first_call("infodis_stats.studies.frontier.report:frontier_document"),
    example=EXAMPLE,
    compares_estimators=True,
)

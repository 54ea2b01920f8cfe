"""Frontiers: which estimator has the least variance at every length and number of passes."""

from infodis_stats.studies.frontier.example import EXAMPLE
from infodis_stats.studies.frontier.report import frontier_document
from infodis_stats.studies.frontier.run import find_frontier
from infodis_stats.studies.frontier.schema import FrontierSpec
from infodis_stats.studies.frontier.verdicts import frontier_verdicts
from infodis_stats.studies.kind import StudyKind

__all__ = ["FRONTIER"]

FRONTIER = StudyKind(
    name="frontier",
    schema=FrontierSpec,
    run=find_frontier,
    verdicts=frontier_verdicts,
    document=frontier_document,
    example=EXAMPLE,
    compares_estimators=True,
)

"""Comparisons of estimators."""

from infodis_stats.lazy import on_first_call
from infodis_stats.studies.comparison.example import EXAMPLE
from infodis_stats.studies.comparison.schema import ComparisonSpec
from infodis_stats.studies.kind import StudyKind

__all__ = ["COMPARISON"]

COMPARISON = StudyKind(
    name="comparison",
    schema=ComparisonSpec,
    run=on_first_call("infodis_stats.studies.comparison.run:compare_estimators"),
    verdicts=on_first_call("infodis_stats.studies.comparison.verdicts:comparison_verdicts"),
    document=on_first_call("infodis_stats.studies.comparison.report:comparison_document"),
    example=EXAMPLE,
    compares_estimators=True,
)

"""Comparisons of estimators."""

from infodis_stats.studies.comparison.example import EXAMPLE
from infodis_stats.studies.comparison.report import comparison_document
from infodis_stats.studies.comparison.run import compare_estimators
from infodis_stats.studies.comparison.schema import ComparisonSpec
from infodis_stats.studies.comparison.verdicts import comparison_verdicts
from infodis_stats.studies.kind import StudyKind

__all__ = ["COMPARISON"]

COMPARISON = StudyKind(
    name="comparison",
    schema=ComparisonSpec,
    run=compare_estimators,
    verdicts=comparison_verdicts,
    document=comparison_document,
    example=EXAMPLE,
    compares_estimators=True,
)

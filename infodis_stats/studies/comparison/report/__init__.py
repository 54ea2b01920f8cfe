"""The report of a comparison of estimators."""

from infodis_stats.studies.comparison.report.document import comparison_document

__all__ = ["comparison_document"]

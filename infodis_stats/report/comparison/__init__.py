"""The report of a comparison of estimators."""

from infodis_stats.report.comparison.document import comparison_document

__all__ = ["comparison_document"]

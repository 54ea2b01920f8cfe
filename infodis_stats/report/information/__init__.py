"""The report of a study of information."""

from infodis_stats.report.information.document import information_document

__all__ = ["information_document"]

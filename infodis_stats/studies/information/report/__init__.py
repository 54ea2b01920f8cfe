"""The report of a study of information."""

from infodis_stats.studies.information.report.document import information_document

__all__ = ["information_document"]

"""The report of a study of the frontier."""

from infodis_stats.studies.frontier.report.document import frontier_document

__all__ = ["frontier_document"]

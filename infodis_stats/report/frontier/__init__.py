"""The report of a study of the frontier."""

from infodis_stats.report.frontier.document import frontier_document

__all__ = ["frontier_document"]

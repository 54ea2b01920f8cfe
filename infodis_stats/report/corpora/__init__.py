"""The report of a comparison of corpora."""

from infodis_stats.report.corpora.document import corpora_document

__all__ = ["corpora_document"]

"""The report of a comparison of corpora."""

from infodis_stats.studies.corpora.report.document import corpora_document

__all__ = ["corpora_document"]

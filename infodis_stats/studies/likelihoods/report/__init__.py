"""The report of a study of likelihoods."""

from infodis_stats.studies.likelihoods.report.document import likelihoods_document

__all__ = ["likelihoods_document"]

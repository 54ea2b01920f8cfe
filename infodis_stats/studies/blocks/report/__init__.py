"""The report of a study of blocks."""

from infodis_stats.studies.blocks.report.document import blocks_document

__all__ = ["blocks_document"]

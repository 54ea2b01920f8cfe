"""Reports: documents and their rendering, pages of scans and diagnoses, and tables of results."""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

"""Text records: the texts, pairs and questions to score, from files of several formats and from Python objects."""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

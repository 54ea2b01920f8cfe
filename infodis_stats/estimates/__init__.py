"""Likelihoods and likelihood ratios with their error bars: the functions that most users need."""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

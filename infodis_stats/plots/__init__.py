"""Plots of results and of stored studies: matplotlib axes in and out; reports use the same functions."""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

"""Inference from results: decisions, averages, comparisons of variances."""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

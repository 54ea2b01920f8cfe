"""Diagnostics: checks of results that end in a verdict in words."""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

"""Diagnosis of models: what a network really does, found by calling it, and whether that gives likelihoods."""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

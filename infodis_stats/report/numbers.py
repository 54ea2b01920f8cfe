"""Formatting of numbers."""

from infodis_stats.plots.numbers import band, percent, significant

__all__ = ["band", "percent", "significant"]

"""The commands: each is a function of the same name, from parsed arguments to tables, JSON or files."""

from infodis_stats.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)

"""Whether a model's conditionals come from one law: whole orders, and swaps of two neighbours in an order."""

from infodis_stats.consistency.orders import order_gap
from infodis_stats.consistency.swaps import order_swaps

__all__ = ["order_gap", "order_swaps"]

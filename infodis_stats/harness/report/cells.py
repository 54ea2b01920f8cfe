"""Numbers of an evaluation as they stand in tables and sentences."""

import math
from typing import Any

import numpy as np

from infodis_stats.plots.numbers import significant

__all__ = ["ends", "known_or_nan", "points", "share"]


def known_or_nan(value: object) -> float:
    """Return a number of the results; NaN for what stands there if it is not known."""
    return value if isinstance(value, float) else math.nan


def share(value: Any) -> str:
    """Return a share in percent."""
    return significant(math.nan) if np.isnan(value) else f"{100 * float(value):.1f}"


def points(value: Any) -> str:
    """Return a difference of shares in points."""
    return significant(100 * float(value), 2)


def ends(ends: Any, scale: float = 100.0) -> str:
    """Return an interval of shares in percent, or of perplexities."""
    lower, upper = (float(end) for end in ends)
    if math.isnan(lower):
        return significant(lower)
    texts = [f"{100 * end:.1f}" if scale == 100.0 else significant(end, 4) for end in (lower, upper)]
    return f"[{', '.join(texts)}]"

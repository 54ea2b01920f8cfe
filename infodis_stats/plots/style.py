"""The common style of figures in reports: sizes, lines and colours."""

from typing import Any

__all__ = ["BLUE", "COLUMNS", "GREEN", "GREY", "PAGE", "STYLE"]

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.linewidth": 1.4,
}
BLUE, GREEN, GREY = "#2b6cb0", "#1b7f4b", "#777777"
COLUMNS = 3
PAGE = 11.3  # inches: the column of a page

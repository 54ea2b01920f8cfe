"""Drawing: a common style, and figures as SVG elements with reproducible bytes."""

import io
import re
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from estimators.streams import root_seed, stream

__all__ = ["COLUMNS", "PAGE", "STYLE", "panels", "subsample", "subsample_note", "to_svg"]

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
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
COLUMNS = 3
PAGE = 9.8  # inches
ROW = 9.3  # inches of a full row of panels
MOST_ITEMS = 500  # in a panel: more are illegible and take hundreds of megabytes


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element; the ids in it begin with ``name``."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text[text.index("<svg") :])
    # Pages hold several figures: their ids must differ.
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)


def panels(count: int, height: float, margin: float = 0.0, *, most: int = COLUMNS) -> tuple[Figure, list[Axes]]:
    """Lay out panels across a page, at most ``most`` per row; ``margin`` leaves space for names (inches)."""
    columns = min(count, most)
    rows = -(-count // columns)
    width = min(ROW / most * columns, PAGE - margin) if columns > 1 else 4.6
    figure = Figure(figsize=(width + margin, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.set_axis_off()
    return figure, axes[:count]


def subsample(count: int) -> NDArray[np.int64]:
    """Choose which of ``count`` items a panel draws: all, or a subsample of 500 with a fixed seed.

    Examples
    --------
    >>> subsample(3), len(subsample(100_000))
    (array([0, 1, 2]), 500)
    """
    if count <= MOST_ITEMS:
        return np.arange(count)
    return np.sort(stream(root_seed(0), "items of a panel", str(count)).choice(count, MOST_ITEMS, replace=False))


def subsample_note(count: int) -> str:
    """Return how many items a panel draws, for the end of a label; empty where it draws all.

    Examples
    --------
    >>> subsample_note(3), subsample_note(100_000)
    ('', '; 500 of 100,000 drawn at random')
    """
    return f"; {MOST_ITEMS} of {count:,} drawn at random" if count > MOST_ITEMS else ""

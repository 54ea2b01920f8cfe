"""Values that a figure shows under the pointer, where it is an SVG on a page."""

from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

__all__ = ["MOST_REGIONS", "add_hover", "hover_elements"]

MOST_REGIONS = 500  # in a panel: each takes 0.1 kB of a page
SMALLEST = 7.0  # points: what a pointer finds easily


class Regions(Artist):
    """Boxes of a panel with a text each; draws nothing itself."""

    def __init__(self, boxes: NDArray[np.float64], texts: Sequence[str]) -> None:
        super().__init__()
        self.boxes, self.texts = boxes, texts
        self.set_in_layout(False)

    def draw(self, renderer: RendererBase) -> None:
        """Draw nothing: `hover_elements` writes the texts."""


def add_hover(axis: Axes, x: ArrayLike, y: ArrayLike, texts: Sequence[str]) -> None:
    """Show texts under the pointer.

    Parameters
    ----------
    axis : Axes
    x, y : array_like, shape (item,) or (item, 2)
        Data coordinates of points, or the two ends of intervals, bars and cells.
    texts : sequence of str
        One for each item. Of more than 500 items, only so many spread over all get theirs.
    """
    ends = [np.asarray(values, dtype=np.float64) for values in (x, y)]
    (left, right), (bottom, top) = ((part[:, 0], part[:, -1]) if part.ndim == 2 else (part, part) for part in ends)
    boxes = np.stack(np.broadcast_arrays(left, bottom, right, top), axis=-1)
    if len(boxes) > MOST_REGIONS:
        chosen = np.linspace(0, len(boxes) - 1, MOST_REGIONS).astype(np.int64)
        boxes, texts = boxes[chosen], [texts[row] for row in chosen]
    axis.add_artist(Regions(boxes, list(texts)))


def hover_elements(figure: Figure) -> str:
    """Return the regions of a figure that was drawn, as an SVG group of transparent boxes with titles; empty if none.

    Coordinates are those of an SVG of the figure: points from the upper left corner.
    """
    elements = [
        element
        for axis in figure.findobj(Axes)
        for artist in axis.get_children()
        if isinstance(artist, Regions)
        for element in _elements(figure, axis, artist)
    ]
    # Without a fill, so that nothing can be seen, but under the pointer all the same.
    return f'<g fill="none" pointer-events="all">\n{"".join(elements)}</g>\n' if elements else ""


def _elements(figure: Figure, axis: Axes, regions: Regions) -> list[str]:
    points = 72 / figure.dpi
    view = np.array(axis.bbox.extents) * points
    with np.errstate(all="ignore"):  # logarithms of what is not positive are outside the panel
        ends = axis.transData.transform(regions.boxes.reshape(-1, 2)).reshape(-1, 4) * points
    low, high = np.minimum(ends[:, :2], ends[:, 2:]), np.maximum(ends[:, :2], ends[:, 2:])
    seen = np.isfinite(ends).all(axis=1) & (high >= view[:2] - 0.5).all(axis=1) & (low <= view[2:] + 0.5).all(axis=1)
    low, high = np.maximum(low, view[:2]), np.minimum(high, view[2:])
    grown = np.maximum(SMALLEST - (high - low), 0) / 2
    low, high = low - grown, high + grown
    upper = figure.bbox.height * points
    return [
        f'<rect x="{left:.1f}" y="{upper - top:.1f}" width="{right - left:.1f}" height="{top - bottom:.1f}">'
        f"<title>{escape(regions.texts[row], quote=False)}</title></rect>\n"
        for row, (left, bottom), (right, top) in zip(
            np.flatnonzero(seen).tolist(), low[seen].tolist(), high[seen].tolist(), strict=True
        )
    ]

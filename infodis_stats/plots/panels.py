"""Panels: the axes that a plot draws on, given or new, and what they share."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.plots.style import COLUMNS, PAGE

__all__ = ["Ax", "Drawn", "axes_for", "drawn_on", "label", "legend", "new_figure", "panels"]

Ax = Axes | Figure | SubFigure | Sequence[Axes] | NDArray[Any] | None
"""Where a plot is drawn: an Axes, several for several panels, an empty figure, or None for a new one."""

Drawn = Axes | NDArray[Any]
"""What a plot was drawn on: an Axes, or an array of them, shape (panel,)."""


def panels(count: int, height: float, *, most: int = COLUMNS) -> tuple[Figure, list[Axes]]:
    """Lay out panels across a page, in a new figure that pyplot does not know.

    Parameters
    ----------
    count : int
        Number of panels.
    height : float
        Inches of a panel.
    most : int
        Panels per row at most.
    """
    figure = Figure()
    return figure, _laid_out(figure, count, height, most)


def _laid_out(figure: Figure | SubFigure, count: int, height: float, most: int) -> list[Axes]:
    columns = min(count, most)
    rows = -(-count // columns)
    if isinstance(figure, Figure):
        figure.set_size_inches(PAGE, height * rows)
        figure.set_layout_engine("constrained")
    axes: list[Axes] = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[count:]:
        spare.set_axis_off()
    return axes[:count]


def axes_for(ax: Ax, count: int, height: float) -> list[Axes]:
    """Return the axes of ``count`` panels: those given, or new ones as `panels` lays them out.

    Raises
    ------
    InputError
        If these are no axes, fewer than panels, or a figure that is not empty.
    """
    if ax is None or isinstance(ax, Figure | SubFigure):
        return _laid_out(new_figure() if ax is None else empty(ax), count, height, COLUMNS)
    axes: list[Any] = np.ravel(np.asarray(ax, dtype=object)).tolist()
    other = next((type(one).__name__ for one in axes if not isinstance(one, Axes)), None)
    if other is not None:
        raise InputError(f"ax must be a matplotlib Axes, an array of Axes or an empty Figure, got {other}")
    if len(axes) < count:
        raise InputError(f"the plot has {count} panels, but ax has {len(axes)} axes; ax=None makes a new figure")
    return axes[:count]


def new_figure() -> Figure:
    """Return a new figure of pyplot: notebooks display no others."""
    from matplotlib import pyplot  # noqa: PLC0415  chooses a backend

    return pyplot.figure()


def empty(figure: Figure | SubFigure) -> Figure | SubFigure:
    """Return a figure that has no axes. Raises `InputError` if it has."""
    if figure.axes:
        raise InputError("ax is a figure that has axes already: give these, or an empty figure")
    return figure


def drawn_on(axes: Sequence[Axes]) -> Drawn:
    """Return a single Axes as it is, and several as an array."""
    if len(axes) == 1:
        return axes[0]
    drawn = np.empty(len(axes), dtype=object)
    drawn[:] = axes
    return drawn


def label(axes: Sequence[Axes], x: str, y: str) -> None:
    """Label panels: once where they fill a figure, else each."""
    figure = axes[0].get_figure(root=False)
    if len(axes) > 1 and figure is not None and _fill(figure, axes):
        size = mpl.rcParams["axes.labelsize"]  # the default of figures is longer than a row is high
        figure.supxlabel(x, fontsize=size)
        figure.supylabel(y, fontsize=size)
        return
    for axis in axes:
        axis.set_xlabel(x, parse_math=False)
        axis.set_ylabel(y, parse_math=False)


def legend(axes: Sequence[Axes], handles: Sequence[Artist], names: Sequence[str], title: str | None = None) -> None:
    """Explain panels beside them where they fill a figure whose layout leaves space for it, else inside the first."""
    figure = axes[0].get_figure(root=False)
    if figure is not None and _fill(figure, axes) and isinstance(_layout(figure), ConstrainedLayoutEngine):
        figure.legend(list(handles), list(names), loc="outside right center", title=title, fontsize=8)
    else:
        axes[0].legend(list(handles), list(names), title=title, fontsize=8)


def _fill(figure: Figure | SubFigure, axes: Sequence[Axes]) -> bool:
    """Return whether a figure shows these axes and no others."""
    return {axis for axis in figure.axes if axis.axison} == set(axes)


def _layout(figure: Figure | SubFigure) -> Any:
    root = figure.figure if isinstance(figure, SubFigure) else figure
    return root.get_layout_engine() if isinstance(root, Figure) else None

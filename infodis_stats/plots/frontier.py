"""Which estimator has the least variance at every length and number of passes."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import NDArray

from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.numbers import band, significant
from infodis_stats.plots.palette import shade_of, text_on
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on, empty, label, legend, new_figure
from infodis_stats.plots.stored import summary_of
from infodis_stats.plots.style import PAGE

__all__ = ["plot_frontier", "plot_gains", "row_names"]

COLUMNS = 2
CELL = 0.26  # inches high
WIDEST = 1.2
ABOVE, BELOW, RIGHT = 0.3, 0.32, 0.1  # inches around the cells of a panel
LEGEND = 0.2  # inches per row
CORNER = 0.28, 0.5  # of the width and the height of a cell
EMPTY = "#f0f0f0"
DOWN, ACROSS = "scored positions", "forward passes of one replicate"


def row_names(part: xr.Dataset) -> list[str]:
    """Return the names of the groups of a subject: their scored length where it is unique, else their name."""
    lengths = part["length"].values.tolist()
    if len(set(lengths)) == len(lengths):
        return [str(length) for length in lengths]
    start = len(str(part["subject"].values[0])) + 1
    return [group[start:] for group in part["group"].values.tolist()]


def plot_frontier(tree: xr.DataTree, *, ax: Ax = None) -> Drawn:
    """Plot the best estimator at every length and number of passes, one panel per subject.

    Passes across, scored positions down; the colour of a cell is that of the estimator with the least variance. The
    number is how many times less variance it has than the first rival of the study, chosen and measured on different
    replicates. A corner has the colour of the next best, where the two are not significantly different.

    Parameters
    ----------
    tree : xarray.DataTree
        A study of kind frontier, as returned by `run_study` or read by `read_store`.
    ax : array of Axes, optional
        One for each subject; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes or array of Axes, shape (subject,)

    Raises
    ------
    InputError
        If it is no such study.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> from matplotlib.figure import Figure
    >>> law = {"kind": "markov-chain", "order": 1, "alphabet": "ACGT"}
    >>> targets = [{"name": "short", "count": 2, "length": 6}]
    >>> study = {"kind": "frontier", "title": "Best", "seed": 1, "passes": [4], "replicates": 8}
    >>> study |= {"estimators": ["time-free", "uniform-count"], "rivals": ["time-free"]}
    >>> tree = ids.run_study(study | {"subjects": [{"name": "DNA", "law": law, "targets": targets}]})
    >>> [passes.get_text() for passes in ids.plot_frontier(tree, ax=Figure()).get_xticklabels()]
    ['4']
    """
    summary = summary_of(tree, "plot_frontier", "winner", "regret", "tied", "exact", "subject", "length", "rival")
    return plot_gains(summary, str(summary["rival"].values[0]), ax=ax)


def plot_gains(summary: xr.Dataset, rival: str, *, ax: Ax = None) -> Drawn:
    """Plot the summary of a frontier as `plot_frontier` does, relative to any of its rivals."""
    subjects = list(dict.fromkeys(summary["subject"].values.tolist()))
    parts = [summary.isel(group=summary["subject"].values == subject) for subject in subjects]
    winners = [winner for winner, _ in Counter(filter(None, summary["winner"].values.ravel().tolist())).most_common()]
    handles = [Rectangle((0, 0), 1, 1, facecolor=shade_of(winner)) for winner in winners]
    if ax is None or isinstance(ax, Figure | SubFigure):
        figure = new_figure() if ax is None else empty(ax)
        return drawn_on(_laid_out(figure, parts, rival, winners, handles))
    axes = axes_for(ax, len(parts), 0.0)
    for axis, part in zip(axes, parts, strict=True):
        _draw(axis, part, rival)
        axis.set_title(str(part["subject"].values[0]), parse_math=False)
    label(axes, ACROSS, DOWN)
    legend(axes, handles, winners)
    return drawn_on(axes)


def _laid_out(
    figure: Figure | SubFigure,
    parts: Sequence[xr.Dataset],
    rival: str,
    winners: Sequence[str],
    handles: Sequence[Rectangle],
) -> list[Axes]:
    """Fill a figure with panels whose cells have one size, under a legend of several columns."""
    columns = min(COLUMNS, len(parts))
    left = 0.45 + 0.062 * max(len(row) for part in parts for row in row_names(part))
    column = PAGE / COLUMNS
    width = min(WIDEST, (column - left - RIGHT) / parts[0].sizes["passes"])
    across = max(1, int(columns * column / (0.5 + 0.075 * max(map(len, winners), default=1))))
    top = 0.1 + LEGEND * -(-len(winners) // across)
    rows = [parts[start : start + columns] for start in range(0, len(parts), columns)]
    heights = [ABOVE + CELL * max(part.sizes["group"] for part in row) + BELOW for row in rows]
    total, full = top + sum(heights) + 0.2, columns * column
    if isinstance(figure, Figure):
        figure.set_size_inches(full, total)
    axes = []
    edge = total - top
    for row, height in zip(rows, heights, strict=True):
        for position, part in enumerate(row):
            tall = CELL * part.sizes["group"]
            corner = (position * column + left, edge - ABOVE - tall)
            size = (width * part.sizes["passes"], tall)
            axis = figure.add_axes((corner[0] / full, corner[1] / total, size[0] / full, size[1] / total))
            _draw(axis, part, rival)
            start, above = corner[0] - max(0, left - 1), corner[1] + tall + 0.08
            figure.text(start / full, above / total, str(part["subject"].values[0]), fontsize=10, parse_math=False)
            axes.append(axis)
        edge -= height
    figure.legend(
        list(handles),
        list(winners),
        loc="upper left",
        ncols=across,
        fontsize=8,
        borderaxespad=0.1,
        handlelength=1.2,
        columnspacing=1.4,
    )
    figure.text(0.5, 0.06 / total, ACROSS, ha="center", va="bottom")
    middle = (total - top + 0.2) / 2 / total
    figure.text(0.02 / full, middle, DOWN, ha="left", va="center", rotation="vertical")
    return axes


def _draw(axis: Axes, part: xr.Dataset, rival: str) -> None:
    won = part["estimator"] == part["winner"]
    winners, exact = part["winner"].values, (part["exact"] & won).any("estimator").transpose("group", "passes").values
    gains = part["regret"].sel(estimator=rival).transpose("group", "passes").values
    ends = part["regret_ci"].sel(estimator=rival).transpose("group", "passes", "ci_bound").values
    seconds = _runners_up(part)
    rows, passes = row_names(part), part["passes"].values.tolist()
    texts = []
    for row, column in np.ndindex(winners.shape):
        winner, second = str(winners[row, column]), str(seconds[row, column])
        colour = shade_of(winner) if winner else EMPTY
        axis.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.2))
        if second:
            corner = [(column + 1, row), (column + 1 - CORNER[0], row), (column + 1, row + CORNER[1])]
            axis.add_patch(Polygon(corner, facecolor=shade_of(second), edgecolor="white", linewidth=0.9))
        gain = float(gains[row, column])
        if winner:
            text = "exact" if exact[row, column] else significant(gain, 2)
            axis.text(column + 0.5, row + 0.53, text, ha="center", va="center", fontsize=7, color=text_on(colour))
        where = f"{rows[row]}, {passes[column]} passes: "
        times = (
            "exact"
            if exact[row, column]
            else f"{band(gain, *ends[row, column].tolist())} times less variance than {rival}"
        )
        tie = f"; no significant difference from {second}" if second else ""
        texts.append(where + (f"{winner}, {times}{tie}" if winner else "not run"))
    columns, lines = np.tile(np.arange(len(passes)), len(rows)), np.repeat(np.arange(len(rows)), len(passes))
    add_hover(axis, np.stack([columns, columns + 1], axis=-1), np.stack([lines, lines + 1], axis=-1), texts)
    axis.set_xlim(0, len(passes))
    axis.set_ylim(len(rows), 0)
    axis.set_xticks(np.arange(len(passes)) + 0.5, [str(count) for count in passes])
    axis.set_yticks(np.arange(len(rows)) + 0.5, rows, parse_math=False)
    axis.tick_params(length=0, labelsize=8)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _runners_up(part: xr.Dataset) -> NDArray[np.str_]:
    """Return the best estimator not significantly different from the winner (group, passes); empty if none."""
    winner = part["estimator"] == part["winner"]
    others = part["tied"] & ~winner & ~part["exact"]
    variance = part["variance"].where(others, np.inf).transpose("estimator", "group", "passes").values
    best = part["estimator"].values[variance.argmin(axis=0)]
    return np.where(np.isfinite(variance.min(axis=0)), best, "")

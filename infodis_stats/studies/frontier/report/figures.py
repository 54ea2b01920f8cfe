"""The figure of a frontier: which estimator wins at every length and number of passes."""

from collections import Counter

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from numpy.typing import NDArray

from infodis_stats.report.numbers import significant
from infodis_stats.report.palette import shade_of, text_on
from infodis_stats.report.svg import PAGE, STYLE, to_svg
from infodis_stats.studies.frontier.report.cells import row_names
from infodis_stats.studies.view import Study

__all__ = ["frontier_figure"]

COLUMNS = 2
CELL = 0.26  # inches high
WIDEST = 0.55
ABOVE, BELOW, RIGHT = 0.3, 0.32, 0.1  # inches around the cells of a panel
LEGEND = 0.2  # inches per row
MARK = 0.13  # inches of a corner
EMPTY = "#f0f0f0"


def frontier_figure(study: Study, rival: str, name: str) -> str:
    """Draw one panel per subject: passes across, scored lengths down, cells coloured by the winner.

    The number in a cell is how many times less variance its winner has than the rival. A corner has the
    colour of the next best that is not significantly different from it.

    Parameters
    ----------
    study : Study
    rival : str
    name : str
        Prefix of the ids in the SVG, unique on a page.
    """
    summary = study.summary
    subjects = list(dict.fromkeys(summary["subject"].values.tolist()))
    parts = [summary.isel(group=summary["subject"].values == subject) for subject in subjects]
    left = 0.45 + 0.062 * max(len(row) for part in parts for row in row_names(part))
    columns = min(COLUMNS, len(parts))
    column = PAGE / COLUMNS
    width = min(WIDEST, (column - left - RIGHT) / summary.sizes["passes"])
    winners = [winner for winner, _ in Counter(filter(None, summary["winner"].values.ravel().tolist())).most_common()]
    across = max(1, int(columns * column / (0.5 + 0.075 * max(map(len, winners), default=1))))
    top = 0.1 + LEGEND * -(-len(winners) // across)
    rows = [parts[start : start + columns] for start in range(0, len(parts), columns)]
    heights = [ABOVE + CELL * max(part.sizes["group"] for part in row) + BELOW for row in rows]
    total, full = top + sum(heights) + 0.2, columns * column
    with mpl.rc_context(STYLE | {"axes.grid": False, "text.parse_math": False}):
        figure = Figure(figsize=(full, total))
        edge = total - top
        for row, height in zip(rows, heights, strict=True):
            for position, part in enumerate(row):
                tall = CELL * part.sizes["group"]
                corner = (position * column + left, edge - ABOVE - tall)
                size = (width * part.sizes["passes"], tall)
                box = (corner[0] / full, corner[1] / total, size[0] / full, size[1] / total)
                _draw_panel(figure.add_axes(box), part, rival, width)
                start, above = corner[0] - max(0, left - 1), corner[1] + tall + 0.08
                figure.text(start / full, above / total, str(part["subject"].values[0]), fontsize=10, parse_math=False)
            edge -= height
        _draw_legend(figure, winners, across)
        figure.text(0.5, 0.06 / total, "forward passes of one replicate", ha="center", va="bottom")
        middle = (total - top + 0.2) / 2 / total
        figure.text(0.02 / full, middle, "scored positions", ha="left", va="center", rotation="vertical")
        return to_svg(figure, name)


def _draw_panel(axis: Axes, part: xr.Dataset, rival: str, width: float) -> None:
    won = part["estimator"] == part["winner"]
    winners, exact = part["winner"].values, (part["exact"] & won).any("estimator").transpose("group", "passes").values
    gains, seconds = part["regret"].sel(estimator=rival).values, _runners_up(part)
    for row, column in np.ndindex(winners.shape):
        winner, second = str(winners[row, column]), str(seconds[row, column])
        colour = shade_of(winner) if winner else EMPTY
        axis.add_patch(Rectangle((column, row), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.2))
        if second:
            corner = [(column + 1, row), (column + 1 - MARK / width, row), (column + 1, row + MARK / CELL)]
            axis.add_patch(Polygon(corner, facecolor=shade_of(second), edgecolor="white", linewidth=0.9))
        if winner:
            text = "exact" if exact[row, column] else significant(float(gains[row, column]), 2)
            axis.text(column + 0.5, row + 0.53, text, ha="center", va="center", fontsize=7, color=text_on(colour))
    axis.set_xlim(0, part.sizes["passes"])
    axis.set_ylim(part.sizes["group"], 0)
    axis.set_xticks(np.arange(part.sizes["passes"]) + 0.5, [str(count) for count in part["passes"].values.tolist()])
    axis.set_yticks(np.arange(part.sizes["group"]) + 0.5, row_names(part), parse_math=False)
    axis.tick_params(length=0, labelsize=8)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _runners_up(part: xr.Dataset) -> NDArray[np.str_]:
    """Return the best estimator not significantly different from the winner (group, passes); empty if none."""
    winner = part["estimator"] == part["winner"]
    others = part["tied"] & ~winner & ~part["exact"]
    variance = part["variance"].where(others, np.inf).transpose("estimator", "group", "passes").values
    best = part["estimator"].values[variance.argmin(axis=0)]
    return np.where(np.isfinite(variance.min(axis=0)), best, "")


def _draw_legend(figure: Figure, winners: list[str], across: int) -> None:
    handles = [Rectangle((0, 0), 1, 1, facecolor=shade_of(winner)) for winner in winners]
    figure.legend(
        handles,
        winners,
        loc="upper left",
        ncols=across,
        fontsize=8,
        borderaxespad=0.1,
        handlelength=1.2,
        columnspacing=1.4,
    )

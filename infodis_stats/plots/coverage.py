"""Coverage and width of intervals against the number of replicates, one panel per kind of interval."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from infodis_stats.plots.calibration_cells import cautioned_cells, clean_cells, main_level
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.numbers import percent, significant
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on, label, legend
from infodis_stats.plots.stored import summary_of

__all__ = ["plot_coverage", "plot_width"]

PLAIN, CAUTIONED = "#2b6cb0", "#d08a2e"
LOWEST = 0.6  # cells that cover less are drawn here
APART = 0.17  # of the distance between numbers of replicates
NEEDED = ("coverage", "coverage_ci", "quiet_coverage", "quiet_coverage_ci", "relative_width", "cautions", "level")


def plot_coverage(tree: xr.DataTree, *, ax: Ax = None) -> Drawn:
    """Plot the coverage of the intervals of a calibration against nominal, one panel per kind of interval.

    One dot per cell: a group, an estimator, and numbers of passes and replicates. Blue: the intervals without a
    caution, in cells without one. Orange: all intervals of the cells with a caution. Cells that cover less than 60 %
    are drawn at 60 %.

    Parameters
    ----------
    tree : xarray.DataTree
        A study of kind calibration, as returned by `run_study` or read by `read_store`; 95 % intervals, if it has
        several confidence levels.
    ax : array of Axes, optional
        One for each kind of interval; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes or array of Axes, shape (interval,)
        Percent; the line is the nominal coverage.

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
    >>> study = {"kind": "calibration", "title": "Coverage", "seed": 1, "passes": [4], "replicates": [4], "draws": 8}
    >>> study |= {"estimators": ["uniform-count"], "intervals": ["auto", "student-t"]}
    >>> tree = ids.run_study(study | {"subjects": [{"name": "DNA", "law": law, "targets": targets}]})
    >>> [axis.get_title() for axis in ids.plot_coverage(tree, ax=Figure())]
    ['auto', 'student-t']
    """
    summary = summary_of(tree, "plot_coverage", *NEEDED)
    level = main_level(summary)
    drawn = (
        (clean_cells(summary, level), PLAIN, -APART, "no caution"),
        (cautioned_cells(summary, level), CAUTIONED, APART, "caution"),
    )
    names, counts = summary["interval"].values.tolist(), summary["replicates"].values.tolist()
    axes = axes_for(ax, len(names), 2.6)
    for axis, name in zip(axes, names, strict=True):
        for counted, colour, side, _ in drawn:
            part = counted[counted["interval"] == name]
            spread = np.linspace(-0.12, 0.12, 7)[np.arange(len(part)) % 7]
            place = _places(part, counts) + side + spread
            heights = np.maximum(part["coverage"].to_numpy(), LOWEST)
            axis.plot(place, heights, ".", color=colour, markersize=3, alpha=0.6)
            texts = [
                f"{_cell(cell)}: covers {percent(cell['coverage'])} % "
                f"[{percent(cell['lower'])}, {percent(cell['upper'])}] of {int(cell['intervals']):,}"
                + (f"; {cell['cautions']}" if cell["cautions"] else "")
                for cell in part.to_dict("records")
            ]
            add_hover(axis, place, heights, texts)
        axis.axhline(level, color="#333333", linewidth=0.9)
        axis.set_ylim(LOWEST - 0.01, 1.01)
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
        _frame(axis, name, counts)
    label(axes, "replicates of an interval", "coverage (%)")
    handles = [Line2D([], [], linestyle="", marker="o", markersize=4, color=colour) for _, colour, _, _ in drawn]
    legend(axes, handles, [words for *_, words in drawn])
    return drawn_on(axes)


def plot_width(tree: xr.DataTree, *, ax: Ax = None) -> Drawn:
    """Plot the width of the intervals without a caution over that of the normal interval of known variance.

    Parameters
    ----------
    tree, ax
        As in `plot_coverage`. Bars are medians; cells above the panel are not drawn.

    Returns
    -------
    Axes or array of Axes, shape (interval,)

    Raises
    ------
    InputError
        If it is no such study.
    """
    summary = summary_of(tree, "plot_coverage", *NEEDED)
    clean = clean_cells(summary, main_level(summary))
    names, counts = summary["interval"].values.tolist(), summary["replicates"].values.tolist()
    axes = axes_for(ax, len(names), 2.6)
    for axis, name in zip(axes, names, strict=True):
        part = clean[(clean["interval"] == name) & np.isfinite(clean["relative_width"])]
        place = _places(part, counts) + np.linspace(-0.25, 0.25, 11)[np.arange(len(part)) % 11]
        widths = part["relative_width"].to_numpy()
        axis.plot(place, widths, ".", color=PLAIN, markersize=3, alpha=0.5)
        medians = part.groupby("replicates")["relative_width"].median()
        axis.plot([counts.index(count) for count in medians.index], medians, "_", color="#111111", markersize=18)
        axis.axhline(1.0, color="#333333", linewidth=0.9)
        axis.set_yscale("log")
        axis.set_ylim(0.7, 8)
        axis.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
        axis.minorticks_off()
        _frame(axis, name, counts)
        texts = [
            f"{_cell(cell)}: {significant(cell['relative_width'])} times the ideal width"
            for cell in part.to_dict("records")
        ]
        add_hover(axis, place, widths, texts)
    label(axes, "replicates of an interval", "width over the ideal")
    return drawn_on(axes)


def _places(part: pd.DataFrame, counts: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([counts.index(count) for count in part["replicates"]], dtype=np.float64)


def _cell(cell: dict[str, object]) -> str:
    return f"{cell['group']}, {cell['estimator']}, {cell['passes']} passes × {cell['replicates']}"


def _frame(axis: Axes, name: str, counts: Sequence[int]) -> None:
    axis.set_title(name, parse_math=False)
    axis.set_xticks(range(len(counts)), [str(count) for count in counts])
    axis.set_xlim(-0.6, len(counts) - 0.4)

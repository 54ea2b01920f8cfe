"""Figures of a calibration: coverage and width against the number of replicates, one panel per kind of interval."""

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FuncFormatter

from infodis_stats.report.svg import STYLE, panels, to_svg
from infodis_stats.studies.calibration.report.cells import cautioned_cells, clean_cells, main_level
from infodis_stats.studies.view import Study

__all__ = ["coverage_figure", "width_figure"]

PLAIN, CAUTIONED = "#2b6cb0", "#d08a2e"
LOWEST = 0.6  # cells that cover less are drawn here


def coverage_figure(study: Study) -> str:
    """Draw the coverage of every cell."""
    summary = study.summary
    level = main_level(summary)
    drawn = ((clean_cells(summary, level), PLAIN, -0.17), (cautioned_cells(summary, level), CAUTIONED, 0.17))
    names, counts = summary["interval"].values.tolist(), summary["replicates"].values.tolist()
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(names), 2.6)
        for axis, name in zip(axes, names, strict=True):
            for counted, colour, side in drawn:
                part = counted[counted["interval"] == name]
                position = np.array([counts.index(count) for count in part["replicates"]], dtype=float)
                spread = np.linspace(-0.12, 0.12, 7)[np.arange(len(part)) % 7]
                heights = np.maximum(part["coverage"].to_numpy(), LOWEST)
                axis.plot(position + side + spread, heights, ".", color=colour, markersize=3, alpha=0.6)
            axis.axhline(level, color="#333333", linewidth=0.9)
            axis.set_title(name, parse_math=False)
            axis.set_xticks(range(len(counts)), [str(count) for count in counts])
            axis.set_xlim(-0.6, len(counts) - 0.4)
            axis.set_ylim(LOWEST - 0.01, 1.01)
            axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
        figure.supxlabel("replicates of an interval")
        figure.supylabel("coverage (%)")
        return to_svg(figure, "coverage")


def width_figure(study: Study) -> str:
    """Draw the width of every cell, over that of the normal interval of known variance."""
    summary = study.summary
    clean = clean_cells(summary, main_level(summary))
    names, counts = summary["interval"].values.tolist(), summary["replicates"].values.tolist()
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(names), 2.6)
        for axis, name in zip(axes, names, strict=True):
            chosen = clean[(clean["interval"] == name) & np.isfinite(clean["relative_width"])]
            position = np.array([counts.index(count) for count in chosen["replicates"]], dtype=float)
            spread = np.linspace(-0.25, 0.25, 11)[np.arange(len(chosen)) % 11]
            axis.plot(position + spread, chosen["relative_width"], ".", color=PLAIN, markersize=3, alpha=0.5)
            medians = chosen.groupby("replicates")["relative_width"].median()
            axis.plot([counts.index(count) for count in medians.index], medians, "_", color="#111111", markersize=18)
            axis.axhline(1.0, color="#333333", linewidth=0.9)
            axis.set_yscale("log")
            axis.set_ylim(0.7, 8)
            axis.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
            axis.minorticks_off()
            axis.set_title(name, parse_math=False)
            axis.set_xticks(range(len(counts)), [str(count) for count in counts])
            axis.set_xlim(-0.6, len(counts) - 0.4)
        figure.supxlabel("replicates of an interval")
        figure.supylabel("width over the ideal")
        return to_svg(figure, "width")

"""Figures of a report on harness tasks: accuracies with both intervals, margins, passes."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from infodis_stats.harness.accuracies import FIXED_PASSES
from infodis_stats.harness.metrics import question_passes
from infodis_stats.harness.report.open_questions import margins
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.numbers import percent
from infodis_stats.plots.panels import panels
from infodis_stats.plots.style import BLUE, GREY, PAGE, STYLE
from infodis_stats.report.svg import to_svg

__all__ = ["LARGEST_MARGIN", "forest_figure", "margins_figure", "passes_figure"]

ORANGE = "#c2571a"

LARGEST_MARGIN = 6.0
"""Standard errors; larger margins are drawn there."""


def forest_figure(accuracies: Mapping[str, xr.Dataset]) -> str:
    """Draw the accuracies of tasks with both intervals.

    Parameters
    ----------
    accuracies : mapping of str to xarray.Dataset
        Of `infodis_stats.harness.accuracies.accuracies`, by task.
    """
    rows = [(name, score, part.sel(score=score)) for name, part in accuracies.items() for score in part["score"].values]
    names = [f"{name}, {score}" for name, score, _ in rows]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PAGE, 0.9 + 0.26 * len(rows)), layout="constrained")
        axis = figure.subplots()
        for height, (_, _, part) in enumerate(rows):
            axis.hlines(height, *part["population_ci"].values, color=BLUE, linewidth=1.0)
            axis.hlines(height, *part["ci"].values, color=BLUE, linewidth=5.0, alpha=0.45)
            axis.plot(float(part["value"]), height, "o", color=BLUE, markersize=4)
        texts = [
            f"{name}: {percent(float(part['value']))} % "
            f"[{', '.join(percent(end) for end in part['population_ci'].values.tolist())}] over questions like these, "
            f"[{', '.join(percent(end) for end in part['ci'].values.tolist())}] over masks"
            for name, (_, _, part) in zip(names, rows, strict=True)
        ]
        ends = np.array([part["population_ci"].values for _, _, part in rows])
        add_hover(axis, ends, np.arange(len(rows)), texts)
        axis.set_yticks(range(len(rows)), names, parse_math=False)
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xlabel("accuracy")
        return to_svg(figure, "accuracy")


def margins_figure(tasks: Mapping[str, xr.Dataset], score: Mapping[str, str]) -> str:
    """Draw histograms of the margins, settled and undecided questions apart.

    Parameters
    ----------
    tasks : mapping of str to xarray.Dataset
        Of kind ``"choices"``, scored.
    score : mapping of str to str
        The score of each task.
    """
    edges = np.linspace(0, LARGEST_MARGIN, 25)
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(tasks), 2.3)
        for axis, (name, data) in zip(axes, tasks.items(), strict=True):
            part = data.sel(score=score[name])
            margin, settled = np.clip(margins(part), 0, LARGEST_MARGIN), part["settled"].values.astype(bool)
            known = ~np.isnan(margin)
            counts, _, _ = axis.hist(
                [margin[known & ~settled], margin[known & settled]],
                edges.tolist(),
                stacked=True,
                color=[ORANGE, BLUE],
                label=["undecided", "settled"],
            )
            _bar_texts(axis, edges, np.asarray(counts)[-1], "standard errors")
            axis.set_title(f"{name}, {score[name]}", parse_math=False)
        axes[0].legend()
        figure.supxlabel(f"margin of the leader, standard errors ({LARGEST_MARGIN:g} or more at the right end)")
        figure.supylabel("questions")
        return to_svg(figure, "margins")


def passes_figure(tasks: Mapping[str, xr.Dataset]) -> str:
    """Draw histograms of the passes per choice of each question, against the fixed 128."""
    most = max(FIXED_PASSES, *(float(_passes(data).max()) for data in tasks.values()))
    edges = 2.0 ** np.arange(-0.25, np.log2(most) + 0.75, 0.5)
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(tasks), 2.3)
        for axis, (name, data) in zip(axes, tasks.items(), strict=True):
            counts, _, _ = axis.hist(np.maximum(_passes(data), 1.0), edges.tolist(), color=BLUE)
            _bar_texts(axis, edges, np.asarray(counts), "passes")
            axis.axvline(FIXED_PASSES, color=GREY, linestyle="--", linewidth=1.2, zorder=3)
            axis.set_xscale("log", base=2)
            axis.set_xticks(_powers(most), [str(power) for power in _powers(most)])
            axis.set_title(name, parse_math=False)
        figure.supxlabel("passes per choice (dashed: 128)")
        figure.supylabel("questions")
        return to_svg(figure, "passes")


def _bar_texts(axis: Axes, edges: NDArray[np.float64], counts: NDArray[np.float64], unit: str) -> None:
    """Show how many questions each bar counts."""
    full = np.flatnonzero(counts)
    texts = [f"{edges[bar]:.3g} to {edges[bar + 1]:.3g} {unit}: {int(counts[bar]):,} questions" for bar in full]
    add_hover(axis, np.stack([edges[full], edges[full + 1]], -1), np.stack([0 * counts[full], counts[full]], -1), texts)


def _passes(data: xr.Dataset) -> NDArray[np.float64]:
    return np.asarray((question_passes(data) / data["choices"]).values)


def _powers(most: float) -> Sequence[int]:
    return [2**power for power in range(0, int(np.ceil(np.log2(most))) + 1, 2 if most <= 2 * FIXED_PASSES else 3)]

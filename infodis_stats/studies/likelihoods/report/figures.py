"""The figure of a study of likelihoods: every number of every subject as a dot, with the exact values as lines."""

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.numbers import band, significant
from infodis_stats.plots.style import PAGE, STYLE
from infodis_stats.report.svg import to_svg
from infodis_stats.studies.likelihoods.report.answer import ran
from infodis_stats.studies.view import Study

__all__ = ["numbers_figure"]

ANY_ORDER, MARGINAL = "#2b6cb0", "#1b7f4b"
DECODER, PUBLISHED = "#111111", "#a05a5a"
ROW, GAP, FOOT, NAMES = 0.27, 0.6, 0.55, 2.9  # inches: of a row, above a panel, below the last one, for names
FARTHEST = 0.3  # of the any-order value: numbers farther away are arrows at the edge


def numbers_figure(study: Study) -> str:
    """Draw one panel per subject, one row per number: estimands first, then published estimators."""
    summary = study.summary
    parts = {name: ran(summary, name) for name in summary["subject"].values.tolist()}
    rows = [part.sizes["estimand"] + part.sizes["estimator"] + 1 for part in parts.values()]
    with mpl.rc_context(STYLE):
        heights = [count * ROW for count in rows]
        total = sum(heights) + GAP * len(rows) + FOOT
        figure = Figure(figsize=(PAGE, total))  # in inches: constrained layouts differ in the last bits
        tops = total - np.cumsum([GAP, *(height + GAP for height in heights[:-1])])
        axes = [
            figure.add_axes((NAMES / PAGE, (top - height) / total, (PAGE - NAMES - 0.2) / PAGE, height / total))
            for top, height in zip(tops.tolist(), heights, strict=True)
        ]
        for axis, (subject, part) in zip(axes, parts.items(), strict=True):
            _panel(axis, subject, part)
        axes[-1].set_xlabel("bits per token")
        handles = [
            Line2D([], [], color=ANY_ORDER, linewidth=1.6, label="any-order value"),
            Line2D([], [], color=MARGINAL, linewidth=1.6, label="order-marginal value"),
            Line2D([], [], color=PUBLISHED, linewidth=3.5, alpha=0.45, label="± SD of one published number, all texts"),
        ]
        figure.legend(handles=handles, loc="upper right", ncols=3, fontsize=8)
        return to_svg(figure, "numbers")


def _panel(axis: Axes, subject: str, part: xr.Dataset) -> None:
    base = float(part["bits"].sel(estimand="any-order"))
    estimands, labels = part["estimand"].values.tolist(), part["estimator"].values.tolist()
    near = [*part["bits"].values.tolist(), *part["mean_bits"].values.tolist()]
    near = [value for value in near if abs(value / base - 1) <= FARTHEST]
    spread = part["set_spread"].values * base
    room = max(0.06 * base, 0.12 * (max(near) - min(near)))
    left, right = min(near) - room, max(near) + room
    axis.set_xlim(left, right)
    axis.axvline(base, color=ANY_ORDER, linewidth=1.2, zorder=1)
    lower, upper = part["bits_ci"].sel(estimand="order-marginal").values.tolist()
    axis.axvspan(lower, upper, color=MARGINAL, alpha=0.18, linewidth=0, zorder=0)
    axis.axvline(float(part["bits"].sel(estimand="order-marginal")), color=MARGINAL, linewidth=1.2, zorder=1)
    for height, name in enumerate(estimands):
        cell = part.sel(estimand=name)
        colour = {"any-order": ANY_ORDER, "order-marginal": MARGINAL}.get(name, DECODER)
        axis.hlines(height, *cell["bits_ci"].values.tolist(), color=colour, linewidth=2.2, zorder=3)
        ends = np.clip(cell["bits_ci"].values, left, right)
        low, high = cell["bits_ci"].values.tolist()
        text = f"{name}: {band(float(cell['bits']), low, high, 4)} bits per token"
        add_hover(axis, [ends], [height], [text])
        _dot(axis, float(cell["bits"]), height, colour, "D")
    start = len(estimands) + 1
    for height, (label, width) in enumerate(zip(labels, spread.tolist(), strict=True), start):
        value = float(part["mean_bits"].sel(estimator=label))
        axis.hlines(height, value - width, value + width, color=PUBLISHED, alpha=0.45, linewidth=3.5, zorder=2)
        text = f"{label}: mean {significant(value, 4)} bits per token, SD of one number {significant(width)}"
        add_hover(axis, [np.clip([value - width, value + width], left, right)], [height], [text])
        _dot(axis, value, height, PUBLISHED, "o")
    axis.axhline(len(estimands), color="#bbbbbb", linewidth=0.8)
    axis.set_ylim(start + len(labels) - 0.4, -0.6)
    places = [*range(len(estimands)), *range(start, start + len(labels))]
    axis.set_yticks(places, [*estimands, *labels], parse_math=False)
    axis.tick_params(axis="y", length=0)
    axis.set_title(subject, parse_math=False)


def _dot(axis: Axes, value: float, height: float, colour: str, marker: str) -> None:
    """Draw a value, or an arrow with its number where it is outside the panel."""
    left, right = axis.get_xlim()
    if left <= value <= right:
        axis.plot([value], [height], marker, color=colour, markersize=5, zorder=4)
        return
    edge, mark, side, shift = (right, ">", "right", -8) if value > right else (left, "<", "left", 8)
    axis.plot([np.clip(value, left, right)], [height], mark, color=colour, markersize=6, clip_on=False, zorder=4)
    axis.annotate(
        significant(value),
        (edge, height),
        (shift, 0),
        textcoords="offset points",
        ha=side,
        va="center",
        color=colour,
        fontsize=8,
    )

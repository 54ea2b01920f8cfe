"""Figures of a comparison of estimators."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from infodis_stats import analysis
from infodis_stats.report.palette import MISS, colour_of
from infodis_stats.report.svg import COLUMNS, STYLE, panels, subsample, subsample_note, to_svg
from infodis_stats.studies.view import Study

__all__ = [
    "draw_estimates",
    "draw_variances",
    "efficiency_figure",
    "estimates_figure",
    "look_of",
    "variance_figure",
]

MARKERS = {"": "o", "antithetic": "s", "stratified": "^", "latin-hypercube": "v", "sobol": "P"}
TITLE_WIDTH = 36  # characters over a panel
DASHES = {"": "-", "antithetic": "--", "stratified": ":", "latin-hypercube": "-.", "sobol": "--"}


Look = dict[str, str]
"""Colour, marker and dashes of an estimator, as matplotlib calls them."""


def look_of(name: str) -> Look:
    """Return the look of an estimator: colour by mask map, marker and dashes by design, hollow if decoupled."""
    contrast, _, estimator = name.rpartition(" ")
    base, _, design = estimator.partition("+")
    colour = colour_of(base)
    return {
        "color": colour,
        "marker": MARKERS.get(design, "D"),
        "linestyle": DASHES.get(design, "-."),
        "markerfacecolor": "white" if contrast == "decoupled" or "(" in base else colour,
    }


def _quantity(study: Study) -> str:
    return {"nll": "negative log-likelihood", "log_ratio": "log-likelihood ratio"}[study.attrs["quantity"]]


def estimates_figure(study: Study) -> str:
    """Draw estimates with their intervals against the truth, one panel per estimator (the paper's Figure 1)."""
    summary, draws = study.summary, study.draws
    known = study.truth
    truth = known["truth"].values
    replicates, level = summary.attrs["interval_replicates"], summary.attrs["ci_prob"]
    passes = int(draws["passes"].values[len(draws["passes"]) // 2])
    chosen = draws["estimate"].sel(passes=passes).isel(replicate=slice(replicates))
    run = draws["forward_passes"].sel(passes=passes).notnull().any("item").values
    names = draws["estimator"].values[run].tolist()
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(names), 2.7)
        low, high = truth.min(), truth.max()
        margin = 0.08 * (high - low) + 0.1
        for axis, name in zip(axes, names, strict=True):
            draw_estimates(axis, chosen.sel(estimator=name).values, known, level, look_of(name)["color"])
            axis.set_xlim(low - margin, high + margin)
            axis.set_ylim(low - 4 * margin, high + 4 * margin)
            title = name.replace("(", "\n(") if len(name) > TITLE_WIDTH else name
            axis.set_title(title, parse_math=False)
        whose = "the network's" if known["truth_se"].values.any() else "exact"
        figure.supxlabel(f"{whose} {_quantity(study)} (nats){subsample_note(truth.size)}")
        figure.supylabel(f"estimate, {passes} passes × {replicates} (nats)")
        return to_svg(figure, "estimates")


def draw_estimates(axis: Axes, values: NDArray[np.float64], known: xr.Dataset, level: float, colour: str) -> None:
    """Draw replicates (item, replicate) as means with Student's t intervals against the truth, red where they miss.

    Of more than 500 items a subsample of 500 is drawn; those that cover are counted over all.
    """
    run = np.isfinite(values).all(axis=-1)  # an estimator may not suit all models
    known, values = known.isel(item=run), values[run]
    truth = known["truth"].values
    interval = analysis.student_t(values, level)
    allowed = analysis.widen(interval, values.mean(axis=-1), known["truth_se"].values, level)
    covers = (allowed.lower <= truth + 1e-9) & (truth - 1e-9 <= allowed.upper)
    ends = [truth.min(), truth.max()]
    axis.plot(ends, ends, color="#999999", linewidth=0.8, zorder=1)
    drawn = subsample(truth.size)
    for shown, shade in ((drawn[covers[drawn]], colour), (drawn[~covers[drawn]], MISS)):
        axis.vlines(truth[shown], interval.lower[shown], interval.upper[shown], color=shade, linewidth=0.9)
        axis.plot(truth[shown], values[shown].mean(axis=1), "o", color=shade, markersize=2.6)
    words = f"{int(covers.sum()):,} of {covers.size:,} cover"
    axis.text(0.03, 0.97, words, transform=axis.transAxes, va="top", color="#555555")


def variance_figure(study: Study) -> str:
    """Draw the variance against the passes on log axes with the fitted slopes, one panel per group."""
    summary = study.summary
    with mpl.rc_context(STYLE):
        figure, axes = panels(summary.sizes["group"], 3.3, margin=2.4)
        for axis, group in zip(axes, summary["group"].values.tolist(), strict=True):
            names = summary["estimator"].values.tolist()
            draw_variances(axis, summary.sel(group=group), {name: look_of(name) for name in names})
        figure.supxlabel("forward passes of one replicate")
        figure.supylabel("variance (nats²)")
        handles, names = axes[0].get_legend_handles_labels()
        title, labels = "estimator", names
        if summary.sizes["group"] == 1:
            title = "estimator (slope)"
            labels = [f"{name}  ({float(summary['slope'].sel(estimator=name)[0]):.2f})" for name in names]
        figure.legend(handles, labels, loc="outside right center", title=title, fontsize=8)
        return to_svg(figure, "variance")


def draw_variances(axis: Axes, part: xr.Dataset, looks: Mapping[str, Look]) -> None:
    """Draw the variances of a group against the passes on log axes; broad pale lines are exact variances."""
    passes = part["passes"].values.astype(float)
    for name, look in looks.items():
        cells = part.sel(estimator=name)
        variance, exact = cells["variance"].values, cells["exact_variance"].values
        shown = np.isfinite(variance) & (variance > 1e-18)
        if not shown.any():
            continue
        axis.loglog(passes[shown], variance[shown], markersize=4, label=name, **look)
        if np.isfinite(exact).any():
            axis.loglog(passes, exact, color=look["color"], linewidth=5, alpha=0.18, zorder=1)
    axis.set_title(str(part["group"].item()), parse_math=False)
    axis.set_xticks(passes, [f"{count:g}" for count in passes])
    axis.xaxis.set_minor_formatter(NullFormatter())


def efficiency_figure(study: Study) -> str:
    """Draw how many times less variance each estimator has than the reference, at the largest number of passes."""
    summary = study.summary.isel(passes=-1)
    names = [
        name
        for name in summary["estimator"].values.tolist()
        if np.isfinite(summary["efficiency"].sel(estimator=name)).any()
    ]
    with mpl.rc_context(STYLE):
        figure, axes = panels(summary.sizes["group"], 0.8 + 0.24 * len(names), margin=1.8)
        for axis, group in zip(axes, summary["group"].values.tolist(), strict=True):
            for height, name in enumerate(reversed(names)):
                cells = summary.sel(group=group, estimator=name)
                ratio = float(cells["efficiency"])
                if not np.isfinite(ratio):
                    continue
                look = look_of(name)
                axis.hlines(height, *cells["efficiency_ci"].values.tolist(), color=look["color"], linewidth=1.4)
                axis.plot(
                    ratio,
                    height,
                    look["marker"],
                    color=look["color"],
                    markerfacecolor=look["markerfacecolor"],
                    markersize=5,
                )
            axis.axvline(1.0, color="#999999", linewidth=0.8)
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.set_yticks(range(len(names)), list(reversed(names)) if axis in axes[::COLUMNS] else [""] * len(names))
            axis.set_ylim(-0.6, len(names) - 0.4)
            axis.set_title(group, parse_math=False)
        figure.supxlabel(
            f"times less variance than {summary.attrs['reference']} at {int(summary['passes'])} passes, "
            f"{100 * summary.attrs['ci_prob']:g} % intervals"
        )
        return to_svg(figure, "efficiency")

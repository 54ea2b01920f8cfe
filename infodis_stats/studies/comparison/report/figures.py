"""Figures of a comparison of estimators."""

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from infodis_stats.plots.errors import draw_errors, largest_error
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import subsample_note
from infodis_stats.plots.numbers import band
from infodis_stats.plots.palette import look_of
from infodis_stats.plots.panels import panels
from infodis_stats.plots.style import COLUMNS, STYLE
from infodis_stats.report.svg import to_svg
from infodis_stats.studies.view import Study

__all__ = ["efficiency_figure", "errors_figure"]

TITLE_WIDTH = 36  # characters over a panel
QUANTITY = {"nll": "negative log-likelihood", "log_ratio": "log-likelihood ratio"}


def errors_figure(study: Study) -> str:
    """Draw estimates minus the truth with their intervals against the truth, one panel per estimator."""
    summary, draws = study.summary, study.draws
    known = study.truth
    truth = known["truth"].values
    replicates, level = summary.attrs["interval_replicates"], summary.attrs["ci_prob"]
    passes = int(draws["passes"].values[len(draws["passes"]) // 2])
    chosen = draws["estimate"].sel(passes=passes).isel(replicate=slice(replicates))
    run = draws["forward_passes"].sel(passes=passes).notnull().any("item").values
    names = draws["estimator"].values[run].tolist()
    every = {name: chosen.sel(estimator=name).transpose("item", "replicate").values for name in names}
    height = largest_error(list(every.values()), truth, level)
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(names), 2.7)
        low, high = truth.min(), truth.max()
        margin = 0.08 * (high - low) + 0.1
        for axis, (name, values) in zip(axes, every.items(), strict=True):
            draw_errors(axis, values, known, level, look_of(name)["color"])
            axis.set_xlim(low - margin, high + margin)
            axis.set_ylim(-height, height)
            title = name.replace("(", "\n(") if len(name) > TITLE_WIDTH else name
            axis.set_title(title, parse_math=False)
        whose = "the network's" if known["truth_se"].values.any() else "exact"
        figure.supxlabel(f"{whose} {QUANTITY[study.attrs['quantity']]} (nats){subsample_note(truth.size)}")
        figure.supylabel(f"error, {passes} passes × {replicates} (nats)")
        return to_svg(figure, "estimates")


def efficiency_figure(study: Study) -> str:
    """Draw how many times less variance each estimator has than the reference, at the largest number of passes."""
    summary = study.summary.isel(passes=-1)
    names = [
        name
        for name in summary["estimator"].values.tolist()
        if np.isfinite(summary["efficiency"].sel(estimator=name)).any()
    ]
    with mpl.rc_context(STYLE):
        figure, axes = panels(summary.sizes["group"], 0.8 + 0.24 * len(names))
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
            finite = [
                name for name in reversed(names) if np.isfinite(summary["efficiency"].sel(group=group, estimator=name))
            ]
            cells = summary.sel(group=group, estimator=finite)
            ends = cells["efficiency_ci"].transpose("estimator", "ci_bound").values
            texts = [
                f"{name}: {band(*numbers)} times less variance"
                for name, *numbers in zip(finite, cells["efficiency"].values.tolist(), *ends.T.tolist(), strict=True)
            ]
            add_hover(axis, ends, [names[::-1].index(name) for name in finite], texts)
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

"""Figures of a study of blocks: errors of single draws, and standard errors with and without blocks."""

import matplotlib as mpl
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import subsample
from infodis_stats.plots.numbers import significant
from infodis_stats.plots.palette import shade_of
from infodis_stats.plots.panels import panels
from infodis_stats.plots.style import STYLE
from infodis_stats.report.svg import to_svg
from infodis_stats.studies.view import Study

__all__ = ["errors_figure", "single_figure"]

TEXT = "#8aa9c9"
SET = "#111111"
AUTO = "#e0b400"
ROOM = 0.72  # of the height of a row: lines of texts
WITH, WITHOUT = (0, ()), (0, (3.7, 1.6))  # dashes


def single_figure(study: Study) -> str:
    """Draw the errors of single draws: one panel per subject, one row per estimator, a thin line per text."""
    single = study["single_summary"]
    names, subjects = single["estimator"].values.tolist(), single["subject"].values.tolist()
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(subjects), 0.9 + 1.05 * len(names), most=2)
        widest = np.abs(single["item_range"].values).max() * 1.05
        for axis, subject in zip(axes, subjects, strict=True):
            members = np.flatnonzero(single["owner"].values == subject)
            members = members[subsample(len(members))]
            places: list[tuple[float, float, float]] = []
            texts: list[str] = []
            part = single.isel(item=members)
            for row, name in enumerate(names):
                errors = part.sel(estimator=name)
                order = np.argsort(errors["item_sd"].values)
                low, high = errors["item_range"].values[order].T
                heights = row - 0.42 + ROOM * (np.arange(len(order)) + 0.5) / len(order)
                axis.hlines(heights, low, high, color=TEXT, linewidth=1.0)
                axis.plot(errors["item_median"].values[order], heights, ".", color="#35618e", markersize=2.5)
                whole = single.sel(subject=subject, estimator=name)
                ends = whole["set_range"].values.tolist()
                axis.hlines(row + 0.38, *ends, color=SET, linewidth=3.0)
                items = errors["item"].values[order].tolist()
                places += [*zip(low.tolist(), high.tolist(), heights.tolist(), strict=True), (*ends, row + 0.38)]
                texts += [
                    f"{item}, {name}: 90 % of single draws are off by {first:+.3g} to {last:+.3g} bits per token"
                    for item, first, last in zip([*items, "all texts"], [*low, ends[0]], [*high, ends[1]], strict=True)
                ]
            *ends, heights = np.array(places).T
            add_hover(axis, np.stack(ends, axis=-1), heights, texts)
            axis.axvline(0.0, color="#333333", linewidth=0.9)
            axis.set_xlim(-widest, widest)
            axis.set_ylim(len(names) - 0.45, -0.55)
            axis.set_yticks(range(len(names)), [_broken(name) for name in names], parse_math=False)
            axis.tick_params(axis="y", length=0)
            axis.set_title(subject, parse_math=False)
        for axis in axes[1:]:
            axis.set_yticklabels([])
        figure.supxlabel("single draw − exact value, bits per token")
        handles = [
            Line2D([], [], color=TEXT, linewidth=1.4, label="one text"),
            Line2D([], [], color=SET, linewidth=3.0, label="all texts together"),
        ]
        figure.legend(handles=handles, loc="outside right upper", fontsize=8)
        return to_svg(figure, "single")


def _broken(name: str) -> str:
    """Break a long name before its design."""
    return name.replace("+", "\n+", 1)


def errors_figure(study: Study) -> str:
    """Draw the standard error against passes: one panel per subject, solid with blocks, dashed without."""
    summary = study.summary
    subjects, names = summary["subject"].values.tolist(), summary["estimator"].values.tolist()
    passes = summary["passes"].values
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(subjects), 3.9, most=2)
        for axis, subject in zip(axes, subjects, strict=True):
            part = summary.sel(subject=subject)
            points: list[tuple[float, float]] = []
            texts: list[str] = []
            for name in names:
                auto = name.partition("(")[0] == "auto"
                for structure, dashes in zip(part["structure"].values.tolist(), (WITH, WITHOUT), strict=True):
                    values = part["standard_error"].sel(estimator=name, structure=structure).values.copy()
                    values[~(values > 1e-7)] = np.nan  # exact
                    axis.plot(
                        passes,
                        values,
                        linestyle=dashes,
                        marker="o",
                        color=AUTO if auto else shade_of(name),
                        linewidth=4.5 if auto else 1.4,
                        markersize=6 if auto else 3.5,
                        alpha=0.6 if auto else 1.0,
                        zorder=1 if auto else 2,
                    )
                    shown = [pair for pair in zip(passes.tolist(), values.tolist(), strict=True) if pair[1] > 0]
                    points += shown
                    words = "with blocks" if dashes == WITH else "without blocks"
                    texts += [
                        f"{name}, {words}, {count} passes: {significant(error)} bits per token"
                        for count, error in shown
                    ]
            if points:
                across, down = np.array(points).T
                add_hover(axis, across, down, texts)
            axis.set_xscale("log", base=2)
            axis.set_yscale("log")
            run = passes[part["standard_error"].notnull().any(["structure", "estimator"]).values]
            axis.set_xticks(run, [str(count) for count in run.tolist()])
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_title(subject, parse_math=False)
        figure.supxlabel("forward passes per text")
        axes[0].set_ylabel("standard error, bits per token")
        handles = [
            Line2D([], [], color=AUTO if name.startswith("auto") else shade_of(name), linewidth=3, label=name)
            for name in names
        ]
        handles += [
            Line2D([], [], color="#555555", linestyle=dashes, label=label)
            for dashes, label in ((WITH, "with blocks"), (WITHOUT, "without blocks"))
        ]
        figure.legend(handles=handles, loc="outside right center", fontsize=8)
        return to_svg(figure, "errors")

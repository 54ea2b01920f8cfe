"""Figures of a diagnosis: running means, ranks, intervals, mask sizes; None if there are too few replicates."""

from collections.abc import Iterable, Sequence

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.report.palette import MISS
from infodis_stats.report.svg import STYLE, panels, subsample, subsample_note, to_svg

__all__ = ["SHOWN", "covered", "intervals_figure", "ranks_figure", "running_figure", "short_name", "sizes_figure"]

FloatArray = NDArray[np.float64]

SHOWN = 6
"""Panels of a figure with one for each item."""

BLUE, GREEN, GREY = "#2b6cb0", "#1b7f4b", "#777777"
FEWEST_OF_RANKS = 4
MOST_BINS = 10
MOST_NAMED = 40  # intervals with names: more are too small to read
LONGEST_NAME = 28
QUANTITY = {"nll": "negative log-likelihood", "log_ratio": "log-likelihood ratio"}


def short_name(label: object) -> str:
    r"""Return a label on one line, cut where it is too long for a panel.

    Examples
    --------
    >>> short_name("a\nb"), short_name(3), len(short_name("x" * 99))
    ('a b', '3', 28)
    """
    text = " ".join(str(label).split())
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def covered(result: xr.Dataset, name: str) -> NDArray[np.bool_]:
    """Return which intervals contain the exact value, up to rounding."""
    lower, upper = _ends(result, name)
    exact = result["exact"].values
    slack = analysis.rounding(exact)
    return np.asarray((lower - slack <= exact) & (exact <= upper + slack))


def running_figure(result: xr.Dataset, name: str, rows: Sequence[int]) -> str | None:
    """Draw the replicates of some items in order, their running mean and its anytime-valid band."""
    rows = [row for row in rows if len(_draws(result, name, row)) > 1][:SHOWN]
    if not rows:
        return None
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(rows), 2.3)
        for axis, row in zip(axes, rows, strict=True):
            draws = _draws(result, name, row)
            count = np.arange(1, len(draws) + 1)
            mean = np.cumsum(draws) / count
            axis.plot(count, draws, "o", color=GREY, markersize=3.2, alpha=0.7, markeredgewidth=0)
            # Start early if there are few replicates: the band is tightest at twice its start.
            start = max(2, min(8, len(draws) // 2))
            band = analysis.confidence_sequence(draws, result.attrs["ci_prob"], start)
            finite = np.isfinite(band.upper)
            axis.fill_between(
                count[finite], band.lower[finite], band.upper[finite], color=BLUE, alpha=0.18, linewidth=0
            )
            axis.plot(count, mean, color=BLUE)
            if "exact" in result:
                axis.axhline(float(result["exact"][row]), color=GREEN, linestyle="--", linewidth=1.2)
            axis.set_xlim(0.5, len(draws) + 0.5)
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            axis.set_ylim(*_reach([*draws, *(_narrow(band, draws, finite)), *_exact(result, row)]))
            _title(axis, result, row)
        figure.supxlabel("replicates, in the order in which they were drawn")
        figure.supylabel(f"{_quantity(result, name)} (nats)")
        return to_svg(figure, "running")


def ranks_figure(result: xr.Dataset, name: str) -> str | None:
    """Draw, for each part of the ranks, the share that comes from the first half of the replicates."""
    every = [_draws(result, name, row) for row in range(result[name].size)]
    draws = [row for row in every if len(row) >= FEWEST_OF_RANKS and np.ptp(row) > 2 * float(analysis.rounding(row[0]))]
    if not draws:
        return None
    bins = min(MOST_BINS, min(len(row) for row in draws) // 2)
    ranks = analysis.half_ranks(draws, bins, stream(root_seed(0), "rank plot"), result.attrs["ci_prob"])
    centres = np.arange(bins) + 0.5
    outside = (ranks.share < ranks.lower - 1e-9) | (ranks.share > ranks.upper + 1e-9)
    with mpl.rc_context(STYLE):
        figure, (axis,) = panels(1, 2.5)
        colours = np.where(outside, MISS, BLUE).tolist()
        axis.bar(centres, ranks.share, width=0.86, color=colours, alpha=0.75)
        edges = np.arange(bins + 1.0)
        axis.stairs(ranks.upper, edges, baseline=ranks.lower, fill=True, color=GREY, alpha=0.25)
        axis.stairs(ranks.expected, edges, baseline=None, color="black", linewidth=1.1)
        axis.set_xlim(0, bins)
        axis.set_ylim(0, 1)
        axis.set_xticks([0.5, bins - 0.5], ["lowest", "highest"])
        axis.grid(visible=False, axis="x")
        axis.set_xlabel(f"rank of a replicate among those of its {result[name].dims[0]}")
        axis.set_ylabel("share from the first half")
        return to_svg(figure, "ranks")


def intervals_figure(result: xr.Dataset, name: str) -> str:
    """Draw the intervals of all items in order of their estimates, minus the exact value if it is known."""
    lower, upper = _ends(result, name)
    value = result[name].values
    known = "exact" in result
    centre = result["exact"].values if known else np.zeros(len(value))
    order = np.argsort(value - centre, kind="stable")[subsample(len(value))]
    missed = ~covered(result, name) if known else np.zeros(len(value), dtype=bool)
    named, by = len(value) <= MOST_NAMED, "error" if known else "estimate"
    with mpl.rc_context(STYLE):
        figure, (axis,) = panels(1, 0.9 + (0.17 * len(value) if named else 5.0), margin=2.4)
        height = np.arange(len(order))
        for shown, colour in ((~missed[order], BLUE), (missed[order], MISS)):
            rows = order[shown]
            ends = lower[rows] - centre[rows], upper[rows] - centre[rows]
            axis.hlines(height[shown], *ends, color=colour, linewidth=1.3 if named else 0.8)
            axis.plot(value[rows] - centre[rows], height[shown], "o", color=colour, markersize=3 if named else 1.6)
        if known or name == "log_ratio":
            axis.axvline(0, color=GREEN if known else GREY, linestyle="--", linewidth=1.2)
        unit = str(result[name].dims[0])
        labels = [short_name(label) for label in result[unit].values[order].tolist()]
        axis.set_yticks(height if named else [], labels if named else [], parse_math=False)
        axis.set_ylim(-0.8, len(order) - 0.2)
        axis.set_ylabel(unit if named else f"{len(value)} {unit}s, by {by}{subsample_note(len(value))}")
        axis.set_xlabel(f"{_quantity(result, name)}{', estimate minus exact value' if known else ''} (nats)")
        return to_svg(figure, "intervals")


def sizes_figure(sizes: xr.Dataset, rows: Sequence[int]) -> str:
    """Draw the mean loss of a token by the number of masked ones: the area under it is the negative log-likelihood."""
    rows = rows[:SHOWN]
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(rows), 2.3)
        for axis, row in zip(axes, rows, strict=True):
            sequence = sizes.isel(sequence=row)
            edges = np.append(sequence["fewest_masked"].values - 1, sequence["most_masked"].values[-1]).astype(
                np.float64
            )
            widths = np.diff(edges)
            lower, upper = (sequence["size_nll_ci"].sel(ci_bound=end).values / widths for end in ("lower", "upper"))
            axis.stairs(upper, edges, baseline=lower, fill=True, color=BLUE, alpha=0.25)
            axis.stairs(sequence["size_loss"].values, edges, baseline=None, color=BLUE, linewidth=1.4)
            axis.set_xlim(0, edges[-1])
            axis.set_ylim(bottom=min(0.0, float(lower.min())))
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            _title(axis, sizes, row)
        figure.supxlabel("masked tokens")
        figure.supylabel("mean loss of a masked token (nats)")
        return to_svg(figure, "sizes")


def _quantity(result: xr.Dataset, name: str) -> str:
    """Return what is drawn: of likelihoods by their long name, as a bracket has two of them."""
    return str(result[name].attrs.get("long_name", QUANTITY[name])) if name == "nll" else QUANTITY[name]


def _draws(result: xr.Dataset, name: str, row: int) -> FloatArray:
    draws = result[f"{name}_replicate"].transpose(..., "replicate").values[row]
    return np.asarray(draws[~np.isnan(draws)])


def _ends(result: xr.Dataset, name: str) -> tuple[FloatArray, FloatArray]:
    lower, upper = (result[f"{name}_ci"].sel(ci_bound=end).values for end in ("lower", "upper"))
    return lower, upper


def _exact(result: xr.Dataset, row: int) -> list[float]:
    return [float(result["exact"][row])] if "exact" in result else []


def _narrow(band: analysis.Interval, draws: FloatArray, finite: NDArray[np.bool_]) -> FloatArray:
    """Return the ends of the band, clipped to three times the spread of the replicates."""
    ends = np.concatenate([band.lower[finite], band.upper[finite]])
    return np.asarray(np.clip(ends, draws.min() - 3 * np.ptp(draws), draws.max() + 3 * np.ptp(draws)))


def _reach(values: Iterable[float]) -> tuple[float, float]:
    every = np.array(list(values))
    spread, size = float(np.ptp(every)), max(1.0, float(np.abs(every).max()))
    # Replicates that agree are a line in the middle, not a picture of their rounding.
    margin = 0.06 * spread if spread > 1e-3 * size else 0.05 * size
    return float(every.min()) - margin, float(every.max()) + margin


def _title(axis: Axes, dataset: xr.Dataset, row: int) -> None:
    unit = "pair" if "pair" in dataset.dims else "sequence"
    axis.set_title(short_name(dataset[unit].values[row]), parse_math=False)

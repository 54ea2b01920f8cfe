"""Running means over the replicates of items, with their anytime-valid bands."""

from collections.abc import Iterable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats import analysis
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import draws_of, quantity_label, short_name
from infodis_stats.plots.numbers import band, significant
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on, label
from infodis_stats.plots.style import BLUE, GREEN, GREY
from infodis_stats.results.labels import with_estimates
from infodis_stats.results.quantity import quantity_of

__all__ = ["SHOWN", "plot_running", "several_replicates"]

SHOWN = 6
"""Panels of a plot with one for each item."""


def several_replicates(result: xr.Dataset, name: str) -> list[int]:
    """Return the rows with at least 2 replicates."""
    return [row for row in range(result[name].size) if len(draws_of(result, name, row)) > 1]


def plot_running(result: xr.Dataset, *, ax: Ax = None) -> Drawn:
    """Plot the replicates of the first items in order, their running mean, and a band for it.

    The band is a confidence sequence: it covers the value at all numbers of replicates at once. Exact values, where
    they are known, are dashed lines.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio` or another estimate. The first 6 items with at least 2 replicates are
        drawn; select others with ``result.isel(sequence=[7, 9])``.
    ax : array of Axes, optional
        One for each item; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes or array of Axes, shape (item,)

    Raises
    ------
    InputError
        If it is no such result, or no item has 2 replicates.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> from matplotlib.figure import Figure
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.estimate_nll(law, law.sample(3, length=12, seed=1), replicates=16)
    >>> ids.plot_running(result, ax=Figure()).shape
    (3,)
    """
    name, result = quantity_of(result, "plot_running")
    result = with_estimates(result)
    rows = several_replicates(result, name)[:SHOWN]
    if not rows:
        raise InputError("plot_running needs an item with at least 2 replicates")
    axes = axes_for(ax, len(rows), 2.6)
    for axis, row in zip(axes, rows, strict=True):
        item = result.isel({result[name].dims[0]: row})
        _draw(
            axis,
            draws_of(result, name, row),
            result.attrs["ci_prob"],
            float(item["exact"]) if "exact" in item else None,
        )
        axis.set_title(short_name(item[result[name].dims[0]].item()), parse_math=False)
    label(axes, "replicates, in the order in which they were drawn", f"{quantity_label(result, name)} (nats)")
    return drawn_on(axes)


def _draw(axis: Axes, draws: NDArray[np.float64], level: float, exact: float | None) -> None:
    count = np.arange(1, len(draws) + 1)
    mean = np.cumsum(draws) / count
    axis.plot(count, draws, "o", color=GREY, markersize=3.2, alpha=0.7, markeredgewidth=0)
    # Start early if there are few replicates: the band is tightest at twice its start.
    start = max(2, min(8, len(draws) // 2))
    sequence = analysis.confidence_sequence(draws, level, start)
    finite = np.isfinite(sequence.upper)
    axis.fill_between(
        count[finite], sequence.lower[finite], sequence.upper[finite], color=BLUE, alpha=0.18, linewidth=0
    )
    axis.plot(count, mean, color=BLUE)
    truth = [] if exact is None else [exact]
    for value in truth:
        axis.axhline(value, color=GREEN, linestyle="--", linewidth=1.2)
    axis.set_xlim(0.5, len(draws) + 0.5)
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_ylim(*_reach([*draws, *_narrow(sequence, draws, finite), *truth]))
    texts = [
        f"replicate {number}: {significant(draw, 4)} nats; mean so far "
        + (band(so_far, low, high, 4) if np.isfinite([low, high]).all() else significant(so_far, 4))
        for number, draw, so_far, low, high in zip(
            *(part.tolist() for part in (count, draws, mean, sequence.lower, sequence.upper)), strict=True
        )
    ]
    add_hover(axis, count, draws, texts)


def _narrow(sequence: analysis.Interval, draws: NDArray[np.float64], finite: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the ends of the band, clipped to three times the spread of the replicates."""
    ends = np.concatenate([sequence.lower[finite], sequence.upper[finite]])
    return np.asarray(np.clip(ends, draws.min() - 3 * np.ptp(draws), draws.max() + 3 * np.ptp(draws)))


def _reach(values: Iterable[float]) -> tuple[float, float]:
    every = np.array(list(values))
    spread, size = float(np.ptp(every)), max(1.0, float(np.abs(every).max()))
    # Replicates that agree are a line in the middle, not a picture of their rounding.
    margin = 0.06 * spread if spread > 1e-3 * size else 0.05 * size
    return float(every.min()) - margin, float(every.max()) + margin

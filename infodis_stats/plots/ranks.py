"""Ranks of the first half of the replicates among all of an item."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import draws_of
from infodis_stats.plots.numbers import percent
from infodis_stats.plots.palette import MISS
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on, label
from infodis_stats.plots.style import BLUE, GREY
from infodis_stats.results.quantity import quantity_of

__all__ = ["plot_ranks", "ranked_draws"]

FEWEST = 4  # replicates
MOST_BINS = 10


def ranked_draws(result: xr.Dataset, name: str) -> list[NDArray[np.float64]]:
    """Return the replicates of the items that have enough different ones for ranks."""
    every = [draws_of(result, name, row) for row in range(result[name].size)]
    return [row for row in every if len(row) >= FEWEST and np.ptp(row) > 2 * float(analysis.rounding(row[0]))]


def plot_ranks(result: xr.Dataset, *, ax: Ax = None) -> Drawn:
    """Plot, for each part of the ranks, the share that comes from the first half of the replicates.

    Bars outside the grey band are red; it holds for all of them at once.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio` or another estimate.
    ax : Axes, optional
        Where to draw; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If it is no such result, or no item has 4 different replicates.
    """
    name, result = quantity_of(result, "plot_ranks")
    draws = ranked_draws(result, name)
    if not draws:
        raise InputError("plot_ranks needs an item with at least 4 replicates that differ")
    bins = min(MOST_BINS, min(len(row) for row in draws) // 2)
    ranks = analysis.half_ranks(draws, bins, stream(root_seed(0), "rank plot"), result.attrs["ci_prob"])
    centres = np.arange(bins) + 0.5
    outside = (ranks.share < ranks.lower - 1e-9) | (ranks.share > ranks.upper + 1e-9)
    (axis,) = axes = axes_for(ax, 1, 2.5)
    axis.bar(centres, ranks.share, width=0.86, color=np.where(outside, MISS, BLUE).tolist(), alpha=0.75)
    edges = np.arange(bins + 1.0)
    axis.stairs(ranks.upper, edges, baseline=ranks.lower, fill=True, color=GREY, alpha=0.25)
    axis.stairs(ranks.expected, edges, baseline=None, color="black", linewidth=1.1)
    axis.set_xlim(0, bins)
    axis.set_ylim(0, 1)
    axis.set_xticks([0.5, bins - 0.5], ["lowest", "highest"])
    axis.grid(visible=False, axis="x")
    label(axes, f"rank of a replicate among those of its {result[name].dims[0]}", "share from the first half")
    texts = [
        f"part {number} of {bins} by rank: {percent(share)} % from the first half, expected {percent(expected)} % "
        f"[{percent(low)}, {percent(high)}]"
        for number, (share, expected, low, high) in enumerate(
            zip(*(part.tolist() for part in (ranks.share, ranks.expected, ranks.lower, ranks.upper)), strict=True), 1
        )
    ]
    add_hover(axis, np.stack([edges[:-1], edges[1:]], axis=-1), np.stack([0 * ranks.share, ranks.share], -1), texts)
    return drawn_on(axes)

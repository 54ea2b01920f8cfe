"""The intervals of a result as a forest, minus the exact values where they are known."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infodis_stats import analysis
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import ends_of, quantity_label, short_name, subsample, subsample_note
from infodis_stats.plots.numbers import band, significant
from infodis_stats.plots.palette import MISS
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on, label
from infodis_stats.plots.style import BLUE, GREEN, GREY
from infodis_stats.results.labels import with_estimates
from infodis_stats.results.quantity import quantity_of

__all__ = ["covered", "plot_intervals"]

MOST_NAMED = 40  # intervals with names: more are too small to read


def plot_intervals(result: xr.Dataset, *, ax: Ax = None) -> Drawn:
    """Plot the intervals of a result, one row per item, in order of their estimates.

    Where exact values are known, estimates and intervals are drawn minus them, in order of their errors, and intervals
    that do not cover 0 are red. More than 500 items are drawn as a subsample of 500 with a fixed seed.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio`, `estimate_texts`, `estimate_positions`, `bracket_nll` (its any-order
        value) or another estimate. Failed items are left out.
    ax : Axes, optional
        Where to draw; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes
        The smallest estimate, or error, is at the bottom.

    Raises
    ------
    InputError
        If it is no such result.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> from matplotlib.figure import Figure
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.estimate_nll(law, law.sample(4, length=12, seed=1))
    >>> ids.plot_intervals(result, ax=Figure()).get_xlabel()
    'negative log-likelihood, estimate minus exact value (nats)'
    """
    name, result = quantity_of(result, "plot_intervals")
    result = with_estimates(result)
    lower, upper = ends_of(result[f"{name}_ci"])
    value, unit = result[name].values, str(result[name].dims[0])
    known = "exact" in result
    centre = result["exact"].values if known else np.zeros(len(value))
    order = np.argsort(value - centre, kind="stable")[subsample(len(value))]
    missed = ~covered(result, name) if known else np.zeros(len(value), dtype=bool)
    named, by = len(value) <= MOST_NAMED, "error" if known else "estimate"
    (axis,) = axes = axes_for(ax, 1, 0.9 + (0.17 * len(value) if named else 5.0))
    height = np.arange(len(order))
    for shown, colour in ((~missed[order], BLUE), (missed[order], MISS)):
        rows = order[shown]
        ends = lower[rows] - centre[rows], upper[rows] - centre[rows]
        axis.hlines(height[shown], *ends, color=colour, linewidth=1.3 if named else 0.8)
        axis.plot(value[rows] - centre[rows], height[shown], "o", color=colour, markersize=3 if named else 1.6)
    if known or name == "log_ratio":
        axis.axvline(0, color=GREEN if known else GREY, linestyle="--", linewidth=1.2)
    names = result[unit].values[order].tolist()
    labels = [short_name(item) for item in names]
    axis.set_yticks(height if named else [], labels if named else [], parse_math=False)
    axis.set_ylim(-0.8, len(order) - 0.2)
    shown_as = unit if named else f"{len(value)} {unit}s, by {by}{subsample_note(len(value))}"
    label(axes, f"{quantity_label(result, name)}{', estimate minus exact value' if known else ''} (nats)", shown_as)
    texts = [
        f"{item}: {band(estimate, low, high, 4)} nats" + (f", exact {significant(truth, 4)}" if known else "")
        for item, truth, estimate, low, high in zip(
            names, *(part[order].tolist() for part in (centre, value, lower, upper)), strict=True
        )
    ]
    add_hover(axis, np.stack([lower - centre, upper - centre], axis=-1)[order], height, texts)
    return drawn_on(axes)


def covered(result: xr.Dataset, name: str) -> NDArray[np.bool_]:
    """Return which intervals contain the exact value, up to rounding."""
    lower, upper = ends_of(result[f"{name}_ci"])
    exact = result["exact"].values
    slack = analysis.rounding(exact)
    return np.asarray((lower - slack <= exact) & (exact <= upper + slack))

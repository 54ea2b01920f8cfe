"""Brackets of the order-marginal value beside the any-order value."""

import numpy as np
import xarray as xr
from matplotlib.lines import Line2D

from estimators import InputError
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import ends_of, short_name, subsample, subsample_note
from infodis_stats.plots.numbers import band
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on, label, legend
from infodis_stats.plots.style import BLUE, GREEN
from infodis_stats.results.labels import with_estimates
from infodis_stats.results.quantity import quantity_of

__all__ = ["plot_bracket"]

MOST_NAMED = 40
APART = 0.18  # of a row


def plot_bracket(result: xr.Dataset, *, ax: Ax = None) -> Drawn:
    """Plot the bracket of each sequence's order-marginal value, and its any-order value with its interval.

    A bracket without a lower bound begins at 0, which is left of the panel.

    Parameters
    ----------
    result : xarray.Dataset
        Of `bracket_nll`. Failed sequences are left out; more than 500 are drawn as a subsample of 500 with a fixed
        seed.
    ax : Axes, optional
        Where to draw; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes
        Nats; the first sequence is at the top.

    Raises
    ------
    InputError
        If it is no such result.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> from matplotlib.figure import Figure
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.bracket_nll(law, law.sample(2, length=6, seed=1), orders=8)
    >>> ids.plot_bracket(result, ax=Figure()).get_xlabel()
    'negative log-likelihood (nats)'
    """
    if isinstance(result, xr.Dataset) and "nll" in result and "bracket" not in result:
        raise InputError("plot_bracket needs the result of bracket_nll; plot_intervals draws that of other estimates")
    _, result = quantity_of(result, "plot_bracket", "bracket", of="bracket_nll")
    result = with_estimates(result)
    chosen = subsample(result.sizes["sequence"])
    part = result.isel(sequence=chosen)
    named, height = len(chosen) <= MOST_NAMED, np.arange(len(chosen))
    (axis,) = axes = axes_for(ax, 1, 0.9 + (0.3 * len(chosen) if named else 6.0))
    any_order, bracket = ends_of(part["nll_ci"]), ends_of(part["bracket"])
    axis.hlines(height + APART, *bracket, color=GREEN, linewidth=5.0 if named else 1.0, alpha=0.6)
    axis.hlines(height - APART, *any_order, color=BLUE, linewidth=1.4 if named else 0.8)
    axis.plot(part["nll"].values, height - APART, "o", color=BLUE, markersize=4 if named else 1.6)
    bounds = part["marginal_lower"].values, part["marginal_upper"].values
    for ends, mark in zip(bounds, (5, 4), strict=True):  # carets towards the value
        axis.plot(ends, height + APART, linestyle="", marker=mark, color=GREEN, markersize=4 if named else 1.6)
    ends = np.concatenate([*any_order, *bracket, part["nll"].values])
    left, right = ends[ends > 0].min(initial=ends.max()), ends.max()
    margin = 0.05 * (right - left) or 0.05 * abs(right) or 1.0
    axis.set_xlim(left - margin, right + margin)
    names = part["sequence"].values.tolist()
    axis.set_yticks(height if named else [], [short_name(name) for name in names] if named else [], parse_math=False)
    axis.set_ylim(len(chosen) - 0.4, -0.6)
    label(
        axes,
        "negative log-likelihood (nats)",
        "sequence" if named else f"{result.sizes['sequence']} sequences{subsample_note(result.sizes['sequence'])}",
    )
    percent = f"{100 * result.attrs['ci_prob']:g} %"
    handles = [
        Line2D([], [], color=BLUE, marker="o", markersize=4),
        Line2D([], [], color=GREEN, linewidth=5.0, alpha=0.6),
        *(Line2D([], [], color=GREEN, linestyle="", marker=mark, markersize=4) for mark in (5, 4)),
    ]
    drawn = [
        f"any-order value, {percent}",
        f"order-marginal value, {percent} bracket",
        "its lower bound",
        "its upper bound",
    ]
    legend(axes, handles, drawn)
    texts = [
        f"{name}, order-marginal value: {low:.5g} to {high:.5g} nats"
        for name, low, high in zip(names, *(ends.tolist() for ends in bracket), strict=True)
    ]
    add_hover(axis, np.stack(bracket, axis=-1), height + APART, texts)
    texts = [
        f"{name}, any-order value: {band(*numbers)} nats"
        for name, *numbers in zip(
            names, part["nll"].values.tolist(), *(ends.tolist() for ends in any_order), strict=True
        )
    ]
    add_hover(axis, np.stack(any_order, axis=-1), height - APART, texts)
    return drawn_on(axes)

"""Size profiles: the loss of a token by the number of masked ones."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from estimators import InputError
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import ends_of, short_name
from infodis_stats.plots.numbers import band
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on, label
from infodis_stats.plots.running import SHOWN
from infodis_stats.plots.style import BLUE

__all__ = ["plot_sizes"]


def plot_sizes(sizes: xr.Dataset, *, ax: Ax = None) -> Drawn:
    """Plot the mean loss of a masked token by the number of masked tokens, with its band, for the first sequences.

    The area under a line is the negative log-likelihood.

    Parameters
    ----------
    sizes : xarray.Dataset
        Of `estimate_sizes`. The first 6 sequences are drawn; select others with ``sizes.isel(sequence=[7, 9])``.
    ax : array of Axes, optional
        One for each sequence; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes or array of Axes, shape (sequence,)

    Raises
    ------
    InputError
        If it is no such result.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> from matplotlib.figure import Figure
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> sizes = ids.estimate_sizes(law, law.sample(2, length=12, seed=1), bins=4, passes=8)
    >>> ids.plot_sizes(sizes, ax=Figure()).shape
    (2,)
    """
    if not isinstance(sizes, xr.Dataset) or not {"size_nll_ci", "size_loss"} <= set(sizes):
        raise InputError(f"plot_sizes needs the result of estimate_sizes, got {_kind(sizes)}")
    if "sequence" not in sizes["size_nll"].dims:
        sizes = sizes.expand_dims("sequence")
    if sizes["size_nll"].ndim != 2:
        raise InputError("plot_sizes needs mask sizes of each sequence, got a selection without their dimension")
    if not sizes.sizes["sequence"]:
        raise InputError("plot_sizes needs at least one sequence")
    rows = range(min(SHOWN, sizes.sizes["sequence"]))
    axes = axes_for(ax, len(rows), 2.6)
    for axis, row in zip(axes, rows, strict=True):
        _draw(axis, sizes.isel(sequence=row))
    label(axes, "masked tokens", "mean loss of a masked token (nats)")
    return drawn_on(axes)


def _draw(axis: Axes, sequence: xr.Dataset) -> None:
    fewest, most = sequence["fewest_masked"].values, sequence["most_masked"].values
    edges = np.append(fewest - 1, most[-1]).astype(np.float64)
    lower, upper = (ends / np.diff(edges) for ends in ends_of(sequence["size_nll_ci"]))
    loss = sequence["size_loss"].values
    axis.stairs(upper, edges, baseline=lower, fill=True, color=BLUE, alpha=0.25)
    axis.stairs(loss, edges, baseline=None, color=BLUE, linewidth=1.4)
    axis.set_xlim(0, edges[-1])
    axis.set_ylim(bottom=min(0.0, float(lower.min())))
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_title(short_name(sequence["sequence"].item()), parse_math=False)
    texts = [
        f"{first if first == last else f'{first} to {last}'} masked: {band(*numbers)} nats per token"
        for first, last, *numbers in zip(*(part.tolist() for part in (fewest, most, loss, lower, upper)), strict=True)
    ]
    bars = np.stack([np.minimum(lower, 0), np.maximum(upper, loss)], axis=-1)
    add_hover(axis, np.stack([edges[:-1], edges[1:]], axis=-1), bars, texts)


def _kind(value: object) -> str:
    return "another data set" if isinstance(value, xr.Dataset) else type(value).__name__

"""The variance of one replicate against its forward passes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats import analysis
from infodis_stats.inference.variance_comparison import passes_of
from infodis_stats.plots.families import looks
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.numbers import significant
from infodis_stats.plots.palette import Look, look_of
from infodis_stats.plots.panels import Ax, Drawn, axes_for, drawn_on, label, legend
from infodis_stats.plots.stored import summary_of
from infodis_stats.results.labels import check_complete
from infodis_stats.results.quantity import quantity_of

__all__ = ["plot_variance"]

SMALLEST = 1e-18  # nats²: below are exact estimators, which logarithmic axes cannot show
UNTRUSTED = {"biased": "biased", "infinite-variance": "infinite variance"}
"""Cautions under which the variance is not the error."""


class Curve(NamedTuple):
    """An estimator of a panel: passes and variances (point,), and exact variances at all passes, if known."""

    name: str
    passes: NDArray[np.float64]
    variance: NDArray[np.float64]
    exact: NDArray[np.float64] | None = None
    all_passes: NDArray[np.float64] | None = None


def plot_variance(data: xr.DataTree | Iterable[xr.Dataset], *, ax: Ax = None) -> Drawn:
    """Plot the variance of one replicate against its forward passes on logarithmic axes, one line per estimator.

    Means over the items. Exact estimators, whose variance is 0, are not drawn. Of estimators that are biased or of
    infinite variance by construction the legend says so: their variance is not their error.

    Parameters
    ----------
    data : xarray.DataTree or iterable of xarray.Dataset
        A study of kind comparison or information: one panel per group, at the passes of the study; broad pale lines
        are exact variances. Or results of `estimate_nll`, `estimate_log_ratio` or `estimate_texts` on the same items
        with several estimators or numbers of passes: one panel, at the passes that were really run.
    ax : Axes or array of Axes, optional
        One for each panel; an empty figure is laid out. Default: a new figure.

    Returns
    -------
    Axes or array of Axes, shape (group,)

    Raises
    ------
    InputError
        If it is no such study, or these are no such results.

    See Also
    --------
    compare : the same results as a table, with tests.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> from matplotlib.figure import Figure
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> tokens = law.sample(4, length=16, seed=1)
    >>> results = [
    ...     ids.estimate_nll(law, tokens, name, passes=passes, replicates=16)
    ...     for name in ("time-free", "uniform-count+stratified") for passes in (4, 8, 16)
    ... ]
    >>> ids.plot_variance(results, ax=Figure()).get_ylabel()
    'variance (nats²)'
    """
    if isinstance(data, xr.DataTree):
        return _study(data, ax)
    curves, untrusted = _curves(_results(data))
    (axis,) = axes = axes_for(ax, 1, 3.6)
    handles = _draw(axis, curves, {curve.name: look_of(curve.name) for curve in curves})
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    return _explained(axes, handles, {name: name + untrusted.get(name, "") for name in handles}, "estimator")


def _study(tree: xr.DataTree, ax: Ax) -> Drawn:
    summary = summary_of(tree, "plot_variance", "variance", "exact_variance", "cautions", "group", "passes")
    names = summary["estimator"].values.tolist()
    shown = looks(names) if tree.attrs["kind"] == "information" else {name: look_of(name) for name in names}
    axes = axes_for(ax, summary.sizes["group"], 3.3)
    passes = summary["passes"].values.astype(np.float64)
    handles: dict[str, Artist] = {}
    for axis, group in zip(axes, summary["group"].values.tolist(), strict=True):
        part = summary.sel(group=group)
        curves = [_curve(part.sel(estimator=name), name, passes) for name in names]
        handles = _draw(axis, curves, shown) | handles
        axis.set_title(group, parse_math=False)
        axis.set_xticks(passes, [f"{count:g}" for count in passes])
        axis.xaxis.set_minor_formatter(NullFormatter())
    labels = {name: name + _untrusted(summary["cautions"].sel(estimator=name)) for name in names}
    title = "estimator"
    if len(axes) == 1 and "slope" in summary:
        title = "estimator (slope)"
        slopes = summary["slope"].isel(group=0)
        labels = {name: f"{text}  ({float(slopes.sel(estimator=name)):.2f})" for name, text in labels.items()}
    ordered = {name: handles[name] for name in names if name in handles}
    return _explained(axes, ordered, labels, title)


def _curve(cells: xr.Dataset, name: str, passes: NDArray[np.float64]) -> Curve:
    exact = cells["exact_variance"].values
    known = exact if np.isfinite(exact).any() else None
    return Curve(name, passes, cells["variance"].values, known, passes)


def _results(data: object) -> list[xr.Dataset]:
    """Return results that can be compared by their variance. Raises `InputError` for others."""
    words = "plot_variance needs a stored study, or several results of estimate_nll or another estimate"
    if isinstance(data, xr.Dataset | str | Mapping) or not isinstance(data, Iterable):
        raise InputError(f"{words}, got {'one data set' if isinstance(data, xr.Dataset) else type(data).__name__}")
    every = list(data)
    if not every:
        raise InputError(f"{words}, got none")
    named = [quantity_of(result, "plot_variance", "forward_passes") for result in every]
    name, first = named[0]
    unit = str(first[name].dims[0])
    for other, result in named:
        check_complete(result)
        if other != name or result[other].dims != first[name].dims:
            raise InputError("plot_variance needs results of one kind, all of likelihoods or all of ratios")
        if not np.array_equal(result[unit].values, first[unit].values):
            raise InputError(f"plot_variance needs results on the same {unit}s in the same order")
        if result.sizes["replicate"] < 2:
            raise InputError("plot_variance needs at least 2 replicates of each result")
    return [result for _, result in named]


def _curves(results: Sequence[xr.Dataset]) -> tuple[list[Curve], dict[str, str]]:
    """Return the points of each estimator by passes, and the words for those whose variance is not the error."""
    points: dict[str, list[tuple[float, float]]] = {}
    untrusted: dict[str, str] = {}
    for result in results:
        name, estimator = "nll" if "nll" in result else "log_ratio", str(result.attrs["estimator"])
        draws = result[f"{name}_replicate"].transpose(..., "replicate").values
        spread = float(analysis.variance(draws).mean())
        points.setdefault(estimator, []).append((float(passes_of(result, name).mean()), spread))
        untrusted[estimator] = untrusted.get(estimator) or _untrusted(result["cautions"])
    curves = [Curve(name, *np.array(sorted(own)).T) for name, own in points.items()]
    return curves, untrusted


def _draw(axis: Axes, curves: Sequence[Curve], shown: Mapping[str, Look]) -> dict[str, Artist]:
    """Draw the curves of a panel; return the line of each estimator that has one."""
    lines: dict[str, Artist] = {}
    places, texts = [], []
    for name, passes, variance, exact, all_passes in curves:
        positive = np.isfinite(variance) & (variance > SMALLEST)
        if not positive.any():
            continue
        style: dict[str, Any] = dict(shown[name])
        (lines[name],) = axis.loglog(passes[positive], variance[positive], markersize=4, label=name, **style)
        places += list(zip(passes[positive], variance[positive], strict=True))
        texts += [
            f"{name}, {count:.4g} passes: {significant(value)} nats²"
            for count, value in zip(passes[positive].tolist(), variance[positive].tolist(), strict=True)
        ]
        if exact is not None and all_passes is not None:
            axis.loglog(all_passes, exact, color=shown[name]["color"], linewidth=5, alpha=0.18, zorder=1)
    if places:
        across, up = np.array(places).T
        add_hover(axis, across, up, texts)
    return lines


def _explained(axes: Sequence[Axes], handles: Mapping[str, Artist], names: Mapping[str, str], title: str) -> Drawn:
    label(axes, "forward passes of one replicate", "variance (nats²)")
    if handles:
        legend(axes, list(handles.values()), [names[name] for name in handles], title)
    return drawn_on(axes)


def _untrusted(cautions: xr.DataArray) -> str:
    """Return why the variance of an estimator is not its error, in brackets; empty if it is."""
    held = cautions.any([dim for dim in cautions.dims if dim != "caution"])
    words = [text for key, text in UNTRUSTED.items() if key in held["caution"] and bool(held.sel(caution=key))]
    return f" ({', '.join(words)})" if words else ""

"""Estimates minus the truth, against the truth."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from infodis_stats import analysis
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import subsample
from infodis_stats.plots.numbers import band, significant
from infodis_stats.plots.palette import MISS

__all__ = ["draw_errors", "largest_error"]

FloatArray = NDArray[np.float64]

COVERED = 0.95  # of the intervals end inside the panels


def draw_errors(axis: Axes, values: FloatArray, known: xr.Dataset, level: float, colour: str) -> None:
    """Draw means minus the truth with Student's t intervals, against the truth; red where they miss it.

    Of more than 500 items a subsample of 500 is drawn; those that cover are counted over all.

    Parameters
    ----------
    axis : Axes
    values : array of float64, shape (item, replicate)
        Nats; not finite where an estimator was not run.
    known : xarray.Dataset
        ``truth`` and ``truth_se (item)``.
    level : float
        Confidence level.
    colour : str
    """
    run = np.isfinite(values).all(axis=-1)  # an estimator may not suit all models
    known, values = known.isel(item=run), values[run]
    truth, mean = known["truth"].values, values.mean(axis=-1)
    interval = analysis.student_t(values, level)
    allowed = analysis.widen(interval, mean, known["truth_se"].values, level)
    covers = (allowed.lower <= truth + 1e-9) & (truth - 1e-9 <= allowed.upper)
    axis.axhline(0.0, color="#999999", linewidth=0.8, zorder=1)
    drawn = subsample(truth.size)
    error, lower, upper = mean - truth, interval.lower - truth, interval.upper - truth
    for shown, shade in ((drawn[covers[drawn]], colour), (drawn[~covers[drawn]], MISS)):
        axis.vlines(truth[shown], lower[shown], upper[shown], color=shade, linewidth=0.9)
        axis.plot(truth[shown], error[shown], "o", color=shade, markersize=2.6)
    words = f"{int(covers.sum()):,} of {covers.size:,} cover"
    axis.text(0.03, 0.97, words, transform=axis.transAxes, va="top", color="#555555")
    texts = [
        f"{item}: error {band(*numbers)} nats, truth {significant(value, 4)}"
        for item, value, *numbers in zip(
            known["item"].values[drawn].tolist(),
            *(part[drawn].tolist() for part in (truth, error, lower, upper)),
            strict=True,
        )
    ]
    add_hover(axis, truth[drawn], np.stack([lower, upper], axis=-1)[drawn], texts)


def largest_error(every: list[FloatArray], truth: FloatArray, level: float) -> float:
    """Return the height of panels that show 95 % of the intervals of estimators whole, from replicates by estimator."""
    ends = []
    for values in every:
        run = np.isfinite(values).all(axis=-1)
        interval = analysis.student_t(values[run], level)
        ends.append(np.maximum(np.abs(interval.lower - truth[run]), np.abs(interval.upper - truth[run])))
    height = float(np.quantile(np.concatenate(ends), COVERED)) if ends else 0.0
    return 1.05 * height if height > 0 else 1.0

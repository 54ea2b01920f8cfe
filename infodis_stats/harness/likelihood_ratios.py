"""Log-likelihood ratios of two models on the same texts, with the masks paired where they are shared."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infodis_stats import analysis

__all__ = ["LogRatios", "MeanRatio", "choice_ratios", "document_ratios", "first_right", "mean_ratio"]

FloatArray = NDArray[np.float64]
UNKNOWN = analysis.Interval(np.array(np.nan), np.array(np.nan))


@dataclass(frozen=True, eq=False)
class LogRatios:
    """Log-likelihoods under the first model minus those under the second, of the same texts.

    Attributes
    ----------
    value, error : ndarray of float64, shape (text,)
        Nats, with standard errors over masks.
    paired : ndarray of bool, shape (text,)
        Whether the passes of the two models are paired.
    sizes : dict of str to ndarray of float64
        Sizes of the texts by the names of their units; the first is 1 for each text.
    """

    value: FloatArray
    error: FloatArray
    paired: NDArray[np.bool_]
    sizes: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class MeanRatio:
    """A total log ratio per unit, in nats, with its errors and intervals; see `infodis_stats.analysis.average`."""

    estimate: float
    stderr: float
    mask_stderr: float
    ci: analysis.Interval
    population_ci: analysis.Interval
    dominated: bool


def first_right(data: xr.Dataset) -> NDArray[np.int64]:
    """Return the first right choice of each question.

    Examples
    --------
    >>> first_right(xr.Dataset({"gold": (("question", "choice"), [[False, True, True]])}))
    array([1])
    """
    return np.asarray(data["gold"].transpose("question", "choice").values.astype(bool).argmax(axis=1))


def choice_ratios(one: xr.Dataset, two: xr.Dataset) -> LogRatios:
    """Return the log ratios of the right choices of the same questions."""
    gold = first_right(one)
    nll, error = (np.stack([_of(data[name], gold) for data in (one, two)]) for name in ("nll", "nll_se"))
    correlation, paired = _correlations(one, two, gold)
    variance = (error**2).sum(axis=0) - 2 * correlation * error.prod(axis=0)
    return LogRatios(nll[1] - nll[0], np.sqrt(np.maximum(variance, 0.0)), paired, dict(_sizes(one, gold)))


def document_ratios(one: xr.Dataset, two: xr.Dataset) -> LogRatios:
    """Return the log ratios of the same documents of a perplexity task."""
    error = np.hypot(one["nll_se"].values, two["nll_se"].values)
    sizes = {"document": np.ones(error.shape)} | {
        unit: one[name].values.astype(np.float64)
        for unit, name in (("byte", "bytes"), ("word", "words"))
        if name in one  # of texts, not of single continuations
    }
    value, paired = two["nll"].values - one["nll"].values, np.zeros(error.shape, dtype=bool)
    return LogRatios(value, error, paired, {unit: size for unit, size in sizes.items() if (size > 0).all()})


def mean_ratio(ratios: LogRatios, sizes: FloatArray, level: float) -> MeanRatio:
    """Return the total over the total size, as `infodis_stats.analysis.average` does."""
    infinite, exact = np.full(sizes.shape, np.inf), np.zeros(sizes.shape)
    these, error, population, stderr, dominated = UNKNOWN, np.nan, UNKNOWN, np.nan, False
    if not np.isnan(ratios.error).any():
        mean = analysis.average(analysis.Estimates(ratios.value, ratios.error, infinite), "these", sizes, level)
        these, error = mean.interval, mean.standard_error
    if len(sizes) > 1:
        mean = analysis.average(analysis.Estimates(ratios.value, exact, infinite), "population", sizes, level)
        population, stderr, dominated = mean.interval, mean.standard_error, mean.dominated
    return MeanRatio(float(ratios.value.sum() / sizes.sum()), stderr, error, these, population, dominated)


def _of(values: xr.DataArray, choice: NDArray[np.int64]) -> FloatArray:
    """Return the values of a choice for each question, shape (question, ...)."""
    array = values.transpose("question", "choice", ...).values
    return np.asarray(array[np.arange(len(array)), choice], dtype=np.float64)


def _correlations(one: xr.Dataset, two: xr.Dataset, gold: NDArray[np.int64]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the correlations of the models' passes on the right choices, and where they are paired."""
    none = np.zeros(len(gold)), np.zeros(len(gold), dtype=bool)
    if "residual" not in one or "residual" not in two or one.attrs.get("seed") != two.attrs.get("seed"):
        return none
    most = min(one.sizes["pass"], two.sizes["pass"])
    pair = [_of(data["residual"], gold) for data in (one, two)]
    counts = [(~np.isnan(residual)).sum(axis=1) for residual in pair]
    lengths = [_of(data["length"], gold) for data in (one, two)]
    paired = (counts[0] == counts[1]) & (counts[0] >= 2) & (lengths[0] == lengths[1])
    first, second = (np.nan_to_num(residual[:, :most]) for residual in pair)
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    correlation = np.zeros(len(gold))
    np.divide((first * second).sum(axis=1), scale, out=correlation, where=paired & (scale > 0))
    return correlation, paired


def _sizes(data: xr.Dataset, gold: NDArray[np.int64]) -> Iterator[tuple[str, FloatArray]]:
    """Yield the sizes of the right choices: 1, and bytes or characters."""
    yield "question", np.ones(len(gold))
    for score, unit in (("acc_bytes", "byte"), ("acc_norm", "character")):
        if score in data["score"].values:
            yield unit, _of(data["sizes"].sel(score=score), gold)
            return

"""Perplexities of a task, with the noise of the masks and that of the documents."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from infodis_stats import analysis
from infodis_stats.harness.metrics import VARIABLES, ends_of, scored
from infodis_stats.results.labels import CI_BOUND, describe

__all__ = ["UNITS", "perplexities"]

BITS = "bits_per_byte"
UNITS: Mapping[str, str] = {
    "word_perplexity": "words",
    "byte_perplexity": "bytes",
    BITS: "bytes",
    "perplexity": "texts",
    "token_perplexity": "length",
}
"""Variable that counts the units of each metric of a perplexity task; the harness has no perplexity per token."""


def perplexities(data: xr.Dataset, level: float = 0.95) -> xr.Dataset:
    """Summarise a perplexity task: perplexities with the noise of the masks and that of the documents.

    Parameters
    ----------
    data : xarray.Dataset
        Of a task of kind ``"perplexity"``.
    level : float, default 0.95
        Confidence level in (0, 1).

    Returns
    -------
    xarray.Dataset
        Over ``metric`` (of texts ``word_perplexity``, ``byte_perplexity``, ``bits_per_byte``, of single continuations
        ``perplexity``, and ``token_perplexity``): ``value``,
        ``mask_stderr``, ``ci`` for these documents and ``population_ci`` (``ci_bound``), and ``dominated``, whether a
        few documents dominate. For the task: ``passes``, ``documents``, ``failed_documents``, and ``cautions``
        (``caution``), which hold for some document.

    Raises
    ------
    InputError
        If no document was scored, or the level is outside (0, 1).

    Notes
    -----
    As in the harness, a perplexity is the exponential of the total negative log-likelihood over the total number of
    units. Its standard error is that of the delta method; the ends of its interval are the exponentials of the ends
    (`infodis_stats.analysis.average`). Where a standard error is unknown, because there was one pass, those of the
    masks are NaN. So is the interval of the population for a single document.

    Examples
    --------
    >>> units = {"length": 40, "words": 30, "bytes": 160, "forward_passes": 32, "degrees": 31, "failed": ""}
    >>> data = xr.Dataset(
    ...     {
    ...         "nll": ("document", [100.0, 108.0, 92.0]),
    ...         "nll_se": ("document", [1.0, 1.0, 1.0]),
    ...         "cautions": (("document", "caution"), [[False]] * 3),
    ...         **{name: ("document", [value] * 3) for name, value in units.items()},
    ...     },
    ...     coords={"caution": ["few-documents-dominate"]},
    ... )
    >>> tokens = perplexities(data).sel(metric="token_perplexity")
    >>> tokens["value"].round(2).item(), tokens["ci"].values.round(2), tokens["population_ci"].values.round(2)
    (12.18, array([11.84, 12.54]), array([ 7.41, 20.02]))
    """
    known = scored(data)
    units = {name: unit for name, unit in UNITS.items() if unit in known}
    cells = [_perplexity(known, unit, level, exponential=name != BITS) for name, unit in units.items()]
    cautions = known["cautions"].any("document", keep_attrs=True)
    dominated = [cell.dominated for cell in cells]
    if "few-documents-dominate" in cautions["caution"]:
        cautions.loc[{"caution": "few-documents-dominate"}] |= any(dominated)
    summary = xr.Dataset(
        {
            "value": ("metric", [cell.value for cell in cells]),
            "mask_stderr": ("metric", [cell.mask_error for cell in cells]),
            "ci": (["metric", CI_BOUND[0]], ends_of([cell.these for cell in cells])),
            "population_ci": (["metric", CI_BOUND[0]], ends_of([cell.population for cell in cells])),
            "dominated": ("metric", dominated),
            "passes": int(data["forward_passes"].sum()),
            "documents": known.sizes["document"],
            "failed_documents": data.sizes["document"] - known.sizes["document"],
            "cautions": cautions,
        },
        coords={"metric": list(units), CI_BOUND[0]: CI_BOUND[1]},
        attrs=dict(data.attrs) | {"ci_prob": level},
    )
    return describe(summary, VARIABLES)


@dataclass(frozen=True, eq=False)
class _Perplexity:
    value: float
    mask_error: float
    these: analysis.Interval
    population: analysis.Interval
    dominated: bool


UNKNOWN = analysis.Interval(np.array(np.nan), np.array(np.nan))


def _perplexity(data: xr.Dataset, unit: str, level: float, *, exponential: bool) -> _Perplexity:
    """Return the perplexity per unit, or its logarithm to base 2."""
    nll, error, sizes = (np.asarray(data[name].values, dtype=np.float64) for name in ("nll", "nll_se", unit))
    rate = nll.sum() / sizes.sum() if sizes.sum() else np.nan
    usable, known = bool((sizes > 0).all()), not np.isnan(error).any()
    these, population, standard_error, dominated = UNKNOWN, UNKNOWN, np.nan, False
    if usable and known:
        mean = analysis.average(analysis.Estimates(nll, error, data["degrees"].values), "these", sizes, level)
        these, standard_error = analysis.nonnegative(mean.interval, mean.estimate), mean.standard_error
    if usable and len(nll) > 1:
        documents = analysis.Estimates(nll, np.zeros(nll.shape), np.full(nll.shape, np.inf))
        mean = analysis.average(documents, "population", sizes, level)
        population, dominated = analysis.nonnegative(mean.interval, mean.estimate), mean.dominated
    if not exponential:
        these, population = (
            analysis.Interval(ci.lower / np.log(2), ci.upper / np.log(2)) for ci in (these, population)
        )
        return _Perplexity(rate / np.log(2), standard_error / np.log(2), these, population, dominated)
    with np.errstate(over="ignore"):  # infinite beyond 709 nats per unit
        value = float(np.exp(rate))
        these, population = (analysis.Interval(np.exp(ci.lower), np.exp(ci.upper)) for ci in (these, population))
    return _Perplexity(
        value, value * standard_error if standard_error else standard_error, these, population, dominated
    )

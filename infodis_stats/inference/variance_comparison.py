"""Comparison of two results by their variance at equal passes."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError, registry
from estimators.arguments import check_flag
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.analysis.replicates import all_equal
from infodis_stats.results.labels import CI_BOUND, Variable, check_complete, describe
from infodis_stats.results.quantity import quantity_of

__all__ = ["compare_variances", "is_biased", "passes_of", "sampled_by"]

VARIABLES = {
    "variance_ratio": Variable("1", "variance of the first over that of the second, at equal passes"),
    "variance_ratio_ci": Variable("1", "bootstrap interval of the variance ratio"),
    "variance_ratio_p": Variable("1", "p-value of equal variances at equal passes, Holm-adjusted over the items"),
    "smaller": Variable("1", "result with less variance at equal passes, open, biased, or exact where both are"),
    "rmse": Variable("nat", "root mean squared error of one replicate, where exact values are known"),
    "total_ratio": Variable("1", "summed variance of the first over that of the second, at equal passes"),
    "total_ratio_ci": Variable("1", "bootstrap interval of the ratio of summed variances"),
    "total_ratio_p": Variable("1", "p-value of equal summed variances at equal passes"),
}

FloatArray = NDArray[np.float64]


def compare_variances(
    first: xr.Dataset, second: xr.Dataset, *, paired: bool | None = None, level: float = 0.95, seed: int = 0
) -> xr.Dataset:
    """Compare the variances of two results at equal passes, item by item and over all items.

    Parameters
    ----------
    first, second : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio` or another estimate, on the same items in the same order; estimators,
        models, passes and replicates may differ. At least 3 replicates.
    paired : bool, optional
        Whether the r-th replicates of both share their masks. Default: if seed, estimators and passes are the same, as
        with two models. Pass True if you drew both from the same stream yourself.
    level : float, default 0.95
        Confidence level of each interval; the significance level is one minus that.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    xarray.Dataset
        Over the items: ``variance_ratio``, the first variance over the second, each of one replicate times the passes
        that it really spent (below 1 the first is better), ``variance_ratio_ci (..., ci_bound)``,
        ``variance_ratio_p``, adjusted for all items, and ``smaller`` ("first", "second", "open", "exact" if both are,
        or "biased" if one is by construction). For the sums over all items: ``total_ratio``, ``total_ratio_ci
        (ci_bound)`` and ``total_ratio_p``. If exact values are known, ``rmse (result)``, over all items in nats. The
        attribute ``verdict`` is the answer in words, with advice; a biased result is never recommended by its variance.

    Raises
    ------
    InputError
        If they are not such results, have failed items, have different items, or are one and the same draw.

    See Also
    --------
    infodis_stats.analysis.compare_variances : the tests, their measured false alarms and coverage.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> tokens = law.sample(4, length=16, seed=1)
    >>> plain, strata = (
    ...     ids.estimate_nll(law, tokens, name, replicates=32) for name in ("uniform-count", "uniform-count+stratified")
    ... )
    >>> ids.compare_variances(strata, plain).attrs["verdict"].partition(":")[0]
    'take the first'
    """
    purpose = "a comparison of variances"
    name, first = quantity_of(first, purpose, "forward_passes")
    other, second = quantity_of(second, purpose, "forward_passes")
    check_complete(first)
    check_complete(second)
    unit = str(first[name].dims[0])
    if other != name or second[name].dims != first[name].dims:
        raise InputError("variances can be compared only between two results of one kind")
    if not np.array_equal(first[unit].values, second[unit].values):
        raise InputError(f"variances can be compared only over the same {unit}s in the same order")
    first_draws, second_draws = (
        result[f"{name}_replicate"].transpose(unit, "replicate").values for result in (first, second)
    )
    if paired is not None:
        check_flag("paired", paired)
    shared = _share_masks(first, second) if paired is None else paired
    if shared:
        fewest = min(first_draws.shape[1], second_draws.shape[1])
        first_draws, second_draws = first_draws[:, :fewest], second_draws[:, :fewest]
        if np.array_equal(first_draws, second_draws, equal_nan=True) and not all_equal(first_draws).all():
            raise InputError(
                "both results are the same draw; estimate one of them with another seed, estimator or model"
            )
    costs = (passes_of(first, name), passes_of(second, name))
    rng = stream(root_seed(seed), "variance comparison")
    comparison = analysis.compare_variances(first_draws, second_draws, rng, costs=costs, paired=shared, level=level)
    claimed = comparison.adjusted < 1 - level
    side = np.where(comparison.items.ratio < 1, "first", "second")
    smaller = np.where(np.isnan(comparison.adjusted), "exact", np.where(claimed, side, "open"))
    biased = [is_biased(result) for result in (first, second)]
    if any(biased):
        smaller = np.full(smaller.shape, "biased")
    errors = _errors(first, second, (first_draws, second_draws))
    compared = describe(
        xr.Dataset(
            {
                "variance_ratio": (unit, comparison.items.ratio),
                "variance_ratio_ci": (
                    (unit, CI_BOUND[0]),
                    np.stack([comparison.items.lower, comparison.items.upper], axis=-1),
                ),
                "variance_ratio_p": (unit, comparison.adjusted),
                "smaller": (unit, smaller),
                "total_ratio": comparison.total.ratio,
                "total_ratio_ci": (CI_BOUND[0], np.stack([comparison.total.lower, comparison.total.upper])),
                "total_ratio_p": comparison.total.p_value,
                **({} if errors is None else {"rmse": ("result", errors)}),
            },
            coords={unit: first[unit], CI_BOUND[0]: CI_BOUND[1]}
            | ({} if errors is None else {"result": ["first", "second"]}),
        ),
        VARIABLES,
    )
    compared.attrs = {
        "first": first.attrs["estimator"],
        "second": second.attrs["estimator"],
        "paired": int(shared),
        "ci_prob": level,
        "verdict": _biased_verdict(biased, errors) if any(biased) else _verdict(comparison, smaller, level, unit),
    }
    return compared


def is_biased(result: xr.Dataset) -> bool:
    """Return whether the estimator of a result is biased by construction, for some item or all."""
    return bool(result["cautions"].sel(caution="biased").any())


def _errors(first: xr.Dataset, second: xr.Dataset, draws: tuple[FloatArray, FloatArray]) -> FloatArray | None:
    """Return the root mean squared error of a replicate of each result; None if an exact value is unknown."""
    if not ("exact" in first and "exact" in second):
        return None
    exact = [result["exact"].values[:, None] for result in (first, second)]
    squares = [(values - truth) ** 2 for values, truth in zip(draws, exact, strict=True)]
    return np.array([np.sqrt(np.nanmean(square)) for square in squares])


def _biased_verdict(biased: list[bool], errors: FloatArray | None) -> str:
    which = "both are" if all(biased) else f"the {'first' if biased[0] else 'second'} is"
    if errors is None:
        return (
            f"no recommendation: {which} biased by construction, and the exact values that would show it are unknown."
        )
    better = "first" if errors[0] < errors[1] else "second"
    sizes = f"root mean squared error of a replicate: {errors[0]:.3g} nats of the first, {errors[1]:.3g} of the second"
    if all(biased) or biased[("first", "second").index(better)]:
        return f"no recommendation: {which} biased by construction, which more passes do not mend; {sizes}."
    return f"take the {better}: {which} biased by construction; {sizes}."


def _share_masks(first: xr.Dataset, second: xr.Dataset) -> bool:
    """Return whether the random streams were the same; they depend on item, seed, estimator and passes."""
    alike = all(first.attrs[key] == second.attrs[key] for key in ("seed", "passes"))
    return alike and sampled_by(first) == sampled_by(second)


def sampled_by(result: xr.Dataset) -> list[str]:
    """Return the contrast and the names of the random streams: one for all items, or one for each."""
    contrast, _, name = result.attrs["estimator"].rpartition(" ")
    estimators = (
        result["estimator"].values.tolist() if "estimator" in result else json.loads(result.attrs["choices"]) or [name]
    )
    return [contrast, *map(_stream_name, estimators)]


def _stream_name(name: str) -> str:
    """Return the stream name of an estimator, or its name if it is not in the registry."""
    try:
        return registry.estimator(name.rpartition(" ")[2]).stream_name
    except InputError:
        return name


def passes_of(result: xr.Dataset, name: str) -> FloatArray:
    """Return the passes that one replicate of each item really ran."""
    drawn = result[f"{name}_replicate"].notnull().sum("replicate")
    return np.asarray((result["forward_passes"] / drawn).values, dtype=np.float64)


def _verdict(comparison: analysis.VarianceComparison, smaller: NDArray[np.str_], level: float, unit: str) -> str:
    total = comparison.total
    if np.isnan(total.ratio):
        return "both are exact: there is nothing to compare."
    alone = ""
    if len(smaller) > 1:
        wins = [int((smaller == side).sum()) for side in ("first", "second")]
        alone = f"; of {len(smaller)} {unit}s alone, {wins[0]} favour the first and {wins[1]} the second"
    times = np.array([total.ratio, total.lower, total.upper])
    if total.p_value >= 1 - level:
        return (
            f"no significant difference: the first has {_band(times)} times the variance of the second at equal passes"
            f"{alone}. Take either, or more replicates of both: four times as many halve the interval."
        )
    winner = "first" if total.ratio < 1 else "second"
    if total.ratio in (0, np.inf):
        return f"take the {winner}: it is exact and the other is not{alone}."
    gain = times if winner == "second" else 1 / times[[0, 2, 1]]
    chance = f"p {float(total.p_value):.2g}"
    return f"take the {winner}: {_band(gain)} times less variance at equal passes ({chance}){alone}."


def _band(numbers: FloatArray) -> str:
    value, lower, upper = (f"{number:.3g}" for number in numbers.tolist())
    return f"{value} [{lower}, {upper}]"

"""Comparison of many results on the same items: one ranking by variance per pass, with ties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.inference.variance_comparison import is_biased, passes_of, sampled_by
from infodis_stats.results.labels import CI_BOUND, Variable, check_complete, describe
from infodis_stats.results.quantity import quantity_of

__all__ = ["compare"]

PURPOSE = "a comparison of estimators"

VARIABLES = {
    "variance_per_pass": Variable("nat^2", "variance of a replicate times its passes, mean over the items"),
    "variance_ratio": Variable("1", "variance over that of the best result, at equal passes"),
    "variance_ratio_ci": Variable("1", "simultaneous bootstrap interval of the variance ratio"),
    "variance_ratio_p": Variable("1", "p-value of a variance equal to that of the best, Holm-adjusted over all pairs"),
    "standing": Variable("1", "best, tied with the best, worse, or why the result is not ranked"),
    "rmse": Variable("nat", "root mean squared error of one replicate, where exact values are known"),
    "passes": Variable("1", "forward passes run for one replicate, mean over the items"),
    "replicates": Variable("1", "replicates of an item, the largest number"),
    "forward_passes": Variable("1", "forward passes run, over all items and replicates"),
    "cautions": Variable("1", "whether the caution holds for some item, by construction"),
}

NOT_RANKED = {"biased": "biased", "infinite-variance": "infinite variance"}
"""Cautions under which the spread of the replicates is not the error, with the standing of such a result."""

MODEL = ("model", "model_conventions", "second_model", "second_model_conventions")
CHAT = ("chat_template", "chat_template_sha256", "system_prompt")
FEWEST_REPLICATES = 3
SHOWN = 3  # names in a verdict

FloatArray = NDArray[np.float64]


def compare(results: Iterable[xr.Dataset], *, level: float = 0.95, seed: int = 0) -> xr.Dataset:
    """Rank many results on the same items by their variance per pass, and say which are tied with the best.

    Parameters
    ----------
    results : iterable of xarray.Dataset
        At least two results of `estimate_nll`, `estimate_log_ratio` or `estimate_texts`, all of one kind, with one
        model, on the same items in the same order. Estimators, passes, replicates and seeds may differ. At least 3
        replicates.
    level : float, default 0.95
        Confidence level of all intervals together; one minus that is the probability that a wrong difference from the
        best is claimed anywhere in the table.
    seed : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    xarray.Dataset
        Over ``estimator``, the best first: ``variance_per_pass``, ``variance_ratio`` (over the best),
        ``variance_ratio_ci (estimator, ci_bound)``, ``variance_ratio_p`` and ``standing``: "best", "tied" (not
        significantly different from the best) or "worse". Estimators that are biased by construction ("biased") or of
        infinite variance ("infinite variance") come last and are never recommended, because the spread of their
        replicates is not their error. If exact values are known, ``rmse``, which includes the bias. Also ``passes`` of
        a replicate, ``replicates``, ``forward_passes`` and ``cautions (estimator, caution)``. The attribute ``verdict``
        is the answer in words. Where several results have the same estimator, their names say what differs.
        `summary` prints the table.

    Raises
    ------
    InputError
        If they are not such results, have failed or infinite items, differ in kind, model or items, or are one and the
        same draw.

    See Also
    --------
    compare_variances : two results, item by item; for two models as well.
    infodis_stats.analysis.rank_variances : the tests, and their measured false alarms.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> tokens = law.sample(4, length=16, seed=1)
    >>> names = ["time-free", "uniform-count+stratified", "published-d1"]
    >>> compared = ids.compare([ids.estimate_nll(law, tokens, name, replicates=32) for name in names])
    >>> for name, standing in zip(compared["estimator"].values, compared["standing"].values):
    ...     print(name, standing, sep=": ")
    uniform-count+stratified: best
    time-free: worse
    published-d1: biased
    """
    analysis.check_level(level)
    return _compared(_checked(results), level, seed)


def _compared(results: list[xr.Dataset], level: float, seed: int) -> xr.Dataset:
    name, _ = quantity_of(results[0], PURPOSE)
    unit = str(results[0][name].dims[0])
    labels = np.array(_labels(results))
    draws = _draws(results, name)
    costs = [passes_of(result, name) for result in results]
    standing = np.array([_not_ranked(result) for result in results], dtype="<U17")
    per_pass = [values * np.sqrt(cost)[:, None] for values, cost in zip(draws, costs, strict=True)]
    ranked = np.flatnonzero(standing == "")
    columns = {key: np.full(len(results), np.nan) for key in ("ratio", "lower", "upper", "p_value")}
    if ranked.size:
        ranking = analysis.rank_variances(
            [per_pass[row] for row in ranked],
            stream(root_seed(seed), "ranking by variance"),
            shared=[[_share_masks(results[first], results[second]) for second in ranked] for first in ranked],
            level=level,
        )
        for key, values in columns.items():
            values[ranked] = getattr(ranking, key)
        standing[ranked] = np.where(ranking.tied, "tied", "worse")
        standing[ranked[ranking.best]] = "best"
    variance = np.array([_mean_variance(values) for values in per_pass])
    exact = results[0]["exact"].values if "exact" in results[0] else None
    compared = describe(
        xr.Dataset(
            {
                "variance_per_pass": ("estimator", variance),
                "variance_ratio": ("estimator", columns["ratio"]),
                "variance_ratio_ci": (("estimator", CI_BOUND[0]), np.stack([columns["lower"], columns["upper"]], -1)),
                "variance_ratio_p": ("estimator", columns["p_value"]),
                "standing": ("estimator", standing),
                **({} if exact is None else {"rmse": ("estimator", [_rmse(values, exact) for values in draws])}),
                "passes": ("estimator", [float(cost.mean()) for cost in costs]),
                "replicates": ("estimator", [int((~np.isnan(values)).sum(axis=1).max()) for values in draws]),
                "forward_passes": ("estimator", [int(result["forward_passes"].sum()) for result in results]),
                "cautions": xr.concat(
                    [result["cautions"].any(unit) for result in results], "estimator", join="outer", fill_value=False
                ),
            },
            coords={"estimator": labels, CI_BOUND[0]: CI_BOUND[1]},
        ),
        VARIABLES,
    )
    last = np.isin(standing, list(NOT_RANKED.values()))
    compared = compared.isel(estimator=np.lexsort((variance, standing != "best", last)))
    shared = {key: results[0].attrs[key] for key in (*MODEL, *CHAT) if key in results[0].attrs}
    compared.attrs = {
        "quantity": name,
        "unit": unit,
        "items": int(results[0].sizes[unit]),
        "ci_prob": level,
        "seed": seed,
        **shared,
        "verdict": _verdict(compared),
    }
    return compared


def _checked(results: Iterable[xr.Dataset]) -> list[xr.Dataset]:
    """Check that the results are of one kind, with one model, on the same items, and that no two are the same draw."""
    if isinstance(results, xr.Dataset | xr.DataArray | str | dict) or not isinstance(results, Iterable):
        raise InputError(
            "results must be a list of results of estimate_nll, estimate_log_ratio or another estimate, "
            f"got {type(results).__name__}"
        )
    results = list(results)
    if len(results) < 2:
        raise InputError(f"a comparison needs at least two results, got {len(results)}")
    quantities = [quantity_of(result, PURPOSE, "forward_passes") for result in results]
    name, results = quantities[0][0], [result for _, result in quantities]
    (unit,) = results[0][name].dims
    for row, (result, (quantity, _)) in enumerate(zip(results, quantities, strict=True)):
        if quantity != name or result[name].dims != (unit,):
            raise InputError(f"results must be of one kind, but result {row} is not of the kind of result 0")
        check_complete(result)
        if not np.array_equal(result[unit].values, results[0][unit].values) or not _same_items(result, results[0]):
            raise InputError(
                f"results must be over the same {unit}s in the same order, but those of result {row} "
                f"({result.attrs['estimator']}) are not those of result 0"
            )
        for key in (*MODEL, *CHAT):
            if result.attrs.get(key) != results[0].attrs.get(key):
                raise InputError(
                    f"results must be of one model, but result {row} ({result.attrs['estimator']}) has another "
                    f"{key.replace('_', ' ')} than result 0; compare_variances compares two models"
                )
        infinite = ~np.isfinite(result[name].values)
        if infinite.any():
            raise InputError(
                f"a variance needs finite estimates, but that of {unit} {result[unit].values[infinite.argmax()]} in "
                f"result {row} ({result.attrs['estimator']}) is {result[name].values[infinite.argmax()]}; leave it out"
            )
        drawn = int(result[f"{name}_replicate"].notnull().sum("replicate").min())
        if drawn < FEWEST_REPLICATES:
            raise InputError(
                f"a comparison of variances needs at least {FEWEST_REPLICATES} replicates, but result {row} "
                f"({result.attrs['estimator']}) has {drawn}"
            )
    return results


def _same_items(first: xr.Dataset, second: xr.Dataset) -> bool:
    """Return whether lengths, windows and exact values agree, as far as both results have them."""
    keys = [key for key in ("length", "first_length", "second_length", "windows", "exact") if key in first]
    both = [(first[key].values, second[key].values) for key in keys if key in second]
    return all(np.allclose(*values, rtol=1e-6, atol=1e-6, equal_nan=True) for values in both)


def _labels(results: Sequence[xr.Dataset]) -> list[str]:
    """Return the estimator of each result, with what differs between results of one estimator."""
    labels = [str(result.attrs["estimator"]) for result in results]
    for key, words in (("passes", "{} passes"), ("replicates", "{} replicates"), ("seed", "seed {}")):
        repeated = {label for label, count in Counter(labels).items() if count > 1}
        for label in repeated:
            rows = [row for row, other in enumerate(labels) if other == label]
            if len({results[row].attrs[key] for row in rows}) > 1:
                for row in rows:
                    labels[row] += ", " + words.format(results[row].attrs[key])
    for label, count in Counter(labels).items():
        if count > 1:
            first, second = [row for row, other in enumerate(labels) if other == label][:2]
            raise InputError(
                f"results {first} and {second} are the same draw of {label}; estimate one of them with another "
                "estimator, seed or number of passes"
            )
    return labels


def _draws(results: Sequence[xr.Dataset], name: str) -> list[FloatArray]:
    """Return the replicates of each result, padded to equal numbers with NaN."""
    draws = [np.asarray(result[f"{name}_replicate"].transpose(..., "replicate").values, float) for result in results]
    most = max(values.shape[1] for values in draws)
    return [np.pad(values, ((0, 0), (0, most - values.shape[1])), constant_values=np.nan) for values in draws]


def _share_masks(first: xr.Dataset, second: xr.Dataset) -> bool:
    """Return whether some item has the same random stream in both results, as where ``auto`` chose the other one."""
    if any(first.attrs[key] != second.attrs[key] for key in ("seed", "passes")):
        return False
    (contrast, *streams), (other, *others) = sampled_by(first), sampled_by(second)
    most = max(len(streams), len(others))
    pairs = zip(*(names * (most if len(names) == 1 else 1) for names in (streams, others)), strict=False)
    return contrast == other and any(left == right for left, right in pairs)


def _not_ranked(result: xr.Dataset) -> str:
    """Return why the spread of a result is not its error; empty if it is."""
    if is_biased(result):
        return NOT_RANKED["biased"]
    held = result["cautions"].sel(caution="infinite-variance").any()
    return NOT_RANKED["infinite-variance"] if held else ""


def _mean_variance(values: FloatArray) -> float:
    """Return the mean over the items of the variance of a replicate; 0 where all are equal up to rounding."""
    return float(np.mean([0.0 if analysis.all_equal(row) else row.var(ddof=1) for row in _present(values)]))


def _present(values: FloatArray) -> list[FloatArray]:
    return [row[~np.isnan(row)] for row in values]


def _rmse(values: FloatArray, exact: FloatArray) -> float:
    return float(np.sqrt(np.nanmean((values - exact[:, None]) ** 2)))


def _verdict(compared: xr.Dataset) -> str:
    """Return the answer in words."""
    names = {
        word: compared["estimator"].values[compared["standing"].values == word].tolist()
        for word in ("best", "tied", "worse", *NOT_RANKED.values())
    }
    outside = "".join(
        f" Not ranked, {words} by construction: {_listed(names[word])}."
        for word, words in (("biased", "biased"), ("infinite variance", "of infinite variance"))
        if names[word]
    )
    if not names["best"]:
        return f"no recommendation: the spread of no estimator is its error.{outside}"
    (best,) = names["best"]
    outside += _nearer(compared, best, names["biased"])
    if not names["tied"] and not names["worse"]:
        return f"no comparison: only {best} can be ranked.{outside}"
    if names["tied"]:
        tied = _listed([best, *names["tied"]])
        answer = f"no significant difference between {tied}: take any of them, or draw more replicates."
    else:
        answer = f"take {best}: it has significantly less variance at equal passes than every other."
    if names["worse"]:
        ratios = compared["variance_ratio"].values[compared["standing"].values == "worse"]
        least, most = (f"{ratio:.3g}" for ratio in (ratios.min(), ratios.max()))
        times = least if least == most else f"{least} to {most}"
        answer += (
            f" All replicates of {best} are equal."
            if least == "inf"
            else f" The worse have {times} times the variance of {best}: {_listed(names['worse'])}."
        )
    return answer + outside


def _nearer(compared: xr.Dataset, best: str, biased: list[str]) -> str:
    """Return which biased results have smaller errors than the best one, where exact values are known."""
    if "rmse" not in compared:
        return ""
    errors = compared["rmse"]
    nearer = [name for name in biased if float(errors.sel(estimator=name)) < float(errors.sel(estimator=best))]
    if not nearer:
        return ""
    return (
        f" A replicate of {_listed(nearer)} has a smaller root mean squared error here than one of {best}, but a bias "
        "that more passes do not mend."
    )


def _listed(names: list[str]) -> str:
    if len(names) > SHOWN + 1:
        return f"{', '.join(names[:SHOWN])} and {len(names) - SHOWN} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

"""Further keys of the harness' results: the noise of the masks beside the harness' own numbers."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from infodis_stats.analysis import Interval
from infodis_stats.harness.accuracies import FIXED_PASSES, Share, share_of
from infodis_stats.harness.groups import task_weights, tasks_of_group
from infodis_stats.harness.metrics import question_passes, scored
from infodis_stats.harness.perplexities import perplexities

__all__ = ["NOT_KNOWN", "TOKENS", "with_mask_noise"]

NOT_KNOWN = "N/A"
"""What the harness writes where a number is not known."""

PRECISION_LEVEL = 0.95  # of the intervals that a precision is about

TOKENS = "token_perplexity"
"""A metric that the harness does not have."""


def with_mask_noise(results: Mapping[str, Any], tasks: Mapping[str, xr.Dataset], level: float = 0.95) -> dict[str, Any]:
    """Return a copy of the harness' results with further keys for the noise of the masks.

    Parameters
    ----------
    results : mapping
        What `lm_eval.simple_evaluate` returns.
    tasks : mapping of str to xarray.Dataset
        Data sets of the tasks that were scored, by their names.
    level : float, default 0.95
        Confidence level in (0, 1).

    Returns
    -------
    dict
        The same, with further keys in the entries of ``results`` and ``groups``. After the name of a metric:
        ``_mask_stderr`` and ``_mask_ci``, ``_population_mask_ci`` (lower and upper end), and of accuracies
        ``_mask_flips`` and ``_mask_undecided``. For a task or group: ``mask_passes``, ``mask_passes_of_128`` (over 128
        for each choice), ``mask_undecided`` (questions that are undecided by some score), ``mask_failed``,
        ``mask_cautions`` (keys of those that hold for some estimate), ``mask_imprecise`` (estimates that miss a
        precision that was asked for) and ``mask_level``. ``token_perplexity_mask`` is the perplexity per token. Values
        are those of JSON, and "N/A" where one is not known.

    Raises
    ------
    InputError
        If the level is outside (0, 1).

    Notes
    -----
    A metric gets keys only where the harness' own value is that of the data set, up to questions on which the model
    failed: a task may define a metric of the same name in another way. A group is weighted as its own value and
    standard error show (`infodis_stats.harness.groups.task_weights`). A task without any scored question gets none.

    Examples
    --------
    >>> with_mask_noise({"results": {"arc": {"acc,none": 0.5}}, "n-shot": {"arc": 0}}, {})
    {'results': {'arc': {'acc,none': 0.5}}, 'n-shot': {'arc': 0}}
    """
    whole = {
        name: data for name, data in tasks.items() if name in results["results"] and (data["failed"] == "").any().item()
    }
    extra = {
        name: EXTRA[data.attrs["kind"]](results["results"][name], data, level) | _cautioned(data)
        for name, data in whole.items()
    }
    choices = {name: data for name, data in whole.items() if data.attrs["kind"] == "choices"}
    extra |= {name: _of_group(results, name, choices, level) for name in results.get("groups", {})}
    sections = {
        section: {name: dict(entry) | extra.get(name, {}) for name, entry in results[section].items()}
        for section in ("results", "groups")
        if section in results
    }
    return dict(results) | sections


def _of_likelihoods(entry: Mapping[str, Any], data: xr.Dataset, level: float) -> dict[str, Any]:
    """Return the keys of a task that makes something of its own of several likelihoods: what was spent."""
    failed, passes = int((data["failed"] != "").sum()), int(data["forward_passes"].sum())
    return {"mask_failed,none": failed, "mask_passes,none": passes, "mask_level,none": level}


def _cautioned(data: xr.Dataset) -> dict[str, Any]:
    """Return the cautions that hold for some estimate, and how many estimates miss the precision that was asked for."""
    names = data["cautions"]["caution"].values
    keys = names[data["cautions"].values.reshape(-1, len(names)).any(axis=0)].tolist()
    precision = data.attrs.get("precision")
    if precision is None:
        return {"mask_cautions,none": keys}
    half_width = special.stdtrit(data["degrees"].values, (1 + PRECISION_LEVEL) / 2) * data["nll_se"].values
    missed = ~(half_width <= precision * (1 + 1e-9)) & ~np.isnan(data["nll"].values) & (data["nll_se"].values != 0)
    return {"mask_cautions,none": keys, "mask_imprecise,none": int(missed.sum())}


def _of_choices(entry: Mapping[str, Any], data: xr.Dataset, level: float) -> dict[str, Any]:
    known = scored(data)
    keys: dict[str, Any] = {}
    for key, value in entry.items():
        metric, _, filtered = key.partition(",")
        if metric in known["score"].values and _agrees(value, data, metric):
            keys |= _of_share(share_of([known], [1.0], metric, level), metric, filtered)
    return keys | _of_all([data], level)


def _agrees(value: float, data: xr.Dataset, score: str) -> bool:
    """Return whether an accuracy is that of the data set; the harness may count failed questions as right or wrong."""
    right = int((data["right"].sel(score=score).astype(bool) & (data["failed"] == "")).sum())
    failed = int((data["failed"] != "").sum())
    return bool(right - 1e-6 <= value * data.sizes["question"] <= right + failed + 1e-6)


def _of_group(
    results: Mapping[str, Any], group: str, choices: Mapping[str, xr.Dataset], level: float
) -> dict[str, Any]:
    """Return the keys of a group of multiple-choice tasks all of which were scored."""
    tasks = tasks_of_group(results, group)
    if not tasks or not all(task in choices for task in tasks):
        return {}
    data = [choices[task] for task in tasks]
    known = [scored(part) for part in data]
    keys: dict[str, Any] = {}
    for key in results["groups"][group]:
        metric, _, filtered = key.partition(",")
        if all(
            metric in part["score"].values and key in results["results"][task]
            for task, part in zip(tasks, known, strict=True)
        ):
            weights = task_weights(results, group, key, tasks)
            if weights is not None:
                keys |= _of_share(share_of(known, weights, metric, level), metric, filtered)
    return keys | _of_all(data, level) if keys else {}


def _of_share(share: Share, metric: str, filtered: str) -> dict[str, Any]:
    return {
        f"{metric}_mask_stderr,{filtered}": _number(share.mask_stderr),
        f"{metric}_mask_flips,{filtered}": _number(share.flips),
        f"{metric}_mask_undecided,{filtered}": share.undecided,
        f"{metric}_mask_ci,{filtered}": _pair(share.ci),
        f"{metric}_population_mask_ci,{filtered}": _pair(share.population_ci),
    }


def _of_all(data: list[xr.Dataset], level: float) -> dict[str, Any]:
    """Return the keys of a task, or of a group, that depend on no metric."""
    passes, choices = (
        sum(int(values.sum()) for values in parts)
        for parts in (map(question_passes, data), (part["choices"] for part in data))
    )
    undecided = sum(int((~scored(part)["settled"].astype(bool)).any("score").sum()) for part in data)
    return {
        "mask_undecided,none": undecided,
        "mask_failed,none": sum(int((part["failed"] != "").sum()) for part in data),
        "mask_passes,none": passes,
        "mask_passes_of_128,none": passes / (FIXED_PASSES * choices),
        "mask_level,none": level,
    }


def _of_perplexities(entry: Mapping[str, Any], data: xr.Dataset, level: float) -> dict[str, Any]:
    summary = perplexities(data, level)
    failed = int(summary["failed_documents"])
    keys: dict[str, Any] = {}
    for key, value in entry.items():
        metric, _, filtered = key.partition(",")
        # The harness may count failed documents in any way.
        if metric in summary["metric"].values and (failed or np.isclose(value, summary["value"].sel(metric=metric))):
            keys |= _of_perplexity(summary.sel(metric=metric), metric, filtered)
    tokens = summary.sel(metric=TOKENS)
    keys |= {f"{TOKENS}_mask,none": _number(float(tokens["value"]))} | _of_perplexity(tokens, TOKENS, "none")
    return keys | {"mask_failed,none": failed, "mask_passes,none": int(summary["passes"]), "mask_level,none": level}


def _of_perplexity(cell: xr.Dataset, metric: str, filtered: str) -> dict[str, Any]:
    return {
        f"{metric}_mask_stderr,{filtered}": _number(float(cell["mask_stderr"])),
        f"{metric}_mask_ci,{filtered}": _pair(Interval(*cell["ci"].values)),
        f"{metric}_population_mask_ci,{filtered}": _pair(Interval(*cell["population_ci"].values)),
    }


EXTRA: Mapping[str, Callable[[Mapping[str, Any], xr.Dataset, float], dict[str, Any]]] = {
    "choices": _of_choices,
    "perplexity": _of_perplexities,
    "likelihoods": _of_likelihoods,
}


def _number(value: float) -> float | str:
    return float(value) if np.isfinite(value) else NOT_KNOWN


def _pair(interval: Interval) -> list[float | str]:
    return [_number(float(interval.lower)), _number(float(interval.upper))]

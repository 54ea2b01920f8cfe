"""Two models on one task: the paired differences of accuracies and of likelihoods."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.analysis.accuracy import mask_noise
from infodis_stats.analysis.paired_accuracy import accuracy_difference
from infodis_stats.harness.accuracies import claim_error, right_chances
from infodis_stats.harness.likelihood_ratios import choice_ratios, document_ratios, first_right, mean_ratio
from infodis_stats.harness.metrics import ends_of
from infodis_stats.results.labels import CI_BOUND, Variable, describe

__all__ = ["compare_models"]

VARIABLES = {
    "difference": Variable("1", "accuracy of the first model minus that of the second"),
    "difference_stderr": Variable("1", "standard error of the difference of accuracies over questions"),
    "difference_mask_stderr": Variable("1", "standard error of the difference of accuracies over masks"),
    "difference_ci": Variable("1", "confidence interval of the models' own difference, these questions"),
    "difference_population_ci": Variable("1", "confidence interval of that difference, questions like these"),
    "first_only": Variable("1", "questions that only the first model's leader answers right"),
    "second_only": Variable("1", "questions that only the second model's leader answers right"),
    "first_only_settled": Variable("1", "those of them that are settled for both models"),
    "second_only_settled": Variable("1", "those of them that are settled for both models"),
    "p_value": Variable("1", "p-value of equally many questions of both kinds, exact, of the leaders"),
    "log_ratio": Variable("nat", "log-likelihood of the right choice, first model minus second"),
    "log_ratio_stderr": Variable("nat", "standard error of the log ratio over questions"),
    "log_ratio_mask_stderr": Variable("nat", "standard error of the log ratio over masks"),
    "log_ratio_ci": Variable("nat", "confidence interval of the log ratio, these questions"),
    "log_ratio_population_ci": Variable("nat", "confidence interval of the log ratio, questions like these"),
    "dominated": Variable("1", "whether a few questions dominate the log ratio of the population"),
    "paired": Variable("1", "share of questions whose passes are paired"),
}


def compare_models(first: xr.Dataset, second: xr.Dataset, level: float = 0.95) -> xr.Dataset:
    """Compare two models on the questions or documents of one task that both have scored.

    Parameters
    ----------
    first, second : xarray.Dataset
        Data sets of the same task.
    level : float, default 0.95
        Confidence level in (0, 1).

    Returns
    -------
    xarray.Dataset
        Over ``score``: ``difference`` of the accuracies with ``difference_stderr`` over questions,
        ``difference_mask_stderr``, ``difference_ci`` (these questions) and ``difference_population_ci``
        (``ci_bound``); the discordant questions ``first_only`` and ``second_only``, how many are ``_settled`` for both
        models, and ``p_value``, McNemar's exact test of the leaders
        (`infodis_stats.analysis.paired_accuracy.accuracy_difference`); no score for a perplexity task. Over ``per``
        (``question``, and ``byte`` or ``character`` where sizes are known; or ``document``, and of texts ``byte`` and
        ``word``): ``log_ratio`` of the likelihoods of the right choice, or of the documents, in nats, with the same
        errors and intervals; ``paired`` is the share of questions with paired passes. The attributes name
        both models.

    Raises
    ------
    InputError
        If the tasks differ, they share nothing that was scored, or the level is outside (0, 1).

    Notes
    -----
    Under shared masks the errors of the two models are dependent. The variance of a log ratio is then
    ``a^2 + b^2 - 2 r a b`` with the two standard errors and the correlation ``r`` of the passes' ``residual``, where
    both have the same number of passes; elsewhere variances add. The standard error over masks of a difference of
    accuracies adds both variances, as if masks were not shared.

    Likelihoods per question compare models with different tokenizers, because the text is the same; per token they do
    not. Of several right choices, the first is taken.
    """
    one, two = _matched(first, second)
    choices = one.attrs["kind"] == "choices"
    unit = "question" if choices else "document"
    ratios = choice_ratios(one, two) if choices else document_ratios(one, two)
    means = [mean_ratio(ratios, sizes, level) for sizes in ratios.sizes.values()]
    result = xr.Dataset(
        {
            "log_ratio": ("per", [mean.estimate for mean in means]),
            "log_ratio_stderr": ("per", [mean.stderr for mean in means]),
            "log_ratio_mask_stderr": ("per", [mean.mask_stderr for mean in means]),
            "log_ratio_ci": (["per", CI_BOUND[0]], ends_of([mean.ci for mean in means])),
            "log_ratio_population_ci": (["per", CI_BOUND[0]], ends_of([mean.population_ci for mean in means])),
            "dominated": ("per", [mean.dominated for mean in means]),
            "paired": float(ratios.paired.mean()),
        },
        coords={"per": list(ratios.sizes), CI_BOUND[0]: CI_BOUND[1], "score": ("score", np.array([], dtype=str))},
        attrs={
            "task": str(first.attrs.get("task", "")),
            "unit": unit,
            "ci_prob": level,
            "count": one.sizes[unit],
            "left_out": len(set(first[unit].values) | set(second[unit].values)) - one.sizes[unit],
            "model": str(first.attrs.get("model", "")),
            "second_model": str(second.attrs.get("model", "")),
            "versions": first.attrs.get("versions", "{}"),
        },
    )
    if choices:
        result = result.drop_vars("score").merge(_accuracies(one, two, level))
    return describe(result, VARIABLES)


def _accuracies(one: xr.Dataset, two: xr.Dataset, level: float) -> xr.Dataset:
    """Compare the accuracies by all scores that both models have."""
    scores = [score for score in one["score"].values.tolist() if score in two["score"].values]
    if not scores:
        raise InputError("the models share no score: score both with the same version of the task")
    error = max(claim_error(one), claim_error(two))
    pairs = [(one.sel(score=score), two.sel(score=score)) for score in scores]
    compared = [
        accuracy_difference(_values(pair, "right"), _values(pair, "answer_p_value"), level, error) for pair in pairs
    ]
    noises = [sum(mask_noise(right_chances(part), part["right"]).variance for part in pair) for pair in pairs]
    counts = ("first_only", "second_only", "first_only_settled", "second_only_settled", "p_value")
    return xr.Dataset(
        {
            "difference": ("score", [part.estimate for part in compared]),
            "difference_stderr": ("score", [part.standard_error for part in compared]),
            "difference_mask_stderr": ("score", np.sqrt(noises) / one.sizes["question"]),
            "difference_ci": (["score", CI_BOUND[0]], ends_of([part.these for part in compared])),
            "difference_population_ci": (["score", CI_BOUND[0]], ends_of([part.population for part in compared])),
            **{name: ("score", [getattr(part, name) for part in compared]) for name in counts},
        },
        coords={"score": scores, CI_BOUND[0]: CI_BOUND[1]},
    )


def _matched(first: xr.Dataset, second: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the questions or documents that both models have scored, in the same order."""
    names, kinds = ([str(data.attrs.get(key, "")) for data in (first, second)] for key in ("task", "kind"))
    if names[0] != names[1] or kinds[0] != kinds[1]:
        raise InputError(f"two models are compared on the same task, got {names[0]!r} and {names[1]!r}")
    (unit,) = first["failed"].dims
    common = np.intersect1d(*(data[unit].values[data["failed"].values == ""] for data in (first, second)))
    if not common.size:
        raise InputError(f"{names[0]}: no {unit} was scored for both models")
    one, two = (data.sel({unit: common}) for data in (first, second))
    if kinds[0] == "choices":
        same, what = np.array_equal(first_right(one), first_right(two)), "right choices"
    else:  # of single continuations, no size is known that both tokenizers share
        known = "bytes" in one and "bytes" in two
        same, what = not known or np.array_equal(one["bytes"].values, two["bytes"].values), "documents"
    if not same:
        raise InputError(f"{names[0]}: the {what} differ: score both models with the same version of the task")
    return one, two


def _values(pair: tuple[xr.Dataset, xr.Dataset], name: str) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    return pair[0][name].values, pair[1][name].values

"""Two models on one task: the paired differences of accuracies and of likelihoods."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats import analysis
from infodis_stats.analysis.accuracy import mask_noise
from infodis_stats.analysis.paired_accuracy import accuracy_difference
from infodis_stats.harness.accuracies import claim_error, right_chances
from infodis_stats.harness.metrics import ends_of
from infodis_stats.report.numbers import significant
from infodis_stats.results.labels import CI_BOUND, Variable, describe

__all__ = ["compare_models", "comparison_sentences", "comparison_table"]

FloatArray = NDArray[np.float64]

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
    """Compare two models on the questions of one task that both have scored.

    Parameters
    ----------
    first, second : xarray.Dataset
        Of kind ``"choices"``, of the same task.
    level : float, default 0.95
        Confidence level in (0, 1).

    Returns
    -------
    xarray.Dataset
        Over ``score``: ``difference`` of the accuracies with ``difference_stderr`` over questions,
        ``difference_mask_stderr``, ``difference_ci`` (these questions) and ``difference_population_ci``
        (``ci_bound``); the discordant questions ``first_only`` and ``second_only``, how many are ``_settled`` for both
        models, and ``p_value``, McNemar's exact test of the leaders
        (`infodis_stats.analysis.paired_accuracy.accuracy_difference`). Over ``per`` (``question``, and ``byte`` or
        ``character`` where sizes are known): ``log_ratio`` of the likelihoods of the right choice in nats, with the
        same errors and intervals; ``paired`` is the share of questions with paired passes. The attributes name both
        models.

    Raises
    ------
    InputError
        If the tasks differ, they share no scored question or score, or the level is outside (0, 1).

    Notes
    -----
    Under shared masks the errors of the two models are dependent. The variance of a log ratio is then
    ``a^2 + b^2 - 2 r a b`` with the two standard errors and the correlation ``r`` of the passes' ``residual``, where
    both have the same number of passes; elsewhere variances add. The standard error over masks of a difference of
    accuracies adds both variances: it is too large where masks are shared.

    Likelihoods per question compare models with different tokenizers, because the text is the same; per token they do
    not. Of several right choices, the first is taken.
    """
    one, two = _matched(first, second)
    scores = [score for score in one["score"].values.tolist() if score in two["score"].values]
    if not scores:
        raise InputError("the models share no score: score both with the same version of the task")
    error = max(claim_error(one), claim_error(two))
    pairs = [(one.sel(score=score), two.sel(score=score)) for score in scores]
    compared = [accuracy_difference(_values(pair, "right"), _values(pair, "p_value"), level, error) for pair in pairs]
    noises = [
        np.sqrt(sum(mask_noise(right_chances(part), part["right"]).variance for part in pair)) / one.sizes["question"]
        for pair in pairs
    ]
    ratios = _log_ratios(one, two)
    means = [_mean(ratios, sizes, level) for sizes in ratios.sizes.values()]
    counts = ("first_only", "second_only", "first_only_settled", "second_only_settled", "p_value")
    result = xr.Dataset(
        {
            "difference": ("score", [part.estimate for part in compared]),
            "difference_stderr": ("score", [part.standard_error for part in compared]),
            "difference_mask_stderr": ("score", noises),
            "difference_ci": (["score", CI_BOUND[0]], ends_of([part.these for part in compared])),
            "difference_population_ci": (["score", CI_BOUND[0]], ends_of([part.population for part in compared])),
            **{name: ("score", [getattr(part, name) for part in compared]) for name in counts},
            "log_ratio": ("per", [mean.estimate for mean in means]),
            "log_ratio_stderr": ("per", [mean.stderr for mean in means]),
            "log_ratio_mask_stderr": ("per", [mean.mask_error for mean in means]),
            "log_ratio_ci": (["per", CI_BOUND[0]], ends_of([mean.these for mean in means])),
            "log_ratio_population_ci": (["per", CI_BOUND[0]], ends_of([mean.population for mean in means])),
            "dominated": ("per", [mean.dominated for mean in means]),
            "paired": float(ratios.paired.mean()),
        },
        coords={"score": scores, "per": list(ratios.sizes), CI_BOUND[0]: CI_BOUND[1]},
        attrs={
            "task": str(first.attrs.get("task", "")),
            "ci_prob": level,
            "claim_error": error,
            "questions": one.sizes["question"],
            "left_out": len(set(first["question"].values) | set(second["question"].values)) - one.sizes["question"],
            "model": str(first.attrs.get("model", "")),
            "second_model": str(second.attrs.get("model", "")),
            "versions": first.attrs.get("versions", "{}"),
        },
    )
    return describe(result, VARIABLES)


def _matched(first: xr.Dataset, second: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the questions that both models have scored, in the same order."""
    names = [str(data.attrs.get("task", "")) for data in (first, second)]
    if names[0] != names[1]:
        raise InputError(f"two models are compared on the same task, got {names[0]!r} and {names[1]!r}")
    if {data.attrs.get("kind") for data in (first, second)} != {"choices"}:
        raise InputError(f"{names[0]}: two models are compared on multiple-choice tasks only")
    known = [data["question"].values[data["failed"].values == ""] for data in (first, second)]
    common = np.intersect1d(*known)
    if not common.size:
        raise InputError(f"{names[0]}: no question was scored for both models")
    one, two = (data.sel(question=common) for data in (first, second))
    if not np.array_equal(_gold(one), _gold(two)):
        raise InputError(f"{names[0]}: the right choices differ: score both models with the same version of the task")
    return one, two


def _values(pair: tuple[xr.Dataset, xr.Dataset], name: str) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    return pair[0][name].values, pair[1][name].values


def _gold(data: xr.Dataset) -> NDArray[np.int64]:
    """Return the first right choice of each question."""
    return np.asarray(data["gold"].transpose("question", "choice").values.astype(bool).argmax(axis=1))


@dataclass(frozen=True, eq=False)
class _LogRatios:
    """Log ratios (question,) with their standard errors, which of them are paired, and sizes by their units."""

    value: FloatArray
    error: FloatArray
    paired: NDArray[np.bool_]
    sizes: dict[str, FloatArray]


def _log_ratios(one: xr.Dataset, two: xr.Dataset) -> _LogRatios:
    gold = _gold(one)
    nll, error = (np.stack([_of(data[name], gold) for data in (one, two)]) for name in ("nll", "nll_se"))
    correlation, paired = _correlations(one, two, gold)
    variance = (error**2).sum(axis=0) - 2 * correlation * error.prod(axis=0)
    return _LogRatios(nll[1] - nll[0], np.sqrt(np.maximum(variance, 0.0)), paired, dict(_sizes(one, gold)))


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


@dataclass(frozen=True, eq=False)
class _Mean:
    estimate: float
    stderr: float
    mask_error: float
    these: analysis.Interval
    population: analysis.Interval
    dominated: bool


UNKNOWN = analysis.Interval(np.array(np.nan), np.array(np.nan))


def _mean(ratios: _LogRatios, sizes: FloatArray, level: float) -> _Mean:
    """Return the total over the total size, as `infodis_stats.analysis.average` does."""
    infinite, exact = np.full(sizes.shape, np.inf), np.zeros(sizes.shape)
    these, error, population, stderr, dominated = UNKNOWN, np.nan, UNKNOWN, np.nan, False
    if not np.isnan(ratios.error).any():
        mean = analysis.average(analysis.Estimates(ratios.value, ratios.error, infinite), "these", sizes, level)
        these, error = mean.interval, mean.standard_error
    if len(sizes) > 1:
        mean = analysis.average(analysis.Estimates(ratios.value, exact, infinite), "population", sizes, level)
        population, stderr, dominated = mean.interval, mean.standard_error, mean.dominated
    return _Mean(float(ratios.value.sum() / sizes.sum()), stderr, error, these, population, dominated)


def comparison_table(compared: xr.Dataset) -> pd.DataFrame:
    """Return the differences as text, one row per score and per unit of the log ratio.

    Parameters
    ----------
    compared : xarray.Dataset
        Of `compare_models`.
    """
    rows = []
    for score in compared["score"].values.tolist():
        cell = compared.sel(score=score)
        rows.append(
            {
                "difference of": f"{score}, points",
                "first minus second": significant(100 * float(cell["difference"])),
                "± over questions": significant(100 * float(cell["difference_stderr"]), 2),
                "± over masks": significant(100 * float(cell["difference_mask_stderr"]), 2),
                "these questions": _ends(cell["difference_ci"].values * 100),
                "questions like these": _ends(cell["difference_population_ci"].values * 100),
            }
        )
    for unit in compared["per"].values.tolist():
        cell = compared.sel(per=unit)
        rows.append(
            {
                "difference of": f"log-likelihood of the right choice, nats per {unit}",
                "first minus second": significant(float(cell["log_ratio"])),
                "± over questions": significant(float(cell["log_ratio_stderr"]), 2),
                "± over masks": significant(float(cell["log_ratio_mask_stderr"]), 2),
                "these questions": _ends(cell["log_ratio_ci"].values),
                "questions like these": _ends(cell["log_ratio_population_ci"].values),
            }
        )
    return pd.DataFrame(rows)


def comparison_sentences(compared: xr.Dataset) -> list[str]:
    """Return what the comparison shows, one sentence for each score and one for the likelihoods.

    Parameters
    ----------
    compared : xarray.Dataset
        Of `compare_models`.
    """
    task, sentences = compared.attrs["task"], []
    for score in compared["score"].values.tolist():
        cell = compared.sel(score=score)
        b, c = int(cell["first_only"]), int(cell["second_only"])
        settled = int(cell["first_only_settled"]) + int(cell["second_only_settled"])
        sentences.append(
            f"{task}, {score}: {_verdict(cell['difference_population_ci'].values, 'more accurate')} on questions like "
            f"these. Only the first is right on {b:,} and only the second on {c:,} of "
            f"{compared.attrs['questions']:,} questions (exact p {significant(float(cell['p_value']), 2)}); of these "
            f"{b + c:,}, {settled:,} are settled for both."
        )
    ratio = compared.sel(per="question")
    verdict = _verdict(ratio["log_ratio_population_ci"].values, "better at predicting the right choice")
    mean = significant(float(ratio["log_ratio"]))
    sentences.append(f"{task}: {verdict}: first minus second is {mean} nats per question.")
    return sentences


def _verdict(ends: FloatArray, words: str) -> str:
    if ends[0] > 0:
        return f"the first model is {words}"
    return f"the second model is {words}" if ends[1] < 0 else f"neither model is significantly {words}"


def _ends(ends: FloatArray) -> str:
    return significant(np.nan) if np.isnan(ends).any() else f"[{', '.join(significant(end) for end in ends.tolist())}]"

"""Accuracies of a multiple-choice task, or of a group, with the noise of the questions and that of the masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infodis_stats import analysis
from infodis_stats.analysis.accuracy import mask_noise, mean_accuracy
from infodis_stats.harness.metrics import VARIABLES, ends_of, question_passes, scored
from infodis_stats.results.labels import CI_BOUND, describe

__all__ = ["FIXED_PASSES", "Share", "accuracies", "claim_error", "right_chances", "share_of"]

FloatArray = NDArray[np.float64]

FIXED_PASSES = 128
"""Passes per choice that the implementations of LLaDA, Dream and others take."""

DEFAULT_ERROR = 0.05  # of a claim, where the budget is not an error
ONE_NUMBER = ("value", "stderr", "mask_stderr", "flips", "undecided")


@dataclass(frozen=True, eq=False)
class Share:
    """An accuracy with both noises, of a task or a group of tasks.

    Attributes
    ----------
    value, stderr : float
        As the harness computes them; the standard error is NaN for a single question.
    mask_stderr : float
        Standard error over masks; NaN if estimates have no error.
    flips : float
        Expected number of questions that the masks turn from right to wrong or back; NaN as well.
    undecided : int
        Questions whose leader is not significantly the model's own answer.
    ci, population_ci : Interval
        Of the model's own accuracy on these questions, and on questions like these.
    """

    value: float
    stderr: float
    mask_stderr: float
    flips: float
    undecided: int
    ci: analysis.Interval
    population_ci: analysis.Interval


def claim_error(data: xr.Dataset) -> float:
    """Return the p-value up to which a claim counts: the error at which races end, or 0.05 in other budgets."""
    error = data.attrs.get("error")
    return DEFAULT_ERROR if not isinstance(error, int | float) or not 0 < error < 1 else float(error)


def right_chances(data: xr.Dataset) -> FloatArray:
    """Return the probability that the model's own answer to each question is right, by one score; NaN if unknown.

    Examples
    --------
    >>> win, gold = [[0.9, 0.1], [0.5, 0.5]], [[True, False], [False, True]]
    >>> right_chances(xr.Dataset({"win": (("question", "choice"), win), "gold": (("question", "choice"), gold)}))
    array([0.9, 0.5])
    """
    win, gold = (data[name].transpose("question", "choice").values for name in ("win", "gold"))
    chances = np.where(gold, np.nan_to_num(win), 0.0).sum(axis=1)
    chances[np.isnan(win).all(axis=1)] = np.nan  # estimates without an error
    return np.asarray(np.clip(chances, 0.0, 1.0))  # of probabilities that add up to 1 within rounding


def accuracies(data: xr.Dataset, level: float = 0.95) -> xr.Dataset:
    """Summarise a multiple-choice task: its accuracies with the noise of the questions and that of the masks.

    Parameters
    ----------
    data : xarray.Dataset
        Of a task of kind ``"choices"``: a question is settled, or its leader may not be the model's own answer.
    level : float, default 0.95
        Confidence level in (0, 1).

    Returns
    -------
    xarray.Dataset
        Over ``score`` (``acc``, ``acc_norm``, ...): the ``value`` and ``stderr`` of the harness, ``mask_stderr``,
        ``flips``, ``ci`` for these questions and ``population_ci`` (``ci_bound``), and ``undecided``. For the task:
        ``undecided_by_any``, ``passes``, ``passes_of_128``, ``questions`` and ``failed_questions``. Questions on which
        the model failed count in the passes only.

    Raises
    ------
    InputError
        If no question was scored, or the level is outside (0, 1).

    Notes
    -----
    ``mask_stderr`` says how much the value would vary with the seed (`infodis_stats.analysis.accuracy.mask_noise`).
    ``ci`` says where the model's own accuracy on these questions lies, whatever its margins are: an undecided question
    counts as right at one end and as wrong at the other (`infodis_stats.analysis.accuracy.accuracy`). So it can be much
    wider than ``mask_stderr``. The value itself is a little nearer to chance than the model's own accuracy, because
    noise makes answers random.

    Examples
    --------
    Four questions with two choices, of which the last is undecided:

    >>> by_score, by_choice = ("question", "score"), ("question", "choice")
    >>> data = xr.Dataset(
    ...     {
    ...         "right": (by_score, [[True], [True], [False], [True]]),
    ...         "answer_p_value": (by_score, [[1e-4], [1e-5], [1e-4], [0.3]]),
    ...         "settled": (by_score, [[True], [True], [True], [False]]),
    ...         "win": (("question", "score", "choice"), [[[1, 0]], [[1, 0]], [[0, 1]], [[0.8, 0.2]]]),
    ...         "gold": (by_choice, [[True, False]] * 4),
    ...         "forward_passes": (by_choice, [[8, 8]] * 3 + [[128, 128]]),
    ...         "choices": ("question", [2] * 4),
    ...         "failed": ("question", [""] * 4),
    ...     },
    ...     coords={"score": ["acc"]},
    ...     attrs={"error": 0.001},
    ... )
    >>> summary = accuracies(data)
    >>> [round(float(summary[name].item()), 3) for name in ("value", "mask_stderr", "flips", "passes")]
    [0.75, 0.1, 0.2, 304.0]
    >>> summary["ci"].values
    array([[0.5 , 0.75]])
    """
    known = scored(data)
    names, count = known["score"].values.tolist(), known.sizes["question"]
    shares = [share_of([known], [1.0], name, level) for name in names]
    unsettled, spent = ~known["settled"].astype(bool), int(question_passes(data).sum())
    summary = xr.Dataset(
        {
            **{name: ("score", [getattr(share, name) for share in shares]) for name in ONE_NUMBER},
            "ci": (["score", CI_BOUND[0]], ends_of([share.ci for share in shares])),
            "population_ci": (["score", CI_BOUND[0]], ends_of([share.population_ci for share in shares])),
            "undecided_by_any": int(unsettled.any("score").sum()),
            "passes": spent,
            "passes_of_128": spent / (FIXED_PASSES * max(1, int(data["choices"].sum()))),
            "questions": count,
            "failed_questions": data.sizes["question"] - count,
        },
        coords={"score": names, CI_BOUND[0]: CI_BOUND[1]},
        attrs=dict(data.attrs) | {"ci_prob": level, "claim_error": claim_error(data)},
    )
    return describe(summary, VARIABLES)


def share_of(tasks: Sequence[xr.Dataset], weights: Sequence[float], score: str, level: float = 0.95) -> Share:
    """Return the accuracy by one score, of a task or as the weighted mean of several tasks.

    Parameters
    ----------
    tasks : sequence of xarray.Dataset
        Of kind ``"choices"``, that were `scored` and have the score.
    weights : sequence of float
        Positive, with sum 1: equal, or in proportion to the numbers of questions.
    score : str
    level : float, default 0.95
        Confidence level in (0, 1).
    """
    parts = [data.sel(score=score) for data in tasks]
    rights = [part["right"].values.astype(bool) for part in parts]
    found = mean_accuracy(
        list(zip(rights, (part["answer_p_value"].values for part in parts), strict=True)),
        weights,
        level,
        max(claim_error(data) for data in tasks),
    )
    noises = [mask_noise(right_chances(part), right) for part, right in zip(parts, rights, strict=True)]
    means, counts = np.array([(right.mean(), len(right)) for right in rights]).T
    squares = np.asarray(weights) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = means * (1 - means) / (counts - 1)
    return Share(
        found.estimate,
        float(np.sqrt((squares * variances).sum())),
        float(np.sqrt((squares * [noise.variance for noise in noises] / counts**2).sum())),
        sum(noise.flips for noise in noises),
        sum(int((~part["settled"].values.astype(bool)).sum()) for part in parts),
        found.these,
        found.population,
    )

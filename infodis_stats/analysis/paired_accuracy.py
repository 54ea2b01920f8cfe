"""The difference of the accuracies of two models on the same questions."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from infodis_stats.analysis.accuracy import accuracy
from infodis_stats.analysis.intervals import Interval

__all__ = ["AccuracyDifference", "accuracy_difference"]


@dataclass(frozen=True, eq=False)
class AccuracyDifference:
    """The accuracy of the first model minus that of the second.

    Attributes
    ----------
    estimate : float
        Of the leading answers.
    standard_error : float
        Over questions; NaN for a single question.
    these : Interval
        Of the difference of the models' own accuracies on these questions.
    population : Interval
        Of that difference on all questions of their kind.
    first_only, second_only : int
        Discordant questions: only the first, or only the second, leading answer is right.
    first_only_settled, second_only_settled : int
        Those of them whose two leading answers are both settled.
    p_value : float
        Exact test (McNemar) that a discordant question is as likely of one kind as of the other; 1 if there is none.
    """

    estimate: float
    standard_error: float
    these: Interval
    population: Interval
    first_only: int
    second_only: int
    first_only_settled: int
    second_only_settled: int
    p_value: float


def accuracy_difference(
    right: tuple[ArrayLike, ArrayLike],
    p_values: tuple[ArrayLike, ArrayLike],
    level: float = 0.95,
    error: float = 0.05,
) -> AccuracyDifference:
    """Compare the accuracies of two models on the same questions.

    Parameters
    ----------
    right : pair of array_like of bool, shape (question,)
        Whether the leading answer of each model is right.
    p_values : pair of array_like, shape (question,)
        Of the claim that the leading answer is the model's own.
    level : float, default 0.95
        Confidence level in (0, 1).
    error : float, default 0.05
        The p-value up to which a claim counts.

    Returns
    -------
    AccuracyDifference

    Raises
    ------
    InputError
        If the shapes differ, there is no question, or the level is outside (0, 1).

    Notes
    -----
    For these questions, the ends are differences of ends of the two models' intervals (`accuracy`), each at half of the
    error probability. For the population, the ends are those of Agresti and Min's interval [1]_ at the counts of
    discordant questions that fit these ends best: at the lower end, undecided questions count against the first model.
    The p-value is that of the leading answers: it does not account for the noise of the masks, and is a test of the
    models' own accuracies only where nearly all discordant questions are settled. The interval for the population
    accounts for both.

    References
    ----------
    .. [1] A. Agresti, Y. Min, Simple improved confidence intervals for comparing matched proportions, Statistics in
       Medicine 24, 2005.

    Examples
    --------
    >>> first, second = [True] * 9 + [False], [True] * 4 + [False] * 6
    >>> result = accuracy_difference((first, second), ([1e-6] * 10, [1e-6] * 10))
    >>> result.estimate, result.first_only, result.second_only, round(result.p_value, 4)
    (0.5, 5, 0, 0.0625)
    """
    first, second = (np.asarray(part, dtype=bool) for part in right)
    if first.shape != second.shape:
        raise InputError(f"both models must have the same questions, got shapes {first.shape} and {second.shape}")
    each = (1 + level) / 2
    own = [accuracy(*pair, each, error) for pair in zip((first, second), p_values, strict=True)]
    these = Interval(own[0].these.lower - own[1].these.upper, own[0].these.upper - own[1].these.lower)
    settled = [np.asarray(part, dtype=np.float64) <= error for part in p_values]
    both, count = settled[0] & settled[1], len(first)
    ends = [
        _paired_end(float(end), _discordant((first, second), settled, side), count, level, side)
        for end, side in ((these.lower, -1), (these.upper, 1))
    ]
    kinds = (first & ~second, ~first & second)
    first_only, second_only = (int(kind.sum()) for kind in kinds)
    discordant = first_only + second_only
    difference = first.astype(np.float64) - second
    return AccuracyDifference(
        float(difference.mean()),
        float(difference.std(ddof=1) / np.sqrt(count)) if count > 1 else np.nan,
        these,
        Interval(ends[0], ends[1]),
        first_only,
        second_only,
        int((kinds[0] & both).sum()),
        int((kinds[1] & both).sum()),
        float(scipy.stats.binomtest(first_only, discordant).pvalue) if discordant else 1.0,
    )


def _discordant(right: tuple[NDArray[np.bool_], NDArray[np.bool_]], settled: list[NDArray[np.bool_]], side: int) -> int:
    """Return the number of discordant questions if undecided ones count for the model on this side."""
    favoured = [
        np.where(part, answers, side == sign) for answers, part, sign in zip(right, settled, (1, -1), strict=True)
    ]
    return int((favoured[0] != favoured[1]).sum())


def _paired_end(difference: float, discordant: int, count: int, level: float, side: int) -> NDArray[np.float64]:
    """Return an end of Agresti and Min's interval, which adds half a question to each of the four counts."""
    total, margin = count + 2, difference * count
    spread = max(float(discordant), abs(margin)) + 1 - margin**2 / total
    quantile = float(scipy.stats.norm.ppf((1 + level) / 2))
    return np.array(np.clip(margin / total + side * quantile * np.sqrt(spread) / total, -1.0, 1.0))

"""The share of right answers, when a model's own answers are known only up to the noise of the masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.proportion import proportion_confint

from estimators.errors import InputError
from infodis_stats.analysis.decisions import least_false_nulls
from infodis_stats.analysis.intervals import Interval
from infodis_stats.analysis.replicates import check_level

__all__ = ["Accuracy", "MaskNoise", "accuracy", "mask_noise", "mean_accuracy"]

FloatArray = NDArray[np.float64]

ROUNDING = 1e-9
FURTHER = (0.1, 0.3)  # p-values up to which claims are counted as well, for questions that are open


@dataclass(frozen=True, eq=False)
class Accuracy:
    """A share of right answers.

    Attributes
    ----------
    right, questions : int
    estimate : float
        The share of questions whose leading answer is right; over several tasks, the weighted mean of their shares.
    these : Interval
        Of the share that the model itself answers right among these questions: the masks are random.
    population : Interval
        Of that share among all questions of their kind: the questions are random as well.
    """

    right: int
    questions: int
    estimate: float
    these: Interval
    population: Interval


@dataclass(frozen=True)
class MaskNoise:
    """What the masks add to the number of right answers.

    Attributes
    ----------
    variance : float
        Of the number of right answers over seeds, the questions fixed.
    flips : float
        Expected number of questions that are right with these masks and wrong for the model itself, or the reverse.
    """

    variance: float
    flips: float


def mask_noise(win: ArrayLike, right: ArrayLike) -> MaskNoise:
    """Estimate how the number of right answers varies with the masks, from one seed.

    Parameters
    ----------
    win : array_like, shape (question,)
        Probability ``P_q`` that the model's own answer is a right one, given the estimates and their errors; NaN where
        no error is known.
    right : array_like of bool, shape (question,)
        Whether the leading answer is a right one.

    Returns
    -------
    MaskNoise
        ``variance = sum P_q (1 - P_q)`` and ``flips = sum |right_q - P_q|``; NaN if a probability is not known.

    Raises
    ------
    InputError
        If the shapes differ, or a probability is outside [0, 1].

    Notes
    -----
    At a true margin of ``m`` standard errors the leader is right with probability ``Phi(m)``, and its variance is
    ``Phi(m) (1 - Phi(m))``. The estimate puts the estimated margin in place of ``m``. The integrals of the two over
    all margins are equal, because noise moves margins but not their total: the estimate is unbiased where the density
    of the margins is flat over a few standard errors. The worst case are exact ties, where it is two thirds of the
    variance, so the standard error is at most 18 % too small; of clear answers it is too large.

    Examples
    --------
    >>> noise = mask_noise([0.9, 0.5, 1.0], [True, False, True])
    >>> round(noise.variance, 2), round(noise.flips, 2)
    (0.34, 0.6)
    """
    chances, answers = np.asarray(win, dtype=np.float64), np.asarray(right, dtype=bool)
    if chances.ndim != 1 or chances.shape != answers.shape:
        raise InputError(f"win and right must have one entry per question, got shapes {chances.shape}, {answers.shape}")
    if ((chances < 0) | (chances > 1)).any():
        raise InputError("win must be probabilities between 0 and 1")
    return MaskNoise(float((chances * (1 - chances)).sum()), float(np.abs(answers - chances).sum()))


def accuracy(right: ArrayLike, p_values: ArrayLike, level: float = 0.95, error: float = 0.05) -> Accuracy:
    """Estimate the share of questions that a model answers right, from its leading answers.

    Parameters
    ----------
    right : array_like of bool, shape (question,)
        Whether the leading answer is the right one.
    p_values : array_like, shape (question,)
        Of the claim that the leading answer is the model's own, that is, its likeliest one. Of `rank_candidates`.
    level : float, default 0.95
        Confidence level in (0, 1).
    error : float, default 0.05
        The p-value up to which a claim counts: where races end, their error.

    Returns
    -------
    Accuracy

    Raises
    ------
    InputError
        If there is no question, the shapes differ, or the level is outside (0, 1).

    Notes
    -----
    Among questions whose leader is not the model's own answer, the number of p-values up to a threshold is at most
    binomial. This bounds how many right leaders, and how many wrong ones, are the model's own, each with confidence
    ``(1 + level) / 2``; the others could be either. The best bound counts of the thresholds ``error``, 0.1 and 0.3,
    each at a third of the error probability. For the population, the ends are those of Wilson's interval at these
    bounds. Where all answers are settled, this is nearly Wilson's interval.

    Measured coverage for the population, nominal 95 %, 2,000 sets of 200 questions with two answers, of which the model
    answers 60 % right, with margins of 10 standard errors (half-normal): 100 % (mean width 0.30), and 100 % (0.72)
    where half of the margins are of 0.1 standard errors. Wilson's interval of the leaders covers 94.0 and 69.3 %: noise
    makes right and wrong leaders alike.

    Examples
    --------
    >>> result = accuracy([True, True, False, True], [1e-6, 1e-4, 1e-5, 0.4])
    >>> result.estimate, float(result.these.lower), float(result.these.upper)
    (0.75, 0.25, 1.0)
    """
    return mean_accuracy([(right, p_values)], [1.0], level, error)


def mean_accuracy(
    tasks: Sequence[tuple[ArrayLike, ArrayLike]],
    weights: ArrayLike,
    level: float = 0.95,
    error: float = 0.05,
) -> Accuracy:
    """Estimate a weighted mean of shares of right answers, as of a group of tasks.

    Parameters
    ----------
    tasks : sequence of (right, p_values)
        As of `accuracy`, for each task.
    weights : array_like, shape (task,)
        Positive, with sum 1: equal, or in proportion to the numbers of questions.
    level, error : float
        As of `accuracy`.

    Returns
    -------
    Accuracy

    Raises
    ------
    InputError
        If a task has no question, shapes differ, a weight is not positive, or the level is outside (0, 1).

    Notes
    -----
    For these questions, claims are counted over all tasks. Of ``C`` claims of right leaders at most ``F`` are false
    with confidence ``(1 + level) / 2``: the lower end leaves out the ``F`` that weigh most. For the population, the
    ends are those of Wilson's interval at these bounds, for the number of questions at which a single sample would have
    the variance of the weighted mean. For a single task this is `accuracy`.

    Examples
    --------
    >>> first, second = ([True, True, False, True], [1e-6] * 4), ([False, True], [1e-6] * 2)
    >>> result = mean_accuracy([first, second], [0.5, 0.5])
    >>> result.estimate, round(float(result.population.lower), 2), round(float(result.population.upper), 2)
    (0.625, 0.11, 0.98)
    """
    check_level(level)
    answers, tests = zip(*(_checked(*task) for task in tasks), strict=True)
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(answers),) or not (shares > 0).all() or not np.isclose(shares.sum(), 1.0):
        raise InputError(f"weights must be positive, one per task, with sum 1, got {shares}")
    counts, hits = (np.array([function(part) for part in answers]) for function in (len, np.sum))
    weight, right, p_values = np.repeat(shares / counts, counts), np.concatenate(answers), np.concatenate(tests)
    tail = (1 - level) / 2
    lower, wrong = (_sure(weight[part], p_values[part], tail, error) for part in (right, ~right))
    upper = round(1 - wrong, 12)
    size = _effective_questions(hits, counts, shares)
    population = Interval(*(_wilson(end, size, level, side) for side, end in enumerate((lower, upper))))
    estimate = float((shares * hits / counts).sum())
    # Sums of the same weights in another order round to other ends.
    these = Interval(*(np.array(estimate if abs(end - estimate) < ROUNDING else end) for end in (lower, upper)))
    return Accuracy(int(hits.sum()), int(counts.sum()), estimate, these, population)


def _checked(right: ArrayLike, p_values: ArrayLike) -> tuple[NDArray[np.bool_], FloatArray]:
    answers, tests = np.asarray(right, dtype=bool), np.asarray(p_values, dtype=np.float64)
    if answers.ndim != 1 or not answers.size or answers.shape != tests.shape:
        raise InputError(
            f"right and p_values must have one entry per question, got shapes {answers.shape} and {tests.shape}"
        )
    return answers, tests


def _sure(weight: FloatArray, p_values: FloatArray, tail: float, error: float) -> float:
    """Return a lower bound on the weight of the leaders that are the model's own answers."""
    exact = p_values == 0
    noisy, others = p_values[~exact], weight[~exact]
    thresholds = [error, *(threshold for threshold in FURTHER if threshold > error)]
    bounds = [least_false_nulls(noisy, tail / len(thresholds), threshold) for threshold in thresholds]
    claims = [np.sort(others[noisy <= threshold]) for threshold in thresholds]
    best = max(float(claim[:bound].sum()) for claim, bound in zip(claims, bounds, strict=True))
    return round(float(weight[exact].sum()) + best, 12)  # so that all of 1/N add up to 1


def _effective_questions(hits: NDArray[np.int64], counts: NDArray[np.int64], shares: FloatArray) -> float:
    """Return the size of a single sample with the variance of the weighted mean; shares are not taken as 0 or 1."""
    smooth = (hits + 1) / (counts + 2)
    mean = float((shares * smooth).sum())
    return float(mean * (1 - mean) / (shares**2 * smooth * (1 - smooth) / counts).sum())


def _wilson(share: float, size: float, level: float, side: int) -> FloatArray:
    """Return an end of Wilson's interval, whose formula rounds at shares of 0 and 1."""
    if share == side:
        return np.array(float(side))
    return np.asarray(proportion_confint(share * size, size, alpha=1 - level, method="wilson")[side])

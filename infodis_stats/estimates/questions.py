"""Questions whose candidates race, when to stop, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators import Target
from estimators.arguments import check_count, check_share
from estimators.errors import InputError

__all__ = ["OPENING", "Budget", "Finish", "Question"]

FloatArray = NDArray[np.float64]

OPENING = 9  # passes of the first round: eight residuals, and the mask that hides everything


@dataclass(frozen=True, eq=False)
class Question:
    """Candidates of which one wins, by one or several scores.

    Parameters
    ----------
    name : str
        Names the question in messages.
    targets : tuple of Target
        What is scored; contexts and lengths may differ. Targets with equal keys share their masks.
    scores : mapping of str to array of float64, shape (candidate, target)
        By name: the scores of the candidates are minus this matrix times the negative log-likelihoods of the targets.
        The largest wins; of equal rows the first.

    Examples
    --------
    >>> from estimators import make_targets
    >>> targets = tuple(make_targets([[0, 1], [0, 1, 1]]))
    >>> question = Question("which?", targets, {"sum": np.eye(2), "per token": np.diag([1 / 2, 1 / 3])})
    >>> list(question.scores)
    ['sum', 'per token']
    """

    name: str
    targets: tuple[Target, ...]
    scores: Mapping[str, FloatArray]


@dataclass(frozen=True)
class Budget:
    """When to stop.

    Parameters
    ----------
    error : float, optional
        Races end when the winners by all scores are settled, each with this probability of being wrong.
    passes : int, optional
        Every target gets this number of passes.
    precision : float, optional
        Targets are sampled until their 95 % intervals have this half-width, nats.
    most_passes : int, default 128
        Per target, unless ``passes`` is given.

    Raises
    ------
    InputError
        If a number is out of range, or not exactly one of error, passes and precision is given.
    """

    error: float | None = 0.01
    passes: int | None = None
    precision: float | None = None
    most_passes: int = 128

    def __post_init__(self) -> None:
        given = [name for name in ("error", "passes", "precision") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(f"a budget needs one of error, passes and precision, got {', '.join(given) or 'none'}")
        if self.error is not None:
            check_share("error", self.error)
        if self.passes is not None:
            check_count("passes", self.passes)
        check_count("most_passes", self.most_passes)
        precision = self.precision
        if precision is not None and not (
            isinstance(precision, int | float) and not isinstance(precision, bool) and 0.0 < precision < float("inf")
        ):
            raise InputError(f"precision must be a positive number of nats, got {precision!r}")
        if self.passes is None and self.most_passes < OPENING:
            raise InputError(
                f"most_passes must be at least {OPENING}, of which an error can be estimated, got {self.most_passes}"
            )

    def rounds(self) -> list[int]:
        """Return the passes of each round: the drawn ones double, up to the budget.

        Examples
        --------
        >>> Budget().rounds(), Budget(error=None, passes=32).rounds()
        ([9, 8, 16, 32, 63], [32])
        """
        if self.passes is not None:
            return [self.passes]
        rounds, total = [OPENING], OPENING
        while total < self.most_passes:
            more, left = total - 1, self.most_passes - total
            rounds.append(left if left < more + total // 2 else more)
            total += rounds[-1]
        return rounds

    def comparisons(self, rows: FloatArray) -> int:
        """Return the number by which each p-value of a race is multiplied: rounds times other candidates.

        Parameters
        ----------
        rows : array of float64, shape (candidate, target)
            The score; equal rows are one candidate.

        Examples
        --------
        >>> Budget().comparisons(np.eye(4)), Budget().comparisons(np.eye(2)[[0, 1, 0]])
        (15, 5)
        """
        return max(len(np.unique(rows, axis=0)) - 1, 1) * len(self.rounds())


@dataclass(frozen=True, eq=False)
class Finish:
    """The result of a question.

    Attributes
    ----------
    nll, nll_se, degrees : arrays of float64, shape (target,)
        Estimates in nats, standard errors (NaN where unknown, 0 where exact) and their degrees of freedom.
    forward_passes, length : arrays of int64, shape (target,)
        Passes run, and scored positions.
    leaders : mapping of str to int
        By score, the candidate with the largest one.
    p_values : mapping of str to float
        Of the claim that the leader is the model's own winner; NaN where no error is known.
    rejected : mapping of str to array of float64, shape (candidate,)
        p-values of the claims that a candidate is not the model's own winner; 1 for the leader.
    settled : mapping of str to bool
        Whether that p-value is at most the error of the budget; with another budget, 0.05.
    win : mapping of str to array of float64, shape (candidate,)
        Probability that a candidate is the model's own winner, given the estimates and their errors.
    gaps : mapping of str to array of float64, shape (candidate, 3)
        How much larger the leader's score is than the candidate's, its standard error (NaN where unknown, 0 where
        exact) and degrees of freedom, from the passes that both have.
    margins : mapping of str to array of float64, shape (candidate,)
        How far each of these differences may be off by what the passes missed.
    cautions : tuple of tuples of str
        Keys of the cautions of each target.
    residuals : tuple of arrays of float64, shape (drawn passes,)
        Of each target: how far each of its passes moves the estimate off, nats; empty where exact or unknown.
    problem : str, optional
        How the model failed; all numbers are then NaN.
    """

    nll: FloatArray
    nll_se: FloatArray
    degrees: FloatArray
    forward_passes: NDArray[np.int64]
    length: NDArray[np.int64]
    leaders: Mapping[str, int]
    p_values: Mapping[str, float]
    rejected: Mapping[str, FloatArray]
    settled: Mapping[str, bool]
    win: Mapping[str, FloatArray]
    gaps: Mapping[str, FloatArray]
    margins: Mapping[str, FloatArray]
    cautions: tuple[tuple[str, ...], ...]
    residuals: tuple[FloatArray, ...]
    problem: str | None = None

    @classmethod
    def failed(cls, question: Question, passes: NDArray[np.int64], lengths: NDArray[np.int64], problem: str) -> Finish:
        """Return the finish of a question on which the model failed."""
        unknown = np.full(len(question.targets), np.nan)
        return cls(
            nll=unknown,
            nll_se=unknown,
            degrees=unknown,
            forward_passes=passes,
            length=lengths,
            leaders=dict.fromkeys(question.scores, -1),
            p_values=dict.fromkeys(question.scores, float("nan")),
            rejected={name: np.full(len(rows), np.nan) for name, rows in question.scores.items()},
            settled=dict.fromkeys(question.scores, False),
            win={name: np.full(len(rows), np.nan) for name, rows in question.scores.items()},
            gaps={name: np.full((len(rows), 3), np.nan) for name, rows in question.scores.items()},
            margins={name: np.full(len(rows), np.nan) for name, rows in question.scores.items()},
            cautions=((),) * len(question.targets),
            residuals=(np.empty(0),) * len(question.targets),
            problem=problem,
        )

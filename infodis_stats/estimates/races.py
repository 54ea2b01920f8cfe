"""Races: a stand-in with the interfaces of the engine, which samples every target with a fixed number of passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from estimators import Cell, Estimator, Model, Target
from estimators.errors import InputError
from infodis_stats.estimates.cautions import cautions_of_draws
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.estimates.settings import Execution, named_estimator

__all__ = ["Budget", "Finish", "Question", "race"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Question:
    """Candidates of which one wins, by one or several scores: minus the matrix times the likelihoods."""

    name: str
    targets: tuple[Target, ...]
    scores: Mapping[str, FloatArray]


@dataclass(frozen=True)
class Budget:
    """When to stop: exactly one of error, passes and precision."""

    error: float | None = 0.01
    passes: int | None = None
    precision: float | None = None
    most_passes: int = 128

    def __post_init__(self) -> None:
        if sum(value is not None for value in (self.error, self.passes, self.precision)) != 1:
            raise InputError("a budget needs one of error, passes and precision")


@dataclass(frozen=True, eq=False)
class Finish:
    """What came of a question."""

    nll: FloatArray
    nll_se: FloatArray
    degrees: FloatArray
    forward_passes: NDArray[np.int64]
    length: NDArray[np.int64]
    leaders: Mapping[str, int]
    p_values: Mapping[str, float]
    settled: Mapping[str, bool]
    win: Mapping[str, FloatArray]
    cautions: tuple[tuple[str, ...], ...]
    residuals: tuple[FloatArray, ...]
    problem: str | None = None


def race(
    model: Model,
    questions: Sequence[Question],
    *,
    budget: Budget,
    estimator: str | Estimator = "auto",
    seed: int = 0,
    execution: Execution | None = None,
) -> Iterator[Finish]:
    """Answer questions by the likelihoods of their candidates, in order."""
    passes = budget.most_passes if budget.passes is None else budget.passes
    chosen = named_estimator(estimator)
    cells = [Cell(chosen, target, passes, 1) for question in questions for target in question.targets]
    draws = (execution or Execution()).draw(model, cells, seed, keep_failed=True)
    for question in questions:
        yield _finish(question, [DrawStatistics.of(next(draws), "auto", 0.95) for _ in question.targets], budget)


def _finish(question: Question, drawn: Sequence[DrawStatistics], budget: Budget) -> Finish:
    nll = np.array([each.estimates[0] for each in drawn])
    errors = np.array([each.bar.standard_error for each in drawn])
    leaders, p_values, win = {}, {}, {}
    rng = np.random.default_rng(0)
    for name, rows in question.scores.items():
        leaders[name] = int((rows @ nll).argmin())
        noisy = nll + np.nan_to_num(errors) * rng.standard_normal((4000, len(nll)))
        win[name] = np.bincount((noisy @ rows.T).argmin(axis=1), minlength=len(rows)) / 4000
        gaps = np.delete((rows - rows[leaders[name]]) @ nll, leaders[name])
        spread = np.sqrt(np.delete((rows - rows[leaders[name]]) ** 2 @ np.nan_to_num(errors) ** 2, leaders[name]))
        z = np.divide(gaps, spread, out=np.full_like(gaps, np.inf), where=spread > 0)
        p_values[name] = float(min(1.0, len(gaps) * special.ndtr(-z).max(initial=0.0)))
    return Finish(
        nll=nll,
        nll_se=errors,
        degrees=np.array([each.bar.degrees for each in drawn]),
        forward_passes=np.array([each.forward_passes for each in drawn]),
        length=np.array([each.cell.item.sides[0].length for each in drawn]),
        leaders=leaders,
        p_values=p_values,
        settled={name: value <= (budget.error or 0.05) for name, value in p_values.items()},
        win=win,
        cautions=tuple(tuple(caution.key for caution in each) for each in cautions_of_draws(drawn)),
        residuals=tuple(np.empty(0) for _ in drawn),
        problem=next((each.problem for each in drawn if each.problem), None),
    )

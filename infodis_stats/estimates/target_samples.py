"""What is known of each target of a race between its rounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from estimators import Draw, Estimator, Evaluation, MaskPlan, Model, Target
from estimators.masked.regression.rounds import RegressionRound
from estimators.model import is_consistent
from infodis_stats.estimates.cautions import cautions_of_draws
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.results.missed import unseen_sizes
from infodis_stats.results.validity import cautions_of

__all__ = ["LEVEL", "TargetSample", "error_and_cautions", "has_no_error"]

FloatArray = NDArray[np.float64]

LEVEL = 0.95  # of the intervals that a precision is about


@dataclass(eq=False)
class TargetSample:
    """What is known of a target: its rounds so far, or an estimate by another estimator, and the passes that they cost.

    Attributes
    ----------
    target : Target
    rounds, plans, losses : list
        Of each round that is pooled.
    forward_passes : int
    draw : Draw, optional
        The estimate.
    exact : bool
        Whether it has no error.
    residuals, masked : array of float64, shape (pass,)
        How far each pass moves the estimate off, nats, and its masked share; empty where they are not known.
    """

    target: Target
    rounds: list[RegressionRound] = field(default_factory=list)
    plans: list[MaskPlan] = field(default_factory=list)
    losses: list[FloatArray] = field(default_factory=list)
    forward_passes: int = 0
    draw: Draw | None = None
    exact: bool = False
    residuals: FloatArray = field(default_factory=lambda: np.empty(0))
    masked: FloatArray = field(default_factory=lambda: np.empty(0))

    @property
    def known(self) -> Draw:
        """The draw, which there is after the first round."""
        assert self.draw is not None
        return self.draw

    @property
    def estimate(self) -> float:
        """The negative log-likelihood, nats."""
        return float(self.known.estimates[0])

    @property
    def unbiased(self) -> bool:
        """Whether its mean is the likelihood."""
        only_mask = self.exact and self.target.longest_block == 1
        return only_mask or estimator_of_draw(self.known).unbiased

    @cached_property
    def unseen(self) -> float:
        """What sizes without a pass may hold, nats."""
        return 0.0 if self.exact else float(unseen_sizes(self.known.evaluations[0], 1)[0])

    @property
    def lost(self) -> float:
        """The sum of the mean losses of all positions, nats."""
        return 0.0 if self.exact else float(self.known.evaluations[0].position_losses.sum())

    def replace_draw(self, draw: Draw, *, exact: bool) -> None:
        """Take another estimate."""
        self.draw, self.exact = draw, exact
        self.__dict__.pop("unseen", None)


def has_no_error(estimator: Estimator, evaluation: Evaluation, model: Model) -> bool:
    """Return whether an estimate has no error under a model."""
    # The only mask of a position has one loss, but some estimators draw its weight.
    if estimator.deterministic or (estimator.exact_when_consistent and is_consistent(model)):
        return True
    weights = evaluation.plan.weights.sum(axis=1)
    return evaluation.target.longest_block == 1 and bool(np.allclose(weights, 1.0, rtol=1e-9))


def estimator_of_draw(draw: Draw) -> Estimator:
    """Return the estimator of a draw of a single target."""
    sampler = draw.cell.sampler
    assert isinstance(sampler, Estimator)
    return sampler


def error_and_cautions(sample: TargetSample) -> tuple[float, float, tuple[str, ...]]:
    """Return standard error and degrees of freedom, NaN where the passes do not say, and the keys of the cautions."""
    draw = sample.known
    if draw.within_variance is None and len(draw.parts[0]) < 2:
        by_construction = tuple(caution.key for caution in cautions_of(estimator_of_draw(draw), np.inf))
        return (0.0, np.inf, by_construction) if sample.exact else (np.nan, np.nan, (*by_construction, "no-error"))
    statistics = DrawStatistics.of(draw, "auto", LEVEL)
    (cautions,) = cautions_of_draws([statistics])
    return statistics.bar.standard_error, statistics.bar.degrees, tuple(caution.key for caution in cautions)

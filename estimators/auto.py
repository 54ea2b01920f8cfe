"""The best estimator for a length, a number of passes and a kind of model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import Stratified
from estimators.estimator import Choice, Estimator
from estimators.masked.chains import BlockChain, Chain
from estimators.masked.exhaustive import Exhaustive
from estimators.masked.regression import Regression
from estimators.masked.without_replacement import WithoutReplacement
from estimators.model import Model, is_consistent, noise_of, prices_masks
from estimators.noise.process import Noise
from estimators.noise.schedule import Polynomial
from estimators.plan import Plan
from estimators.reduction import Reduction
from estimators.score_entropy.estimator import ScoreEntropy

__all__ = ["Auto"]

FEW_PASSES = 3  # to learn a regression from
FEW_POSITIONS = 8  # and no more than two passes for each
FEW_MASKS = 6  # positions: drawing a mask twice is then what costs


@dataclass(frozen=True)
class Auto(Estimator):
    """The estimator that the frontier study found best; its random streams are those of the chosen estimator.

    Parameters
    ----------
    consistent : bool, default False
        Whether the model's conditionals come from one joint law. Then a chain is exact. A model declares it by an
        attribute ``consistent``; for a model that does not, `sample` and all studies take False.
    noise : Noise, optional
        The noise of a model that gives score ratios and prices no masked tokens: a score entropy is then chosen,
        averaged over each position's own noise only if the ratios come from one law.

    Notes
    -----
    The study ``reports/frontier`` has the measurements behind the rules; the references of each method are with its
    class.
    """

    consistent: bool = False
    noise: Noise | None = None

    name: ClassVar[str] = "auto"
    summary: ClassVar[str] = "the best of these for the number of scored positions, the passes and the model"

    def choose(self, length: int, passes: int) -> Choice:
        """Choose for a number of scored positions and of passes of one replicate.

        Examples
        --------
        >>> Auto().choose(length=3, passes=8).estimator.name, Auto().choose(length=40, passes=16).estimator.name
        ('exhaustive', 'regression')
        """
        if self.noise is not None:
            marginal = self.consistent and self.noise.joins_all
            score_entropy = ScoreEntropy(self.noise, Polynomial(), Stratified(), marginal=marginal)
            return Choice(score_entropy, "score ratios: many passes at low noise, where they vary most")
        if 2**length - 1 <= passes:
            return Choice(Exhaustive(), "all masks fit into the passes: exact")
        if self.consistent and passes >= length:
            return Choice(Chain(), "conditionals of one law and a pass for each position: exact")
        if passes <= FEW_PASSES or (length <= FEW_POSITIONS and passes <= 2 * length):
            return Choice(BlockChain(antithetic=passes > 1), "too few passes or positions to learn a regression from")
        if length <= FEW_MASKS and passes >= length:
            return Choice(WithoutReplacement(), "few masks: none is drawn twice")
        return Choice(Regression(), "enough passes and positions to learn from")

    def knowing(self, model: Model) -> "Auto":
        """Return the rules for a model, which may say that its conditionals are consistent, and what its noise is."""
        noise = self.noise if prices_masks(model) else noise_of(model) or self.noise
        return Auto(self.consistent or is_consistent(model), noise)

    def choice(self, length: int, passes: int, model: Model) -> Choice:
        """Return what the rules choose, knowing the model."""
        return self.knowing(model).choose(length, passes)

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> Plan:
        """Draw what the chosen estimator draws; see `Estimator.plan`."""
        return self.choose(length, passes).estimator.plan(length, passes, replicates, rng)

    def reduce(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reduce as the chosen estimator does: a plan of its own has it chosen again."""
        return self.choose(plan.length, plan.passes).estimator.reduce(plan, losses)

    def reductions(self, plan: Plan, losses: Sequence[NDArray[np.float64]]) -> list[Reduction]:
        """Reduce as the chosen estimator does; see `Estimator.reductions`."""
        return self.choose(plan.length, plan.passes).estimator.reductions(plan, losses)

    def part_count(self, length: int, passes: int) -> int:
        """Return how many parts the chosen estimator has; see `Estimator.part_count`."""
        return self.choose(length, passes).estimator.part_count(length, passes)

    def has_within_variance(self, length: int, passes: int) -> bool:
        """Return whether the chosen estimator has one; see `Estimator.has_within_variance`."""
        return self.choose(length, passes).estimator.has_within_variance(length, passes)

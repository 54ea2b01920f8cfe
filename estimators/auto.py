"""The best estimator for a length, a number of passes and a kind of model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import Stratified
from estimators.errors import InputError
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
from estimators.target import Target

__all__ = ["Auto"]

FEW_PASSES = 3  # to learn a regression from
PAIRED = 8  # positions up to which a pair of reversed chains is best where it fits
PAIR = 2.8  # passes per position, from which such a pair leaves too many unused
FEW_POSITIONS = 6  # with fewer passes than positions, there is too little to learn from
SHORT = 4  # positions: drawing a mask twice is then what costs
DISTINCT = 2.5  # passes per position, from which distinct masks are best if positions are so few
GAIN_PER_PASS = 0.05  # by which a regression's variance is lower than that of block chains (reports/frontier_text)
SECONDS_PER_POSITION = 5e-4  # of a regression on one thread, up to 128 passes (reports/speed.md)


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
    pass_cost : float, optional
        What a forward pass of one sequence costs, in seconds. A regression is then chosen only if its variance is lower
        than that of what could be run in its own time. None: passes are what costs. It is declared and never measured,
        so that no number depends on the machine.

    Raises
    ------
    InputError
        If ``pass_cost`` is not a positive number.

    Notes
    -----
    The study ``reports/frontier`` has the measurements behind the rules; the references of each method are with its
    class.
    """

    consistent: bool = False
    noise: Noise | None = None
    pass_cost: float | None = None

    kind: ClassVar[str] = "auto"
    summary: ClassVar[str] = "the best of these for the number of scored positions, the passes and the model"

    def __post_init__(self) -> None:
        cost = self.pass_cost
        is_number = isinstance(cost, int | float | np.integer | np.floating) and not isinstance(cost, bool)
        if cost is not None and not (is_number and 0.0 < cost < float("inf")):
            raise InputError(f"auto needs a positive number of seconds for pass_cost, got {cost!r}")

    @property
    def name(self) -> str:
        """The name, such as ``"auto"`` or ``"auto(pass_cost=0.005)"``."""
        return self.kind if self.pass_cost is None else f"{self.kind}(pass_cost={float(self.pass_cost)!r})"

    def choose(self, length: int, passes: int, blocks: float = 1.0) -> Choice:
        """Choose for a number of scored positions and of passes of one replicate, and for the number of such blocks.

        Examples
        --------
        >>> Auto().choose(length=3, passes=8).estimator.name, Auto().choose(length=40, passes=16).estimator.name
        ('exhaustive', 'regression')
        >>> Auto(pass_cost=1e-4).choose(length=40, passes=16).estimator.name
        'block-chain+antithetic'
        """
        if self.noise is not None:
            marginal = self.consistent and self.noise.joins_all
            score_entropy = ScoreEntropy(self.noise, Polynomial(), Stratified(), marginal=marginal)
            return Choice(score_entropy, "score ratios: many passes at low noise, where they vary most")
        exact = self._exact(length, passes)
        if exact is not None:
            return exact
        if length <= SHORT and passes >= DISTINCT * length:
            return Choice(WithoutReplacement(), "few masks: none is drawn twice")
        chains = self._chains(length, passes)
        if chains is not None:
            return chains
        if self._is_costly(length * blocks, passes):
            return Choice(BlockChain(antithetic=True), "a regression takes longer than the passes that it saves")
        return Choice(Regression(), "enough passes and positions to learn from")

    def _exact(self, length: int, passes: int) -> Choice | None:
        if 2**length - 1 <= passes:
            return Choice(Exhaustive(), "all masks fit into the passes: exact")
        if self.consistent and passes >= length:
            return Choice(Chain(), "conditionals of one law and a pass for each position: exact")
        return None

    def _chains(self, length: int, passes: int) -> Choice | None:
        """Choose among chains, where they are better than what is learned or counted."""
        if length <= PAIRED and 2 * length <= passes < PAIR * length:
            return Choice(Chain(antithetic=True), "few positions, and passes for a whole chain and its reverse")
        if length <= SHORT and length <= passes < 2 * length:
            return Choice(Chain(), "few positions, and passes for a whole chain")
        if passes <= FEW_PASSES or (length <= FEW_POSITIONS and passes < length):
            why = "too few passes or positions to learn a regression from"
            return Choice(BlockChain(antithetic=passes not in (1, 3)), why)  # halves would leave one of 3 passes unused
        return None

    def _is_costly(self, length: float, passes: int) -> bool:
        saved = float("inf") if self.pass_cost is None else GAIN_PER_PASS * passes * passes * self.pass_cost
        return SECONDS_PER_POSITION * length > saved

    def knowing(self, model: Model) -> "Auto":
        """Return the rules for a model, which may say that its conditionals are consistent, and what its noise is."""
        noise = self.noise if prices_masks(model) else noise_of(model) or self.noise
        return replace(self, consistent=self.consistent or is_consistent(model), noise=noise)

    def choice(self, target: Target, passes: int, model: Model) -> Choice:
        """Return what the rules choose for the longest block, knowing the model."""
        return self.knowing(model).choose(target.longest_block, passes, target.length / target.longest_block)

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

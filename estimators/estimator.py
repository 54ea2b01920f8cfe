"""Estimators of a negative log-likelihood: a plan law and a reduction."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.evaluate import Evaluation, Job, Progress
from estimators.masked.blocks import BlockPlan, parts_of_blocks, plan_blocks, reduce_blocks
from estimators.model import Model
from estimators.noise.process import Noise
from estimators.plan import Plan
from estimators.reduction import Reduction
from estimators.sampling import Cell, Item, Sampler, sample
from estimators.streams import skip
from estimators.target import Context, Target, Tokens, make_targets
from estimators.within_variance import WithinVariance, from_parts

__all__ = ["Applied", "Choice", "Estimator", "Family", "estimator_of"]

Family = Literal["masked", "noised"]
"""What a pass shows a model: tokens of which some are masked, or tokens of which some are noised."""


@dataclass(frozen=True)
class Choice:
    """An estimator that another one has chosen, and the reason in words.

    Parameters
    ----------
    estimator : Estimator
    why : str

    Examples
    --------
    >>> from estimators import Auto
    >>> Auto().choose(length=3, passes=8).why
    'all masks fit into the passes: exact'
    """

    estimator: "Estimator"
    why: str


class Applied(Sampler[Item]):
    """An estimator applied to each side of an item: to a target, or to both targets of a pair, whose estimates differ.

    Subclasses say which estimator; those with two sides also say how the sides share random numbers (`generators`) and
    whether they are reduced as one (`merged`).
    """

    @property
    @abstractmethod
    def applied(self) -> "Estimator":
        """The estimator of each side."""

    def generators(self, rng: np.random.Generator) -> tuple[np.random.Generator, ...]:
        """Return the generator of each side."""
        return (rng,)

    def merged(self, evaluations: tuple[Evaluation, ...]) -> tuple[Evaluation, ...]:
        """Return what is reduced one by one and then subtracted: the evaluation of each side."""
        return evaluations

    def jobs(
        self, item: Item, passes: int, replicates: int, rng: np.random.Generator, *, first: int = 0
    ) -> tuple[Job, ...]:
        """Plan each side: a job each."""
        return tuple(
            Job(side, self.applied.plan_target(side, passes, replicates, skip(generator, first)))
            for side, generator in zip(item.sides, self.generators(rng), strict=True)
        )

    def combine(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Return the estimates alone."""
        return self.reduced(evaluations).estimates

    def reduced(self, evaluations: tuple[Evaluation, ...]) -> Reduction:
        """Reduce the losses of the only side."""
        (side,) = evaluations
        (reduction,) = self.applied.reduce_all(side.plan, [side.losses])
        return reduction

    def combined_parts(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64] | None:
        """Return the parts of the only side; of two, subtract part by part where they have equally many."""
        parts = [self.applied.all_parts(side.plan, side.losses) for side in self.merged(evaluations)]
        if len(parts) == 1:
            return parts[0]
        first, second = parts
        if first is None or second is None or first.shape != second.shape:
            return None
        return second - first

    def combined_part_count(self, item: Item, passes: int) -> int:
        """Return how many parts the sides have, if equally many, else 1."""
        lengths = {length for side in item.sides for length in side.planned}
        counts = {self.applied.part_count(length, passes) for length in lengths}
        return counts.pop() if len(counts) == 1 else 1

    def has_combined_variance(self, item: Item, passes: int) -> bool:
        """Return whether each side has a within-replicate variance."""
        lengths = {length for side in item.sides for length in side.planned}
        return all(self.applied.has_within_variance(length, passes) for length in lengths)


class Estimator(Applied[Target]):
    """A random plan of weighted passes whose weighted losses estimate a negative log-likelihood.

    Subclasses provide `name`, `summary` and `plan`. Those that reduce by more than a weighted sum override `reduce`, or
    `reductions` if one computation serves several loss arrays or gives the variance as well; those that give a variance
    say when, by `part_count` or `has_within_variance`. What the rest of the code has to know of an estimator is
    declared as an attribute, with a default here: nothing else depends on the class of an estimator.

    Attributes
    ----------
    weighted_sum : bool
        Whether the estimate is the weighted sum of the losses and nothing else: redrawing a plan then changes the
        weights alone.
    reduces_differences : bool
        Whether reducing the difference of the losses of two targets under the same masks estimates the difference of
        their values: False for what is not linear in the losses.
    conservative_within_variance : bool
        Whether the within-replicate variance is too large on purpose: Student's t over the replicates is narrower as
        soon as there are enough of them.
    noise : Noise or None
        The noise of the ``"noised"`` family.
    marginal : bool
        Whether losses are averaged over each position's own noise, which needs ratios that come from one law.
    pilot : int
        Passes of a pilot that is run once for all replicates of a target.
    """

    weighted_sum: ClassVar[bool] = True
    reduces_differences: ClassVar[bool] = True
    conservative_within_variance: ClassVar[bool] = False
    noise: Noise | None = None
    marginal: bool = False
    pilot: int = 0

    @property
    @abstractmethod
    def summary(self) -> str:
        """The estimator in one line."""

    @property
    def applied(self) -> "Estimator":
        """The estimator itself."""
        return self

    @property
    def family(self) -> Family:
        """What a pass shows a model: masked or noised tokens."""
        return "masked"

    @property
    def unbiased(self) -> bool:
        """Whether the mean is the negative log-likelihood for every model."""
        return True

    @property
    def finite_variance(self) -> bool:
        """Whether the variance is finite for every model with finite losses."""
        return True

    @property
    def exact(self) -> bool:
        """Whether every replicate is the negative log-likelihood itself."""
        return False

    @property
    def exact_when_consistent(self) -> bool:
        """Whether it is `exact` for a model whose conditionals come from one joint law."""
        return self.exact

    @property
    def deterministic(self) -> bool:
        """Whether nothing is drawn, so that all replicates are equal; a biased estimator may be, too."""
        return self.exact

    @property
    def independent_masks(self) -> bool:
        """Whether each mask is uniformly random given its size, whatever the others, and has one weight.

        Positions of unequal loss then make the error skewed.
        """
        return False

    @property
    def paired(self) -> bool:
        """Whether passes are drawn in pairs, so that half as many are independent."""
        return False

    @property
    def skewed_parts(self) -> bool:
        """Whether the independent `parts` are skewed by construction: Hall's interval then suits better than t."""
        return False

    @property
    def steady(self) -> bool:
        """Whether no few passes at low noise carry the error; masks have no such passes."""
        return True

    @property
    def final_noise(self) -> float:
        """Total noise at the end of what is estimated; infinite where nothing is left out."""
        return float("inf")

    def pass_variance(self, length: int, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the exact variance of a replicate of one pass, by summing over all masks; NaN where that is not known.

        Parameters
        ----------
        length : int
            Number of scored positions.
        totals : array of float64, shape (..., 2**length - 1)
            Sum of the token losses of each mask, as `pass_totals` returns it, in nats.

        Returns
        -------
        array of float64, shape (...)
            Nats squared. Known where passes are independent points: the variance of ``N`` passes is the ``N``-th part.
        """
        return np.full(totals.shape[:-1], np.nan)

    @abstractmethod
    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> Plan:
        """Draw independent replicates of the plan.

        Parameters
        ----------
        length : int
            Number of scored positions.
        passes : int
            Forward passes that one replicate may use.
        replicates : int
            Number of independent replicates; each has a child of ``rng`` of its own, so more replicates extend fewer,
            and a second call continues the first.
        rng : numpy.random.Generator
            From equal states, plans of different length share the uniforms of the positions that both have.

        Returns
        -------
        Plan

        Raises
        ------
        PassesError
            If the estimator cannot work with so few passes at this length; the message says how many it needs.
        """

    def plan_target(self, target: Target, passes: int, replicates: int, rng: np.random.Generator) -> Plan:
        """Plan the scored positions of a target: together, or the blocks of a block-diffusion model side by side."""
        if not target.blocks or self.family != "masked":
            return self.plan(target.length, passes, replicates, rng)
        return plan_blocks(self, target.blocks, passes, replicates, rng)

    def blocks_plan(self, length: int, passes: int, blocks: int, rng: np.random.Generator) -> Plan:
        """Plan blocks of one length for one replicate; they are the "replicates" of the plan.

        Blocks are independent, unless that leaves their variance unknown: they may then share what lowers it.
        """
        return self.plan(length, passes, blocks, rng)

    def reduce(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn token losses into estimates.

        Parameters
        ----------
        plan : Plan
        losses : array of float64, shape (replicates, passes, length)
            Nats.

        Returns
        -------
        array of float64, shape (replicates,)
            Nats.
        """
        estimates: NDArray[np.float64] = (plan.weights * losses).reshape(plan.replicates, -1).sum(axis=1)
        return estimates

    def reductions(self, plan: Plan, losses: Sequence[NDArray[np.float64]]) -> list[Reduction]:
        """Reduce several arrays of token losses of one plan: to estimates and their within-replicate variances.

        Parameters
        ----------
        plan : Plan
        losses : sequence of arrays of float64, shape (replicates, passes, length)
            Nats.

        Returns
        -------
        list of Reduction
            One for each array.

        Examples
        --------
        >>> from estimators import estimator
        >>> uniform = estimator("uniform-count")
        >>> plan = uniform.plan(length=3, passes=4, replicates=2, rng=np.random.default_rng(0))
        >>> coin, die = uniform.reductions(plan, [plan.masks * np.log(2.0), plan.masks * np.log(6.0)])
        >>> coin.estimates.round(3), die.estimates.round(3), die.within_variance.degrees
        (array([2.079, 2.079]), array([5.375, 5.375]), array([3., 3.]))
        """
        return [Reduction(self.reduce(plan, each), self.within_variance(plan, each)) for each in losses]

    def reduce_all(self, plan: Plan, losses: Sequence[NDArray[np.float64]]) -> list[Reduction]:
        """Reduce as `reductions` does, a plan of blocks block by block."""
        return reduce_blocks(self, plan, losses) if isinstance(plan, BlockPlan) else self.reductions(plan, losses)

    def all_parts(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the `parts` of a plan, or of the sum over its blocks."""
        return parts_of_blocks(self, plan, losses) if isinstance(plan, BlockPlan) else self.parts(plan, losses)

    def parts(self, plan: Plan, losses: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the independent, identically distributed estimates whose mean each replicate is, in nats.

        Returns
        -------
        array of float64, shape (replicates, parts), or None
            None where all passes of a replicate depend on one another: it is a single part.
        """
        return None

    def within_variance(self, plan: Plan, losses: NDArray[np.float64]) -> WithinVariance | None:
        """Estimate the within-replicate variance of each replicate; None where its passes do not allow it."""
        if self.exact:
            return WithinVariance(np.zeros(plan.replicates), np.full(plan.replicates, np.inf))
        parts = self.parts(plan, losses)
        return from_parts(parts) if parts is not None and parts.shape[1] > 1 else None

    def part_count(self, length: int, passes: int) -> int:
        """Return how many `parts` a replicate has, from the scored positions and the passes that it may use."""
        return 1

    def has_within_variance(self, length: int, passes: int) -> bool:
        """Return whether a replicate has a within-replicate variance, without computing one."""
        return self.exact or self.part_count(length, passes) > 1

    def informed(self, plan: Plan, squares: NDArray[np.float64]) -> "Estimator":
        """Return the estimator that has learned from a pilot's plan and its squared terms (replicates, passes)."""
        return self

    def choice(self, target: Target, passes: int, model: Model) -> Choice | None:
        """Return what this estimator chooses for a target, passes and a model; None for one that does not choose."""
        return None

    def settled(self, item: Target, passes: int, model: Model) -> "Estimator":
        """Return what really samples the target: the estimator itself, or its `choice`."""
        choice = self.choice(item, passes, model)
        return self if choice is None else choice.estimator

    def sample(
        self,
        model: Model,
        tokens: Tokens,
        *,
        passes: int,
        replicates: int,
        rng: np.random.Generator | int,
        context: Context = None,
        names: Sequence[str] | None = None,
        batch_size: int | None = None,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
    ) -> NDArray[np.float64]:
        """Draw replicates of the estimate of ``-log p(scored tokens | context)``.

        Parameters
        ----------
        model : Model
        tokens : array of int, shape (sequence, length), or sequence of arrays of int
        passes : int
            Forward passes that one replicate may use per sequence.
        replicates : int
        rng : numpy.random.Generator or int
        context : int, array of bool, sequence of arrays of bool, or None
            The first ``context`` tokens are given, or the positions marked True.
        names : sequence of str, optional
            Distinct names, on which the random streams then depend instead of the content.
        batch_size, device, progress
            See `evaluate`.

        Returns
        -------
        array of float64, shape (sequence, replicate)
            Nats.

        Examples
        --------
        >>> import torch
        >>> from estimators import estimator
        >>> class Fair:
        ...     def token_nll(self, tokens, masked):
        ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
        >>> estimator("uniform-count").sample(Fair(), [[0, 1, 1]], passes=4, replicates=2, rng=0).round(6)
        array([[2.079442, 2.079442]])
        """
        cells = [Cell(self, target, passes, replicates) for target in make_targets(tokens, context, names)]
        return sample(model, cells, rng, batch_size=batch_size, device=device, progress=progress)


@overload
def estimator_of(sampler: Applied[Any]) -> Estimator: ...
@overload
def estimator_of(sampler: Sampler[Any]) -> Estimator | None: ...
def estimator_of(sampler: Sampler[Any]) -> Estimator | None:
    """Return the estimator that a contrast applies to either side, or the estimator itself; None of other samplers.

    Examples
    --------
    >>> from estimators import Coupled, estimator
    >>> estimator_of(Coupled(estimator("chain"))) == estimator_of(estimator("chain")) == estimator("chain")
    True
    """
    return sampler.applied if isinstance(sampler, Applied) else None

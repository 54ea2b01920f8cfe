"""Sampling: what every stochastic object here can do, whether it estimates a likelihood or a ratio."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.errors import InputError
from estimators.evaluate import Evaluation, Job, Progress, evaluate
from estimators.model import Model, in_blocks
from estimators.reduction import Reduction
from estimators.streams import root_seed, stream
from estimators.target import Pair, Target
from estimators.within_variance import WithinVariance

__all__ = ["Beside", "Cell", "Draw", "Sampler", "draw", "joined", "sample"]

LARGEST_PLAN = 2**28  # token weights that are planned and run at once: some gigabytes
LARGEST_DRAW = 2**32  # token weights of a draw, which holds all of its losses

Item = TypeVar("Item", bound=Target | Pair)


class Sampler(ABC, Generic[Item]):
    """A stochastic object: for an item (a target, or a pair of them) it plans jobs and reduces their losses.

    Subclasses provide `name`, `jobs` and `combine`. Estimators of likelihoods subclass `Estimator` instead.

    Examples
    --------
    >>> from estimators import Coupled, estimator
    >>> isinstance(estimator("chain"), Sampler), isinstance(Coupled(estimator("chain")), Sampler)
    (True, True)
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name in tables."""

    @property
    def stream_name(self) -> str:
        """What its random streams depend on: its name, unless it draws the points of another sampler."""
        return self.name

    def pilot_jobs(self, item: Item, rng: np.random.Generator) -> tuple[Job, ...]:
        """Plan what is evaluated before replicates are planned: usually nothing."""
        return ()

    def after_pilot(self, evaluations: tuple[Evaluation, ...]) -> Sampler[Item]:
        """Return what samples the item once the pilot's losses are known."""
        return self

    def settled(self, item: Item, passes: int, model: Model) -> Sampler[Item]:
        """Return what really samples the item: itself, unless it chooses among others."""
        return self

    @abstractmethod
    def jobs(
        self, item: Item, passes: int, replicates: int, rng: np.random.Generator, *, first: int = 0
    ) -> tuple[Job, ...]:
        """Plan the item: the jobs whose losses `combine` needs, from replicate ``first`` of the stream on."""

    @abstractmethod
    def combine(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Reduce the losses of the item's jobs to one number per replicate, in nats: shape (replicates,)."""

    def reduced(self, evaluations: tuple[Evaluation, ...]) -> Reduction:
        """Reduce the losses once: to the numbers of `combine`, with their within-replicate variances if there are any.

        A draw keeps it; nothing reduces its losses again.
        """
        return Reduction(self.combine(evaluations))

    def combined_parts(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64] | None:
        """Return the independent estimates whose mean each replicate is: shape (replicates, parts), nats.

        None where nothing else is known than the replicate itself.
        """
        return None

    def combined_part_count(self, item: Item, passes: int) -> int:
        """Return how many `combined_parts` a replicate has, without drawing it."""
        return 1

    def has_combined_variance(self, item: Item, passes: int) -> bool:
        """Return whether replicates have a within-replicate variance, without drawing one."""
        return False


@dataclass(frozen=True)
class Cell:
    """An item, a sampler and the numbers of passes and replicates: the smallest unit with random numbers of its own.

    Parameters
    ----------
    sampler : Sampler
    item : Target or Pair
    passes : int
        Forward passes that one replicate may use per sequence.
    replicates : int
    first : int, default 0
        Replicates of the same stream that were drawn before; these ones follow them.

    Examples
    --------
    >>> from estimators import estimator, make_targets
    >>> (target,) = make_targets([[0, 1, 1]])
    >>> Cell(estimator("chain"), target, passes=6, replicates=8).planned_passes
    48
    """

    sampler: Sampler[Any]
    item: Target | Pair
    passes: int
    replicates: int
    first: int = 0

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise InputError(f"passes must be at least 1, got {self.passes}")
        if self.replicates < 1:
            raise InputError(f"replicates must be at least 1, got {self.replicates}")
        if self.first < 0:
            raise InputError(f"the first replicate needs a number of at least 0, got {self.first}")
        weights = self.passes * self._length
        if weights > LARGEST_PLAN or weights * self.replicates > LARGEST_DRAW:
            raise InputError(
                f"a plan of {self.passes} passes x {self.replicates} replicates over {self._length} positions does not "
                "fit into memory; use fewer passes or replicates"
            )

    @property
    def planned_passes(self) -> int:
        """Passes planned over all replicates and sides, repeats included."""
        return self.passes * self.replicates * len(self.item.sides)

    @property
    def _length(self) -> int:
        return max(side.length for side in self.item.sides)

    def settled(self, model: Model) -> Cell:
        """Return the cell as a model has it sampled: by the sampler that is chosen for it, in the model's blocks.

        Raises
        ------
        InputError
            If the model declares blocks of no size, or does not see some of the context.
        """
        item = in_blocks(self.item, model)
        return replace(self, item=item, sampler=self.sampler.settled(item, self.passes, model))

    def chunks(self) -> Iterator[Cell]:
        """Yield cells whose replicates follow one another and whose plans are small enough to be run at once."""
        most = LARGEST_PLAN // (self.passes * self._length)
        for start in range(0, self.replicates, most):
            yield replace(self, first=self.first + start, replicates=min(most, self.replicates - start))

    @property
    def part_count(self) -> int:
        """Independent parts of one replicate."""
        return self.sampler.combined_part_count(self.item, self.passes)

    @property
    def has_within_variance(self) -> bool:
        """Whether its replicates have a within-replicate variance."""
        return self.sampler.has_combined_variance(self.item, self.passes)


@dataclass(frozen=True)
class Draw:
    """What was drawn for a cell.

    Attributes
    ----------
    cell : Cell
        With the sampler that really sampled.
    reduction : Reduction
        The estimates, with their within-replicate variances.
    evaluations : tuple of Evaluation
        The losses behind the estimates: one evaluation for a target, two for a pair.
    beside : tuple of Evaluation
        What was evaluated beside them and is not reduced.
    pilot_passes : int
        Passes that were run before, in a pilot.
    problem : str, optional
        Where and how the model failed; the estimates are then NaN. None where it did not.

    Examples
    --------
    >>> from estimators import estimator, make_targets
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> (target,) = make_targets([[0, 1, 1]])
    >>> (drawn,) = draw(Fair(), [Cell(estimator("time-free"), target, passes=4, replicates=2)], rng=0)
    >>> drawn.estimates.round(4), drawn.parts.shape, drawn.within_variance.degrees
    (array([1.9062, 2.5415]), (2, 4), array([3., 3.]))
    """

    cell: Cell
    reduction: Reduction
    evaluations: tuple[Evaluation, ...]
    beside: tuple[Evaluation, ...] = ()
    pilot_passes: int = 0
    problem: str | None = None

    @classmethod
    def of(
        cls,
        cell: Cell,
        evaluations: Sequence[Evaluation],
        beside: Sequence[Evaluation] = (),
        *,
        pilot_passes: int = 0,
        problem: str | None = None,
    ) -> Draw:
        """Reduce the evaluations of a cell's jobs, once, unless the model has failed in a pilot or in one of them."""
        parts = tuple(evaluations)
        problem = problem or _problem(parts)
        reduction = Reduction(np.full(cell.replicates, np.nan)) if problem else cell.sampler.reduced(parts)
        return cls(cell, reduction, parts, tuple(beside), pilot_passes, problem)

    @classmethod
    def concatenate(cls, draws: Sequence[Draw]) -> Draw:
        """Join draws of one stream, each of which begins where the one before stopped."""
        if len(draws) == 1:
            return draws[0]
        cell = replace(draws[0].cell, replicates=sum(part.cell.replicates for part in draws))
        sides = zip(*(part.evaluations for part in draws), strict=True)
        return cls(
            cell,
            Reduction.concatenate([part.reduction for part in draws]),
            tuple(Evaluation.concatenate(side) for side in sides),
            tuple(evaluation for part in draws for evaluation in part.beside),
            sum(part.pilot_passes for part in draws),
            next((part.problem for part in draws if part.problem), None),
        )

    @property
    def estimates(self) -> NDArray[np.float64]:
        """The estimate of each replicate: (replicates,), nats."""
        return self.reduction.estimates

    @property
    def within_variance(self) -> WithinVariance | None:
        """The within-replicate variance of each replicate; None where its passes do not allow it."""
        return self.reduction.within_variance

    @property
    def forward_passes(self) -> int:
        """Passes really run, over all replicates, those of a pilot and those beside included."""
        run = sum(evaluation.forward_passes for evaluation in (*self.evaluations, *self.beside))
        return self.pilot_passes + run

    def blocks(self, replicates: int) -> Iterator[Draw]:
        """Yield draws of that many replicates each, in order; what is left over is dropped.

        Passes that several of them share count for each.
        """
        for start in range(0, self.cell.replicates - replicates + 1, replicates):
            part = slice(start, start + replicates)
            evaluations = tuple(side.replicates_in(part) for side in self.evaluations)
            cell = replace(self.cell, replicates=replicates)
            yield Draw(cell, self.reduction.part(part), evaluations, problem=self.problem)

    @cached_property
    def parts(self) -> NDArray[np.float64]:
        """Independent estimates whose mean each replicate is: (replicates, parts), nats."""
        parts = self.cell.sampler.combined_parts(self.evaluations)
        return self.estimates[:, None] if parts is None else parts


Beside = Callable[[Cell, Sequence[Job]], Sequence[Job]]
"""Returns what is to be evaluated beside a cell, given its jobs."""


class _Pilot(NamedTuple):
    # What a pilot cost, and how the model failed in it.
    forward_passes: int
    problem: str | None


class _Planned(NamedTuple):
    # A cell, a chunk of it, and how many jobs the chunk has, its own and beside them.
    whole: Cell
    chunk: Cell
    jobs: int
    beside: int
    pilot: _Pilot


def _problem(evaluations: Sequence[Evaluation]) -> str | None:
    """Say how the model failed, and on which side of a pair."""
    sides = ("first side, ", "second side, ") if len(evaluations) > 1 else ("",)
    problems = ((side, evaluation.problem) for side, evaluation in zip(sides, evaluations, strict=False))
    return next((side + problem for side, problem in problems if problem), None)


def draw(
    model: Model,
    cells: Iterable[Cell],
    rng: np.random.Generator | np.random.SeedSequence | int,
    *,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    keep_failed: bool = False,
    beside: Beside | None = None,
) -> Iterator[Draw]:
    """Sample many cells through shared batches, lazily and in order.

    The numbers of a cell depend on the seed, its item, its sampler and its passes alone: not on the batch size, the
    other cells or their order, but for a network's rounding. More replicates continue the same stream; a cell can begin
    where another one stopped.

    Parameters
    ----------
    model : Model
    cells : iterable of Cell
    rng : numpy.random.Generator, numpy.random.SeedSequence or int
        A generator is advanced; a seed sequence or an integer gives the same numbers every time.
    batch_size, device, progress
        See `evaluate`.
    keep_failed : bool, default False
        Whether a cell whose losses came out NaN, infinite or negative is yielded with its `problem`, so that the others
        finish, instead of ending the run.
    beside : callable, optional
        Returns jobs that share the batches of a cell's own jobs, which it is given; the draw has their evaluations.

    Yields
    ------
    Draw

    Examples
    --------
    >>> from estimators import estimator, make_targets
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> targets = make_targets([[0, 1, 1], [1, 0, 0]])
    >>> cells = [Cell(estimator("chain"), target, passes=3, replicates=2) for target in targets]
    >>> [drawn.estimates.round(4).tolist() for drawn in draw(Fair(), cells, rng=0)]
    [[2.0794, 2.0794], [2.0794, 2.0794]]
    """
    root = root_seed(rng)
    planned: deque[_Planned] = deque()

    def piloted(sampler: Sampler[Any], item: Target | Pair, keys: tuple[str, ...]) -> tuple[Sampler[Any], _Pilot]:
        jobs = sampler.pilot_jobs(item, stream(root, *keys, "pilot"))
        pilots = tuple(evaluate(model, jobs, batch_size=batch_size, device=device, keep_failed=keep_failed))
        pilot = _Pilot(sum(evaluation.forward_passes for evaluation in pilots), _problem(pilots))
        return (sampler.after_pilot(pilots) if jobs and pilot.problem is None else sampler), pilot

    def jobs() -> Iterator[Job]:
        for given in cells:
            settled = given.settled(model)
            keys = (settled.item.key, settled.sampler.stream_name, str(given.passes))
            sampler, pilot = piloted(settled.sampler, settled.item, keys)
            for cell in replace(settled, sampler=sampler).chunks():
                rng = stream(root, *keys)
                parts = cell.sampler.jobs(cell.item, cell.passes, cell.replicates, rng, first=cell.first)
                others = () if beside is None else beside(cell, parts)
                planned.append(_Planned(given, cell, len(parts), len(others), pilot))
                pilot = _Pilot(0, pilot.problem)
                yield from (*parts, *others)

    evaluations = evaluate(
        model, jobs(), batch_size=batch_size, device=device, progress=progress, keep_failed=keep_failed
    )

    def chunks() -> Iterator[tuple[Cell, Draw]]:
        for first in evaluations:
            plan = planned.popleft()
            parts, others = (first, *islice(evaluations, plan.jobs - 1)), tuple(islice(evaluations, plan.beside))
            passes, problem = plan.pilot
            yield plan.whole, Draw.of(plan.chunk, parts, others, pilot_passes=passes, problem=problem)

    yield from joined(chunks())


def joined(chunks: Iterable[tuple[Cell, Draw]]) -> Iterator[Draw]:
    """Yield the whole draw of each cell, given the draws of its `chunks`, each with the cell, in order."""
    drawn: list[Draw] = []
    for cell, chunk in chunks:
        drawn.append(chunk)
        if sum(part.cell.replicates for part in drawn) == cell.replicates:
            whole = Draw.concatenate(drawn)
            drawn.clear()
            yield whole


def sample(
    model: Model,
    cells: Iterable[Cell],
    rng: np.random.Generator | np.random.SeedSequence | int,
    *,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """Sample cells of one number of replicates as `draw` does; keep the estimates alone: (cell, replicate), nats."""
    draws = draw(model, cells, rng, batch_size=batch_size, device=device, progress=progress)
    return np.stack([drawn.estimates for drawn in draws])

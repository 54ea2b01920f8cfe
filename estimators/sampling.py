"""Sampling: what every stochastic object here can do, whether it estimates a likelihood or a ratio."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.errors import InputError
from estimators.evaluate import Evaluation, Job, Progress, evaluate
from estimators.model import Model
from estimators.streams import root_seed, stream
from estimators.target import Pair, Target
from estimators.within_variance import WithinVariance

__all__ = ["Cell", "Draw", "Sampler", "draw", "sample"]

LARGEST_PLAN = 2**28  # token weights of a cell: some gigabytes

Item = TypeVar("Item", bound=Target | Pair)


class Sampler(ABC, Generic[Item]):
    """A stochastic object: for an item (a target, or a pair of them) it plans jobs and reduces their losses."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its name in tables."""

    @property
    def stream_name(self) -> str:
        """What its random streams hang on: its name, unless it draws the points of another one."""
        return self.name

    def pilot_jobs(self, item: Item, rng: np.random.Generator) -> tuple[Job, ...]:
        """Plan what is to be known before replicates are planned: mostly nothing."""
        return ()

    def after_pilot(self, evaluations: tuple[Evaluation, ...]) -> "Sampler[Item]":
        """Return what samples the item once the pilot's losses are known."""
        return self

    def settled(self, item: Item, passes: int, model: Model) -> "Sampler[Item]":
        """Return what really samples the item: itself, unless it is there to choose."""
        return self

    @abstractmethod
    def jobs(
        self, item: Item, passes: int, replicates: int, rng: np.random.Generator, *, first: int = 0
    ) -> tuple[Job, ...]:
        """Plan the item: the jobs whose losses `combine` needs, from replicate ``first`` of the stream on."""

    @abstractmethod
    def combine(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Reduce the losses of the item's jobs to one number per replicate, in nats: shape (replicates,)."""

    def combined_variance(self, evaluations: tuple[Evaluation, ...]) -> WithinVariance | None:
        """Estimate the variance of each replicate from its own passes; None where they do not tell it."""
        return None

    def combined_parts(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Return the independent estimates that each replicate is the mean of: shape (replicates, parts), nats.

        The replicate itself, one part, where nothing else is known.
        """
        return self.combine(evaluations)[:, None]


@dataclass(frozen=True)
class Cell:
    """An item, a sampler, and how much of it: the smallest thing with random numbers of its own.

    Parameters
    ----------
    sampler : Sampler
    item : Target or Pair
    passes : int
        Forward passes that one replicate may use per sequence.
    replicates : int
    first : int, default 0
        Replicates of the same stream that were drawn before; these ones follow them.
    """

    sampler: Sampler[Any]
    item: Target | Pair
    passes: int
    replicates: int
    first: int = 0

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise InputError(f"passes needs to be at least 1, got {self.passes}")
        if self.replicates < 1:
            raise InputError(f"replicates needs to be at least 1, got {self.replicates}")
        if self.first < 0:
            raise InputError(f"the first replicate needs a number of at least 0, got {self.first}")
        length = max(side.length for side in self.item.sides)
        if self.passes * self.replicates * length > LARGEST_PLAN:
            raise InputError(
                f"a plan of {self.passes} passes x {self.replicates} replicates over {length} positions does not fit "
                "into memory; use fewer passes or replicates"
            )

    @property
    def planned_passes(self) -> int:
        """Passes planned over all replicates and sides, repeats included."""
        return self.passes * self.replicates * len(self.item.sides)


@dataclass(frozen=True)
class Draw:
    """A cell's outcome.

    Attributes
    ----------
    cell : Cell
        With the sampler that was settled on.
    estimates : array of float64, shape (replicates,)
        Nats.
    evaluations : tuple of Evaluation
        The losses they were made of: one entry for a target, two for a pair.
    pilot_passes : int
        Passes that were run before, to know how to sample.
    problem : str, optional
        Where and how the model failed; the estimates are then NaN. None where it did not.
    """

    cell: Cell
    estimates: NDArray[np.float64]
    evaluations: tuple[Evaluation, ...]
    pilot_passes: int = 0
    problem: str | None = None

    @classmethod
    def of(
        cls, cell: Cell, evaluations: Sequence[Evaluation], pilot_passes: int = 0, problem: str | None = None
    ) -> "Draw":
        """Combine the evaluations of a cell's jobs, unless the model has failed in a pilot or in one of them."""
        parts = tuple(evaluations)
        problem = problem or _problem(parts)
        estimates = np.full(cell.replicates, np.nan) if problem else cell.sampler.combine(parts)
        return cls(cell, estimates, parts, pilot_passes, problem)

    @classmethod
    def concatenate(cls, draws: Sequence["Draw"]) -> "Draw":
        """Join draws of one stream, each of which begins where the one before stopped."""
        cell = replace(draws[0].cell, replicates=sum(one.cell.replicates for one in draws))
        sides = zip(*(one.evaluations for one in draws), strict=True)
        return cls(
            cell,
            np.concatenate([one.estimates for one in draws]),
            tuple(Evaluation.concatenate(side) for side in sides),
            sum(one.pilot_passes for one in draws),
            next((one.problem for one in draws if one.problem), None),
        )

    @property
    def forward_passes(self) -> int:
        """Passes really run, over all replicates, those of a pilot included."""
        return self.pilot_passes + sum(evaluation.forward_passes for evaluation in self.evaluations)

    def blocks(self, replicates: int) -> Iterator["Draw"]:
        """Yield draws of so many replicates each, in order; what is left over is dropped.

        Passes that several of them share count for each.
        """
        for start in range(0, self.cell.replicates - replicates + 1, replicates):
            part = slice(start, start + replicates)
            evaluations = tuple(one.replicates_in(part) for one in self.evaluations)
            cell = replace(self.cell, replicates=replicates)
            yield Draw(cell, self.estimates[part], evaluations, problem=self.problem)

    @cached_property
    def within_variance(self) -> WithinVariance | None:
        """The variance of each replicate, estimated from its own passes; None where they do not tell it."""
        return self.cell.sampler.combined_variance(self.evaluations)

    @cached_property
    def parts(self) -> NDArray[np.float64]:
        """Independent estimates that each replicate is the mean of: (replicates, parts), nats."""
        return self.cell.sampler.combined_parts(self.evaluations)


class _Pilot(NamedTuple):
    # What a pilot has cost, and how the model failed in it.
    forward_passes: int
    problem: str | None


def _problem(parts: Sequence[Evaluation]) -> str | None:
    """Say how the model failed, and on which side of a pair."""
    sides = ("first side, ", "second side, ") if len(parts) > 1 else ("",)
    return next((side + one.problem for side, one in zip(sides, parts, strict=False) if one.problem), None)


def draw(
    model: Model,
    cells: Iterable[Cell],
    rng: np.random.Generator | np.random.SeedSequence | int,
    *,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    keep_failed: bool = False,
) -> Iterator[Draw]:
    """Sample many cells through shared batches, lazily and in order.

    The numbers of a cell depend on the seed, its item, its sampler and its passes alone: not on the batch size, the
    other cells or their order. More replicates continue the same stream; a cell can begin where another one stopped.

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

    Yields
    ------
    Draw
    """
    root = root_seed(rng)
    planned: deque[tuple[Cell, int, _Pilot]] = deque()

    def piloted(sampler: Sampler[Any], item: Target | Pair, own: tuple[str, ...]) -> tuple[Sampler[Any], _Pilot]:
        jobs = sampler.pilot_jobs(item, stream(root, *own, "pilot"))
        found = tuple(evaluate(model, jobs, batch_size=batch_size, device=device, keep_failed=keep_failed))
        pilot = _Pilot(sum(one.forward_passes for one in found), _problem(found))
        return (sampler.after_pilot(found) if jobs and pilot.problem is None else sampler), pilot

    def jobs() -> Iterator[Job]:
        for given in cells:
            settled = given.sampler.settled(given.item, given.passes, model)
            own = (given.item.key, settled.stream_name, str(given.passes))
            sampler, pilot = piloted(settled, given.item, own)
            cell = replace(given, sampler=sampler)
            parts = cell.sampler.jobs(cell.item, cell.passes, cell.replicates, stream(root, *own), first=cell.first)
            planned.append((cell, len(parts), pilot))
            yield from parts

    evaluations = evaluate(
        model, jobs(), batch_size=batch_size, device=device, progress=progress, keep_failed=keep_failed
    )
    for first in evaluations:
        cell, count, pilot = planned.popleft()
        parts = (first, *islice(evaluations, count - 1))
        yield Draw.of(cell, parts, pilot.forward_passes, pilot.problem)


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
    return np.stack([one.estimates for one in draws])

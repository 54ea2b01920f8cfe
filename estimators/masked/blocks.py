"""Plans of blocks, laid side by side: a pass has a mask of each block, and scores all blocks at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from estimators.errors import PassesError
from estimators.masked.plan import MaskPlan, mask_plan
from estimators.reduction import Reduction
from estimators.within_variance import WithinVariance, added

if TYPE_CHECKING:
    from estimators.estimator import Estimator

__all__ = ["BlockPlan", "parts_of_blocks", "plan_blocks", "reduce_blocks"]

FloatArray = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True, eq=False, repr=False)
class BlockPlan(MaskPlan):
    """A plan of masks in which each block has a plan of its own.

    Parameters
    ----------
    masks, weights : arrays, shape (replicates, passes, length)
        As those of a `MaskPlan`; the positions of a block follow one another.
    lengths : tuple of int
        Number of positions of each block.
    passes_of_blocks : tuple of int
        Number of passes of each block's own plan; those that follow mask nothing of it.

    Examples
    --------
    >>> from estimators import estimator
    >>> plan = plan_blocks(estimator("exhaustive"), (2, 2, 1), 3, replicates=1, rng=np.random.default_rng(0))
    >>> plan.lengths, plan.passes_of_blocks
    ((2, 2, 1), (3, 3, 1))
    >>> print(plan)
    #.#.#  1
    .#.#.  0.5
    ####.  0.5
    """

    lengths: tuple[int, ...]
    passes_of_blocks: tuple[int, ...]

    @property
    def block_lengths(self) -> tuple[int, ...]:
        """Number of positions of each block."""
        return self.lengths

    def alike(self) -> Iterator[_Alike]:
        """Yield the blocks of equal lengths and numbers of passes together."""
        starts = np.cumsum((0, *self.lengths[:-1]))
        kinds = list(zip(self.lengths, self.passes_of_blocks, strict=True))
        for kind in dict.fromkeys(kinds):
            length, passes = kind
            first = starts[[each == kind for each in kinds]]
            yield _Alike(first[:, None] + np.arange(length), passes)


@dataclass(frozen=True, eq=False)
class _Alike:
    # Blocks of one length and number of passes, by their positions (blocks, length).
    positions: NDArray[np.int64]
    passes: int

    def stacked(self, values: NDArray[Scalar]) -> NDArray[Scalar]:
        """Turn (replicates, passes, all positions) into (replicates * blocks, passes of a block, length)."""
        of_blocks: NDArray[Scalar] = values[:, : self.passes][..., self.positions].swapaxes(1, 2)
        return of_blocks.reshape(-1, *of_blocks.shape[2:])

    def plan(self, plan: BlockPlan) -> MaskPlan:
        return MaskPlan(self.stacked(plan.masks), self.stacked(plan.weights))

    def by_block(self, values: FloatArray) -> FloatArray:
        """Turn (replicates * blocks, ...) into (replicates, blocks, ...)."""
        return values.reshape(-1, len(self.positions), *values.shape[1:])


def plan_blocks(
    estimator: Estimator, lengths: Sequence[int], passes: int, replicates: int, rng: np.random.Generator
) -> BlockPlan:
    """Plan blocks of these lengths, each with random numbers of its own; see `Estimator.plan`.

    Targets that share a generator share the masks of the blocks of equal number and length.
    """
    runs = [(length, len(list(run))) for length, run in itertools.groupby(lengths)]
    of_replicates = [
        [_plan_run(estimator, length, passes, count, child) for length, count in runs]
        for child in rng.spawn(replicates)
    ]
    of_runs = list(zip(*of_replicates, strict=True))
    most = max(plans[0].passes for plans in of_runs)
    masks, weights = (
        np.concatenate([_side_by_side([getattr(plan, name) for plan in plans], most) for plans in of_runs], axis=-1)
        for name in ("masks", "weights")
    )
    used = [plans[0].passes for plans, (_, count) in zip(of_runs, runs, strict=True) for _ in range(count)]
    return BlockPlan(masks, weights, tuple(lengths), tuple(used))


def _plan_run(estimator: Estimator, length: int, passes: int, count: int, rng: np.random.Generator) -> MaskPlan:
    try:
        return mask_plan(estimator.blocks_plan(length, passes, count, rng), "blocks")
    except PassesError as error:
        raise PassesError(f"in blocks of {length} scored positions, {error}") from error


def _side_by_side(replicates: Sequence[NDArray[Scalar]], passes: int) -> NDArray[Scalar]:
    # From (blocks, passes, length) of each replicate to (replicates, passes, blocks * length), filled up with zeros.
    blocks = np.stack(replicates).swapaxes(1, 2)
    whole = blocks.reshape(*blocks.shape[:2], -1)
    return np.pad(whole, ((0, 0), (0, passes - whole.shape[1]), (0, 0)))


def reduce_blocks(estimator: Estimator, plan: BlockPlan, losses: Sequence[FloatArray]) -> list[Reduction]:
    """Reduce each block by itself and add: the estimates, and the variances, as blocks are independent."""
    kinds = [
        (alike, estimator.reductions(alike.plan(plan), [alike.stacked(each) for each in losses]))
        for alike in plan.alike()
    ]
    reductions = []
    for vector in range(len(losses)):
        of_blocks = [(alike, of_vectors[vector]) for alike, of_vectors in kinds]
        estimates = np.sum([alike.by_block(each.estimates).sum(axis=1) for alike, each in of_blocks], axis=0)
        variances = [
            WithinVariance(variance, degrees)
            for alike, each in of_blocks
            if (within := each.within_variance) is not None
            for variance, degrees in zip(
                alike.by_block(within.variance).T, alike.by_block(within.degrees).T, strict=True
            )
        ]
        known = len(variances) == len(plan.lengths)
        reductions.append(Reduction(estimates, added(*variances) if known else None))
    return reductions


def parts_of_blocks(estimator: Estimator, plan: BlockPlan, losses: FloatArray) -> FloatArray | None:
    """Return the parts of the sum over blocks, if each block has equally many: (replicates, parts), nats; else None."""
    total: FloatArray = np.zeros(())
    for alike in plan.alike():
        parts = estimator.parts(alike.plan(plan), alike.stacked(losses))
        if parts is None or (total.ndim and total.shape[1] != parts.shape[1]):
            return None
        total = total + alike.by_block(parts).sum(axis=1)
    return total

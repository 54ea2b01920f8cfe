"""Orders drawn in rounds, each by surrogates of the losses of all passes before it, for many targets at once."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import DTypeLike, NDArray

from estimators import ConditionalModel, Evaluation, Job, Target
from estimators.masked.orders.chains import chain_plan
from estimators.masked.orders.marginal import order_marginal
from estimators.masked.orders.proposal import ProposedOrders, propose_orders
from estimators.masked.orders.surrogate import OrderSurrogate
from estimators.masked.plan import mask_plan
from estimators.streams import root_seed, stream
from infodis_stats.estimates.settings import Execution

__all__ = ["OrderSample", "draw_orders", "order_rounds"]

FloatArray = NDArray[np.float64]

SMALLEST_ROUND = 8  # orders
TOGETHER = 32  # targets whose passes share calls, and whose losses are held
LARGEST_BATCH = 2**26  # losses of several targets: 256 MB


@dataclass(eq=False)
class OrderSample:
    """The passes of a target, and the orders that were drawn after them.

    Attributes
    ----------
    target : Target
    masks : list of arrays of bool, shape (passes, length)
    losses : list of arrays of float64 or float32, shape (passes, length)
        Nats.
    log_weights : list of arrays of float64, shape (blocks, orders)
        Of each round, for each block: the logs of numbers whose mean is its order-marginal probability.
    forward_passes : int
        Of the orders.
    problem : str, optional
        How the model failed.
    """

    target: Target
    masks: list[NDArray[np.bool_]] = field(default_factory=list)
    losses: list[NDArray[np.floating]] = field(default_factory=list)
    log_weights: list[FloatArray] = field(default_factory=list)
    forward_passes: int = 0
    problem: str | None = None

    @classmethod
    def after(cls, evaluation: Evaluation) -> OrderSample:
        """Return the sample that begins with the passes of an evaluation."""
        sample = cls(evaluation.target)
        sample._keep(evaluation)
        return sample

    def exact(self) -> float:
        """Return the order-marginal negative log-likelihood, from passes that have all masks of each block."""
        total = 0.0
        for masks, losses in self._of_blocks():
            codes, first = np.unique(masks @ (1 << np.arange(masks.shape[1])), return_index=True)
            total += order_marginal(losses[first[codes > 0]])
        return total

    def propose(self, orders: int, rng: np.random.Generator) -> list[ProposedOrders]:
        """Draw orders of each block, by a surrogate of its losses so far."""
        return [
            propose_orders(OrderSurrogate.fit(*of_block), orders, generator)
            for of_block, generator in zip(self._of_blocks(), rng.spawn(len(self.target.planned)), strict=True)
        ]

    def add(self, evaluation: Evaluation, proposed: Sequence[ProposedOrders]) -> None:
        """Take up the chains of proposed orders."""
        plan = mask_plan(evaluation.plan, "orders")
        log_likelihoods = -plan.by_block((plan.weights * evaluation.losses).sum(axis=1)).T
        self.log_weights.append(log_likelihoods + [block.log_weights for block in proposed])
        self.forward_passes += evaluation.forward_passes
        self.problem = self.problem or evaluation.problem
        self._keep(evaluation, np.float32)  # enough for surrogates

    def _keep(self, evaluation: Evaluation, dtype: DTypeLike = np.float64) -> None:
        plan = mask_plan(evaluation.plan, "orders")
        self.masks.append(plan.masks.reshape(-1, plan.length))
        self.losses.append(evaluation.losses.reshape(-1, plan.length).astype(dtype, copy=False))

    def _of_blocks(self) -> Iterator[tuple[NDArray[np.bool_], FloatArray]]:
        masks, losses = np.concatenate(self.masks), np.concatenate(self.losses)
        for start, stop in itertools.pairwise(np.cumsum((0, *self.target.planned)).tolist()):
            yield masks[:, start:stop], losses[:, start:stop]


def order_rounds(orders: int) -> list[int]:
    """Return how many orders each round draws: as many as all before it, the first one at least 8 if there are as many.

    Examples
    --------
    >>> order_rounds(112), order_rounds(9), order_rounds(3)
    ([14, 14, 28, 56], [9], [3])
    """
    rounds = []
    while orders >= 2 * SMALLEST_ROUND:
        rounds.append(orders - orders // 2)
        orders //= 2
    return [orders, *reversed(rounds)]


def draw_orders(
    model: ConditionalModel, samples: Sequence[tuple[OrderSample, int]], seed: int, execution: Execution
) -> None:
    """Draw orders of targets, and add them to their samples, which then keep the weights alone, not the passes.

    The orders of a target depend on the seed, its key, its passes so far and their number alone.

    Parameters
    ----------
    model : ConditionalModel
    samples : sequence of (OrderSample, int)
        Each with the number of its orders; a sample ends where the model fails on it.
    seed : int
    execution : Execution
    """
    root = root_seed(seed)
    for batch in _batches(samples):
        for number in range(max(len(rounds) for _, rounds in batch)):
            waiting: deque[tuple[OrderSample, list[ProposedOrders]]] = deque()
            jobs = _round(root, batch, number, waiting)
            for evaluation in execution.evaluate(model, jobs):
                sample, proposed = waiting.popleft()
                sample.add(evaluation, proposed)
        for sample, _ in batch:
            sample.masks.clear()
            sample.losses.clear()


def _batches(samples: Sequence[tuple[OrderSample, int]]) -> Iterator[list[tuple[OrderSample, list[int]]]]:
    """Yield samples that are held together, each with its rounds."""
    batch: list[tuple[OrderSample, list[int]]] = []
    held = 0
    for sample, orders in samples:
        size = orders * sample.target.longest_block * sample.target.length
        if batch and (len(batch) == TOGETHER or held + size > LARGEST_BATCH):
            yield batch
            batch, held = [], 0
        batch.append((sample, order_rounds(orders)))
        held += size
    if batch:
        yield batch


def _round(
    root: np.random.SeedSequence,
    batch: Sequence[tuple[OrderSample, Sequence[int]]],
    number: int,
    waiting: deque[tuple[OrderSample, list[ProposedOrders]]],
) -> Iterator[Job]:
    """Yield the jobs of a round; what they are of waits for their evaluations."""
    for sample, rounds in batch:
        if number < len(rounds) and sample.problem is None:
            rng = stream(root, sample.target.key, "orders", str(sum(rounds)), str(number))
            proposed = sample.propose(rounds[number], rng)
            waiting.append((sample, proposed))
            yield Job(sample.target, chain_plan([block.ranks for block in proposed]))

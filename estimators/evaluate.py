"""Plan times model times target: the only code that calls a model."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.batches import Batches
from estimators.errors import InputError, ModelError, TokenError
from estimators.model import ConditionalModel
from estimators.plan import MaskPlan, pass_terms
from estimators.target import Target

__all__ = ["Evaluation", "Job", "Progress", "evaluate"]

Progress = Callable[[int], object]
"""Called after every batch with the number of planned passes that it settled (repeats included)."""

BATCHES_WAITING = 16  # rows held back for fuller batches of their own length, in batches
ROUNDING = 1e-6  # nats by which a rounded log-probability may exceed 0


@dataclass(frozen=True)
class Job:
    """A plan for a target."""

    target: Target
    plan: MaskPlan


@dataclass(frozen=True)
class Evaluation:
    """The token losses of a job.

    Attributes
    ----------
    target : Target
    plan : MaskPlan
    losses : array of float64, shape (replicates, passes, length)
        ``c(i, S)`` in nats where masked, 0 elsewhere.
    forward_passes : int
        Passes really run: distinct masks that hide something.
    """

    target: Target
    plan: MaskPlan
    losses: NDArray[np.float64]
    forward_passes: int

    def replicates_in(self, part: slice) -> "Evaluation":
        """Return some of the replicates, with the passes that they alone would have run."""
        plan = MaskPlan(self.plan.masks[part], self.plan.weights[part])
        rows = np.unique(_packed(plan.masks.reshape(-1, plan.length)))
        empty = not plan.masks.any(axis=-1).all()
        return Evaluation(self.target, plan, self.losses[part], len(rows) - empty)

    @classmethod
    def concatenate(cls, evaluations: Sequence["Evaluation"]) -> "Evaluation":
        """Join the replicates of several evaluations of one target."""
        return cls(
            evaluations[0].target,
            MaskPlan.concatenate([one.plan for one in evaluations]),
            np.concatenate([one.losses for one in evaluations]),
            sum(one.forward_passes for one in evaluations),
        )

    @property
    def terms(self) -> NDArray[np.float64]:
        """What each pass alone would estimate, weights and number of passes applied: (replicates, passes), nats."""
        return pass_terms(self.plan, self.losses)

    @property
    def position_losses(self) -> NDArray[np.float64]:
        """Weighted mean loss of each position over all passes: (length,), nats; 0 where it was never masked."""
        weights: NDArray[np.float64] = self.plan.weights.sum(axis=(0, 1))
        losses: NDArray[np.float64] = np.zeros_like(weights)
        np.divide((self.plan.weights * self.losses).sum(axis=(0, 1)), weights, out=losses, where=weights > 0)
        return losses


class _Work:
    """A job on its way: its distinct masks, and their losses as they come in."""

    def __init__(self, job: Job) -> None:
        target, plan = job.target, job.plan
        if plan.length != target.length:
            raise InputError(f"{target.label} has {target.length} scored positions, its plan has {plan.length}")
        self.job = job
        rows = plan.masks.reshape(-1, plan.length)
        _, first, self.inverse, self.counts = np.unique(
            _packed(rows), return_index=True, return_inverse=True, return_counts=True
        )
        self.masks = rows[first]
        self.losses = np.zeros(self.masks.shape)
        self.begin = int(not self.masks[0].any())  # the empty mask sorts first and needs no pass
        self.next = self.begin
        self.unsettled = self.forward_passes = len(self.masks) - self.begin

    def result(self) -> Evaluation:
        losses = self.losses[self.inverse.reshape(-1)].reshape(self.job.plan.masks.shape)
        return Evaluation(self.job.target, self.job.plan, losses, self.forward_passes)


def _packed(rows: NDArray[np.bool_]) -> NDArray[np.generic]:
    # A mask as one comparable value: a machine word, or bytes for long masks.
    bits = np.packbits(rows, axis=1)
    words = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : bits.shape[1]] = bits
    if words.shape[1] == 8:
        return words.view(np.uint64)[:, 0]
    return words.view(np.dtype((np.void, words.shape[1])))[:, 0]


def evaluate(
    model: ConditionalModel,
    jobs: Iterable[Job],
    *,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Iterator[Evaluation]:
    """Run the masks of many jobs through a model, in order, a full batch at a time.

    Jobs are taken from the iterable as needed, so memory does not grow with their number. Rows share a batch with any
    rows of the same total length. Within a job each distinct mask is run once. A call that does not fit into the memory
    of the device is run again with half of its rows, and so are those that follow.

    Parameters
    ----------
    model : ConditionalModel
    jobs : iterable of Job
    batch_size : int, optional
        Largest number of rows in a call. None: 2,048 tokens a thread on a CPU, which suits networks; on a CUDA device
        as many as fit into its free memory. Exact laws are faster with some hundred rows, and their numbers are the
        same to the last bit; those of a network are the same up to the rounding of its own type.
    device : torch.device or str, default "cpu"
        Where the model wants its input.
    progress : callable, optional
        See `Progress`.

    Yields
    ------
    Evaluation
        In the order of the jobs.

    Raises
    ------
    InputError
        If a plan does not fit its target, the model does not know a token, or the device is not available.
    ModelError
        If the model returns another shape, or a NaN, infinite or negative loss; names the sequence and the position.
        If a single row does not fit into memory.
    """
    device = _available(device)
    batches = Batches(batch_size, device)
    queue: deque[_Work] = deque()
    buckets: dict[int, deque[_Work]] = {}
    waiting: dict[int, int] = {}

    def run(length: int) -> None:
        pieces, size = [], batches.rows(length)
        room = size
        bucket = buckets[length]
        while room and bucket:
            work = bucket[0]
            stop = min(work.next + room, len(work.masks))
            pieces.append((work, slice(work.next, stop)))
            room -= stop - work.next
            work.next = stop
            if stop == len(work.masks):
                bucket.popleft()
        waiting[length] -= size - room
        _run_batch(model, pieces, batches, device)
        if progress is not None:
            progress(sum(int(work.counts[rows].sum()) for work, rows in pieces))

    def settled() -> Iterator[Evaluation]:
        while queue and not queue[0].unsettled:
            yield queue.popleft().result()

    for job in jobs:
        work = _Work(job)
        queue.append(work)
        if progress is not None and work.begin:
            progress(int(work.counts[0]))
        if work.unsettled:
            length = len(job.target.tokens)
            buckets.setdefault(length, deque()).append(work)
            waiting[length] = waiting.get(length, 0) + work.unsettled
            while waiting[length] >= batches.rows(length):
                run(length)
            while sum(count / batches.rows(one) for one, count in waiting.items()) > BATCHES_WAITING:
                run(len(queue[0].job.target.tokens))
        yield from settled()
    for length in list(buckets):
        while waiting[length]:
            run(length)
    yield from settled()


def _available(device: torch.device | str) -> torch.device:
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # an assertion where torch was built without the device
        raise InputError(f"the device {str(device)!r} is not available here") from error


def _run_batch(
    model: ConditionalModel, pieces: list[tuple[_Work, slice]], batches: Batches, device: torch.device
) -> None:
    length = len(pieces[0][0].job.target.tokens)
    count = sum(rows.stop - rows.start for _, rows in pieces)
    tokens = np.empty((count, length), dtype=np.int64)
    masked = np.zeros((count, length), dtype=bool)
    start = 0
    for work, rows in pieces:
        block = slice(start, start + rows.stop - rows.start)
        tokens[block] = work.job.target.tokens
        masked[block, work.job.target.scored] = work.masks[rows]
        start = block.stop
    losses = np.empty((count, length))

    def call(rows: slice) -> None:
        try:
            losses[rows] = _token_nll(model, tokens[rows], masked[rows], device)
        except TokenError as error:
            label = _owner(pieces, rows.start + error.row).job.target.label
            raise InputError(f"{label}, position {error.position}: {error.problem}") from error

    batches.run(call, count, length)
    if not (np.isfinite(losses) & (losses >= -ROUNDING)).all():
        _refuse(losses, pieces)
    start = 0
    for work, rows in pieces:
        block = slice(start, start + rows.stop - rows.start)
        work.losses[rows] = losses[block, work.job.target.scored]
        work.unsettled -= rows.stop - rows.start
        start = block.stop


def _token_nll(
    model: ConditionalModel, tokens: NDArray[np.int64], masked: NDArray[np.bool_], device: torch.device
) -> NDArray[np.float64]:
    with torch.no_grad():
        returned = model.token_nll(torch.from_numpy(tokens).to(device), torch.from_numpy(masked).to(device))
    if not isinstance(returned, torch.Tensor) or returned.shape != masked.shape:
        got = f"shape {tuple(returned.shape)}" if isinstance(returned, torch.Tensor) else type(returned).__name__
        raise ModelError(f"the model's token_nll must return a tensor of shape {masked.shape}, it returned {got}")
    return np.where(masked, returned.detach().cpu().to(torch.float64).numpy(), 0.0)


def _owner(pieces: list[tuple[_Work, slice]], row: int) -> _Work:
    ends = np.cumsum([rows.stop - rows.start for _, rows in pieces])
    return pieces[int(np.searchsorted(ends, row, side="right"))][0]


def _refuse(losses: NDArray[np.float64], pieces: list[tuple[_Work, slice]]) -> None:
    row, position = (int(index[0]) for index in np.nonzero(~(np.isfinite(losses) & (losses >= -ROUNDING))))
    target, value = _owner(pieces, row).job.target, losses[row, position]
    place = f"{target.label}, position {position} (token {target.tokens[position]})"
    if np.isnan(value):
        raise ModelError(f"{place}: the model returned NaN as a loss")
    if value < 0:
        raise ModelError(
            f"{place}: the model returned a loss of {value:g} nats, a positive log-probability; "
            "losses are -log p and at least 0"
        )
    raise ModelError(f"{place}: the model gives this token probability 0, so the likelihood is 0 and has no estimate")

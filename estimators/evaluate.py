"""Plan times model times target: batches, and the losses that a model returns for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.batches import Batches
from estimators.errors import InputError, ModelError, TokenError
from estimators.model import Model, forward_passes_per_row
from estimators.plan import Inputs, Plan, pass_terms
from estimators.target import Target
from estimators.transfers import calls_ahead, to_host
from estimators.waiting import Rows, Waiting

__all__ = ["Evaluation", "Job", "Progress", "evaluate"]

Progress = Callable[[int], object]
"""Called after every call, and after the use of every job, with the number of planned passes that are now done."""

BATCHES_HELD = 24  # jobs that wait for fuller calls, or for an earlier job, in batches of their rows
ROUNDING = 1e-6  # nats by which a rounded log-probability may exceed 0


@dataclass(frozen=True)
class Job:
    """A plan for a target.

    Attributes
    ----------
    target : Target
    plan : Plan
    counted : bool, default True
        Whether its passes count as progress.

    Examples
    --------
    >>> from estimators import estimator, make_targets
    >>> (target,) = make_targets([[0, 1, 1]])
    >>> Job(target, estimator("exhaustive").plan(target.length, 7, replicates=1, rng=np.random.default_rng())).plan
    MaskPlan(replicates=1, passes=7, length=3)
    """

    target: Target
    plan: Plan
    counted: bool = True


@dataclass(frozen=True)
class Evaluation:
    """The token losses of a job.

    Attributes
    ----------
    target : Target
    plan : Plan
    losses : array of float64, shape (replicates, passes, length)
        What each pass loses at each position: ``c(i, S)`` where masked, or the score entropy; 0 elsewhere. Nats.
    forward_passes : int
        Passes that the job needs on its own: distinct ones, the empty mask left out.
    problem : str, optional
        Where and how the model failed; the losses are then NaN. None where it did not.
    passes_per_input : int, default 1
        Forward passes that the model runs for an input.

    Examples
    --------
    >>> from estimators import estimator, make_targets
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> (target,) = make_targets([[0, 1, 1]])
    >>> plan = estimator("uniform-count").plan(target.length, 4, replicates=2, rng=np.random.default_rng(0))
    >>> (evaluation,) = evaluate(Fair(), [Job(target, plan)])
    >>> evaluation.losses.shape, evaluation.terms.round(4)
    ((2, 4, 3), array([[2.0794, 2.0794, 2.0794, 2.0794],
           [2.0794, 2.0794, 2.0794, 2.0794]]))
    """

    target: Target
    plan: Plan
    losses: NDArray[np.float64]
    forward_passes: int
    problem: str | None = None
    passes_per_input: int = 1

    def replicates_in(self, part: slice) -> Evaluation:
        """Return some of the replicates, with the passes that they alone would have run."""
        plan = self.plan.part(part)
        forward_passes = len(plan.inputs(self.target)) * self.passes_per_input
        return replace(self, plan=plan, losses=self.losses[part], forward_passes=forward_passes)

    @classmethod
    def concatenate(cls, evaluations: Sequence[Evaluation]) -> Evaluation:
        """Join the replicates of several evaluations of one target."""
        return cls(
            evaluations[0].target,
            type(evaluations[0].plan).concatenate([part.plan for part in evaluations]),
            np.concatenate([part.losses for part in evaluations]),
            sum(part.forward_passes for part in evaluations),
            next((part.problem for part in evaluations if part.problem), None),
            evaluations[0].passes_per_input,
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


class _Work(Rows):
    """A job in progress: its distinct inputs, and their losses as they arrive."""

    def __init__(self, job: Job, passes_per_input: int, batches: Batches) -> None:
        target, plan = job.target, job.plan
        if plan.length != target.length:
            raise InputError(f"{target.label} has {target.length} scored positions, its plan has {plan.length}")
        self.job = job
        self.inputs: Inputs = plan.inputs(target)
        super().__init__(self.inputs.question, len(target.tokens), len(self.inputs))
        needed = self.inputs.row_of_pass[self.inputs.row_of_pass >= 0]
        self.counts = np.bincount(needed, minlength=len(self.inputs)) * job.counted
        self.free = len(self.inputs.row_of_pass) - len(needed)
        self.losses = np.zeros((len(self.inputs), target.length))
        self.unsettled = len(self.inputs)
        self.batches = len(self.inputs) / batches.rows(self.length)
        self.passes_per_input = passes_per_input
        self.problem: str | None = None

    def settle(self, rows: slice, losses: NDArray[np.float64]) -> None:
        """Store the losses of some inputs, over all positions; note the first that is not a loss."""
        target = self.job.target
        self.losses[rows] = losses[:, target.scored]
        self.unsettled -= len(losses)
        wrong = np.argwhere(~(np.isfinite(losses) & (losses >= -ROUNDING)))
        if len(wrong) and self.problem is None:
            row, position = wrong[0].tolist()
            problem = self.question.problem(losses[row, position])
            self.problem = f"position {position} (token {target.tokens[position]}): {problem}"

    def result(self) -> Evaluation:
        rows = self.inputs.row_of_pass
        if self.problem is not None:
            losses = np.full((len(rows), self.job.target.length), np.nan)
        elif self.free:
            losses = np.zeros((len(rows), self.job.target.length))
            losses[rows >= 0] = self.losses[rows[rows >= 0]]
        else:
            losses = self.losses[rows]
        shaped = losses.reshape(self.job.plan.weights.shape)
        forward_passes = len(self.inputs) * self.passes_per_input
        return Evaluation(self.job.target, self.job.plan, shaped, forward_passes, self.problem, self.passes_per_input)


def _in_step(works: Iterable[_Work]) -> Iterator[tuple[_Work, ...]]:
    """Join two jobs in a row that have equal plans, as the sides of a coupled log-ratio do."""
    single: _Work | None = None
    for work in works:
        if single is not None and single.length == work.length and single.job.plan == work.job.plan:
            yield single, work
            single = None
            continue
        if single is not None:
            yield (single,)
        single = work
    if single is not None:
        yield (single,)


class _Call:
    """Rows that a model prices at once, or in halves where memory is too small; on CUDA they may be under way."""

    def __init__(self, model: Model, pieces: list[tuple[_Work, slice]], batches: Batches, device: torch.device) -> None:
        self.pieces = pieces
        self._counts = [rows.stop - rows.start for _, rows in pieces]
        self._losses: list[Callable[[], NDArray[np.float64]]] = []
        question = pieces[0][0].question
        each = [work.length for work, _ in pieces]
        longest = max(each)
        lengths = np.repeat(each, self._counts) if min(each) < longest else None
        inputs = [[_padded(column[rows], longest) for column in work.inputs.columns] for work, rows in pieces]
        columns = [np.concatenate(parts) for parts in zip(*inputs, strict=True)]

        def call(rows: slice) -> None:
            part = None if lengths is None else lengths[rows]
            try:
                losses = question.losses(model, [column[rows] for column in columns], part, device)
            except TokenError as error:
                label = self._owner(rows.start + error.row).job.target.label
                raise InputError(f"{label}, position {error.position}: {error.problem}") from error
            self._losses.append(to_host(losses))

        batches.run(call, sum(self._counts), longest)

    def read(self) -> None:
        """Wait for the losses and hand them to the jobs."""
        losses = np.concatenate([wait() for wait in self._losses])
        start = 0
        for (work, rows), count in zip(self.pieces, self._counts, strict=True):
            work.settle(rows, losses[start : start + count, : work.length])
            start += count

    def _owner(self, row: int) -> _Work:
        return self.pieces[int(np.searchsorted(np.cumsum(self._counts), row, side="right"))][0]


def _padded(column: NDArray[Any], longest: int) -> NDArray[Any]:
    """Fill the rows of a column up with zeros; a column of one number per row has nothing to fill up."""
    if column.ndim == 1 or column.shape[1] == longest:
        return column
    padded = np.zeros((len(column), longest), dtype=column.dtype)
    padded[:, : column.shape[1]] = column
    return padded


def evaluate(
    model: Model,
    jobs: Iterable[Job],
    *,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
    keep_failed: bool = False,
) -> Iterator[Evaluation]:
    """Run the passes of many jobs through a model, in order, a full batch at a time.

    Jobs are taken from the iterable as needed, so memory does not grow with their number: at most 24 batches of rows
    are held. Rows share a call with rows of the same question and total length; if the model takes padding, with rows
    of the nearest lengths as well, as long as the shortest has at least three quarters of the longest's tokens. Within
    a job each distinct input is run once. Two jobs in a row with equal plans, such as the sides of a coupled log-ratio,
    go in step: rows with the same mask share a call, in which a network may price them in one pass if they differ under
    the mask alone; `forward_passes` counts them for both. A call that does not fit into the memory of the device is run
    again with half of its rows, and so are those that follow.

    Parameters
    ----------
    model : Model
    jobs : iterable of Job
    batch_size : int, optional
        Largest number of rows in a call. None: 2,048 tokens a thread on a CPU, which suits networks; on a CUDA device
        as many as fit into its free memory. Exact laws are faster with some hundred rows. The numbers of exact laws do
        not depend on it; those of a network agree up to rounding in its own type.
    device : torch.device or str, default "cpu"
        Where the model wants its input.
    progress : callable, optional
        Called after every call with the number of planned passes that are now evaluated, repeats included. The
        last pass of each job counts only once its evaluation has been used, so that a bar moves while the jobs of a
        call are reduced.
    keep_failed : bool, default False
        Whether a job with a loss that is NaN, infinite or negative is yielded with its `problem`, so that the others
        finish, instead of ending the run.

    Yields
    ------
    Evaluation
        In the order of the jobs.

    Raises
    ------
    InputError
        If a plan does not fit its target, the model cannot be asked such a thing or does not know a token, or the
        device is not available.
    ModelError
        If the model returns another shape, or, unless failed jobs are kept, a NaN, infinite or negative loss; names the
        sequence and the position. If a single row does not fit into memory.

    Examples
    --------
    >>> from estimators import estimator, make_targets
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> (target,), rng = make_targets([[0, 1, 1]]), np.random.default_rng(0)
    >>> (evaluation,) = evaluate(Fair(), [Job(target, estimator("exhaustive").plan(3, 7, replicates=1, rng=rng))])
    >>> evaluation.forward_passes, evaluation.position_losses.round(4)
    (7, array([0.6931, 0.6931, 0.6931]))
    """
    device = available_device(device)
    batches, passes_per_input = Batches(batch_size, device), forward_passes_per_row(model)
    waiting = Waiting[_Work](batches, lambda question: question.takes_padding(model))
    queue: deque[_Work] = deque()
    launched: deque[_Call] = deque()
    report = progress or (lambda passes: None)
    held = 0.0

    def read(most_ahead: int) -> None:
        while len(launched) > most_ahead:
            call = launched.popleft()
            call.read()
            failed = next((work for work, _ in call.pieces if work.problem is not None), None)
            if failed is not None and not keep_failed:
                raise ModelError(f"{failed.job.target.label}, {failed.problem}")
            passes = sum(int(work.counts[rows].sum()) for work, rows in call.pieces)
            report(passes - len({work for work, _ in call.pieces if work.job.counted and not work.unsettled}))

    def run(work: _Work) -> None:
        launched.append(_Call(model, waiting.call(work), batches, device))
        read(calls_ahead(device))

    def run_first() -> None:
        first = next((work for work in queue if work.left), None)
        read(0) if first is None else run(first)

    def settled() -> Iterator[Evaluation]:
        nonlocal held
        while queue and not queue[0].unsettled:
            work = queue.popleft()
            held -= work.batches
            yield work.result()
            report(int(work.job.counted and work.count > 0))

    for group in _in_step(_Work(job, passes_per_input, batches) for job in jobs):
        queue.extend(group)
        for work in group:
            held += work.batches
            if work.free and work.job.counted:
                report(work.free)
        waiting.add(group)
        while waiting.fills_a_call(group[0]):
            run(group[0])
        yield from settled()
        while held > BATCHES_HELD:
            run_first()
            yield from settled()
    while queue:
        run_first()
        yield from settled()


def available_device(device: torch.device | str) -> torch.device:
    """Return a device as torch has it. Raises `InputError` if the machine or the build of torch lacks it."""
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # an assertion where torch was built without the device
        raise InputError(f"the device {str(device)!r} is not available here") from error

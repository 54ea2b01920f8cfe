"""The replay of a decoder on given tokens: the likelihood of what a deterministic decoder writes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.batches import Batches
from estimators.errors import InputError, TokenError
from estimators.evaluate import ROUNDING, Job, Progress, available_device, evaluate
from estimators.masked.decoding.choice import choose
from estimators.masked.decoding.decoder import Decoder, Schedule
from estimators.masked.decoding.distributions import Distributions, Reading
from estimators.masked.plan import MaskPlan
from estimators.masked.tokens import MaskedTokens
from estimators.model import DistributionModel, Model, forward_passes_per_row, prices_masks
from estimators.target import Target
from estimators.waiting import SHORTEST

__all__ = ["Replay", "replay"]


@dataclass(frozen=True, eq=False)
class Replay:
    """What a decoder does when it writes a target.

    Attributes
    ----------
    target : Target
    losses : array of float64, shape (length,)
        ``-log p`` of each scored token at the step that reveals it, in nats. NaN if the model has failed.
    steps : array of int64, shape (length,)
        The step that reveals each position, from 0; -1 for those that a model that failed did not reach.
    forward_passes : int
    closest_choice : float
        Smallest distance of a score from one that may change a choice; infinite if there was no choice. Nats, or a
        probability for ``margin``.
    problem : str, optional
        Where and how the model failed.
    """

    target: Target
    losses: NDArray[np.float64]
    steps: NDArray[np.int64]
    forward_passes: int
    closest_choice: float = np.inf
    problem: str | None = None

    @property
    def nll(self) -> float:
        """Negative log-likelihood of the decoder, in nats."""
        return float(self.losses.sum())


def replay(
    model: Model | DistributionModel,
    decoder: Decoder,
    targets: Sequence[Target],
    *,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> list[Replay]:
    """Replay a decoder on the true tokens of targets: the exact likelihood of what it writes, without noise.

    Sequences of one length go on together in shared calls, if the model takes padding also those of similar lengths; a
    sequence leaves when it is done. The blocks of a block-diffusion model are decoded side by side, because the model
    sees all tokens of the earlier ones. The numbers of an exact law do not depend on the other sequences or the batch
    size; those of a network agree up to rounding, which `Decoder` keeps from choosing between equal scores.

    Parameters
    ----------
    model : ConditionalModel or DistributionModel
        A `DistributionModel`, or for a fixed order a `ConditionalModel`.
    decoder : Decoder
    targets : sequence of Target
    batch_size, device, progress
        As in `evaluate`.

    Returns
    -------
    list of Replay
        One for each target, in their order; a model that fails on some has a `Replay.problem` there.

    Raises
    ------
    InputError
        If the model lacks the method that the decoder needs, does not see some of the context or does not know a token,
        or the decoder does not fit the model or a target.
    ModelError
        If the model returns another shape.

    Examples
    --------
    >>> from estimators import make_targets
    >>> class Even:
    ...     def token_log_probs(self, tokens, masked):
    ...         return torch.full((int(masked.sum()), 2), 0.5, dtype=torch.float64).log()
    >>> (done,) = replay(Even(), Decoder(tokens_per_step=2), make_targets([[0, 1, 1]]))
    >>> done.losses.round(4), done.steps
    (array([0.6931, 0.6931, 0.6931]), array([0, 0, 1]))
    """
    decoder = decoder.settled(model)
    schedules = [decoder.schedule(target, model) for target in targets]
    if decoder.looks:
        pool = _Pool(model, decoder, Batches(batch_size, available_device(device)), available_device(device), progress)
        return pool.run([_Sequence(*both) for both in zip(targets, schedules, strict=True)])
    if not prices_masks(model):
        raise InputError(f"{decoder.name} needs token_nll(tokens, masked), which {type(model).__name__} does not have")
    steps = [
        schedule.steps(decoder.ranks(target), decoder.tokens_per_step)
        for target, schedule in zip(targets, schedules, strict=True)
    ]
    jobs = (Job(target, _plan(of)) for target, of in zip(targets, steps, strict=True))
    evaluations = evaluate(model, jobs, batch_size=batch_size, device=device, progress=progress, keep_failed=True)
    return [
        Replay(
            done.target,
            (done.plan.weights * done.losses).sum(axis=(0, 1)),
            of,
            done.forward_passes,
            problem=done.problem,
        )
        for done, of in zip(evaluations, steps, strict=True)
    ]


def _plan(steps: NDArray[np.int64]) -> MaskPlan:
    """Return the passes that reveal positions at given steps: each masks what is not yet revealed."""
    number = np.arange(steps.max() + 1)[:, None]
    return MaskPlan((steps >= number)[None], (steps == number)[None].astype(np.float64))


class _Sequence:
    """A target that is being decoded; arrays are over all of its positions."""

    def __init__(self, target: Target, schedule: Schedule) -> None:
        self.target = target
        total = len(target.tokens)
        self.lanes, self.stages = (np.full(total, -1, dtype=np.int64) for _ in range(2))
        # Blocks of a model are numbered from its first position on, which may be far before the first scored one.
        self.lanes[target.scored] = schedule.lanes - schedule.lanes[0]
        self.stages[target.scored] = schedule.stages
        self.steps, self.losses = np.full(total, -1, dtype=np.int64), np.full(total, np.nan)
        self.masked = np.zeros(total, dtype=bool)
        self.masked[target.scored] = True
        self.step, self.closest, self.problem = 0, np.inf, ""

    @property
    def total(self) -> int:
        return len(self.masked)

    @property
    def candidates(self) -> NDArray[np.bool_]:
        """The masked positions of the first stage of each lane that has some."""
        stage = np.full(self.lanes.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(stage, self.lanes[self.masked], self.stages[self.masked])
        first: NDArray[np.bool_] = self.stages == stage[self.lanes]
        return self.masked & first

    def reveal(
        self, positions: NDArray[np.int64], chosen: NDArray[np.bool_], reading: Reading, distance: NDArray[np.float64]
    ) -> None:
        """Reveal the chosen ones of the candidates at some positions, or note how the model has failed."""
        self.closest = min(self.closest, float(distance.min()))
        loss = -reading.log_probs
        broken = ~np.isneginf(reading.totals) & (reading.totals != 0.0)
        for place in np.flatnonzero(broken | (chosen & ~(np.isfinite(loss) & (loss >= -ROUNDING))))[:1]:
            where = f"position {positions[place]} (token {self.target.tokens[positions[place]]})"
            if broken[place] and not np.isnan(reading.totals[place]):
                total = np.exp(reading.totals[place])
                what = f"the model's probabilities sum to {total:.4g}, not to 1: token_log_probs must be normalised"
            else:
                what = MaskedTokens().problem(np.nan if broken[place] else float(loss[place]))
            self.problem = f"{where}: {what}"
        revealed = positions[chosen]
        self.masked[revealed], self.steps[revealed], self.losses[revealed] = False, self.step, loss[chosen]
        self.step += 1

    @property
    def done(self) -> bool:
        return bool(self.problem) or not self.masked.any()

    def result(self, passes_per_row: int) -> Replay:
        losses, steps = self.losses[self.target.scored], self.steps[self.target.scored]
        if self.problem:
            losses = np.full(len(losses), np.nan)
        return Replay(self.target, losses, steps, self.step * passes_per_row, self.closest, self.problem or None)


class _Pool:
    """Sequences that are decoded together: as many as fit into a call, and others when some are done."""

    def __init__(
        self, model: object, decoder: Decoder, batches: Batches, device: torch.device, progress: Progress | None
    ) -> None:
        self._distributions = Distributions(model, str(decoder.rule), device)
        self._passes_per_row = forward_passes_per_row(model)
        self._count, self._batches = decoder.tokens_per_step, batches
        self._progress = progress or (lambda passes: None)

    def run(self, sequences: list[_Sequence]) -> list[Replay]:
        waiting = deque(sorted(sequences, key=lambda sequence: -sequence.total))
        active: list[_Sequence] = []
        while waiting or active:
            while waiting and self._joins(waiting[0], active):
                active.append(waiting.popleft())
            self._step(active)
            active = [sequence for sequence in active if not sequence.done]
        return [sequence.result(self._passes_per_row) for sequence in sequences]

    def _joins(self, sequence: _Sequence, active: list[_Sequence]) -> bool:
        if not active:
            return True
        longest = max(other.total for other in active)
        if len(active) >= self._batches.rows(longest):
            return False
        if sequence.total == longest == min(other.total for other in active):
            return True
        return self._distributions.takes_padding and sequence.total >= SHORTEST * longest

    def _step(self, active: list[_Sequence]) -> None:
        start = 0
        while start < len(active):
            most = self._distributions.most_rows(max(int(sequence.masked.sum()) for sequence in active))
            part = active[start : start + most]
            self._batches.run(partial(self._call, part), len(part), max(sequence.total for sequence in part))
            start += len(part)

    def _call(self, part: list[_Sequence], of: slice) -> None:
        rows = part[of]
        shape = len(rows), max(sequence.total for sequence in rows)
        tokens, lanes = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        masked, asked = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        for row, sequence in enumerate(rows):
            filled = row, slice(sequence.total)
            tokens[filled], lanes[filled] = sequence.target.tokens, sequence.lanes
            masked[filled], asked[filled] = sequence.masked, sequence.candidates
        lengths = np.array([sequence.total for sequence in rows])
        try:
            reading = self._distributions.read(tokens, masked, asked, None if len(set(lengths)) == 1 else lengths)
        except TokenError as error:
            label = rows[error.row].target.label
            raise InputError(f"{label}, position {error.position}: {error.problem}") from error
        row_of, positions = asked.nonzero()
        chosen, distance = choose(reading.scores, row_of * (lanes.max() + 1) + lanes[asked], self._count)
        for row, sequence in enumerate(rows):
            here = slice(*np.searchsorted(row_of, [row, row + 1]))
            sequence.reveal(positions[here], chosen[here], reading.part(here), distance[here])
        self._progress(len(rows))

"""Training of a denoiser: cross-entropy of masked or of redrawn tokens."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from estimators import InputError
from infodis_stats.io.files import StoreError, atomic_path
from infodis_stats.laws import Law
from infodis_stats.models.denoisers.masked import Denoiser
from infodis_stats.models.denoisers.uniform import SMALLEST_FRACTION, UniformDenoiser

__all__ = [
    "Batch",
    "TrainingPlan",
    "Windows",
    "law_windows",
    "masked_loss",
    "sequence_windows",
    "text_windows",
    "train",
    "uniform_loss",
]

Trained = TypeVar("Trained", bound=Denoiser | UniformDenoiser)

STEPS_BETWEEN_CHECKPOINTS = 100


@dataclass(frozen=True)
class Batch:
    """Training sequences.

    Attributes
    ----------
    tokens : Tensor of int64, shape (rows, longest)
    lengths : Tensor of int64, shape (rows,), optional
        Number of tokens of each row, if they may differ; what follows them is padding.
    """

    tokens: Tensor
    lengths: Tensor | None = None

    @property
    def ends(self) -> Tensor:
        """The number of tokens of each row, (rows,)."""
        rows, longest = self.tokens.shape
        return torch.full((rows,), longest) if self.lengths is None else self.lengths

    @property
    def padding(self) -> Tensor | None:
        """The lengths on the device of the tokens."""
        return None if self.lengths is None else self.lengths.to(self.tokens.device)

    def on(self, device: torch.device) -> "Batch":
        """Return the batch with its tokens on a device."""
        return replace(self, tokens=self.tokens.to(device))


Windows = Callable[[int, torch.Generator], Batch]
"""Maps a batch size and a generator to training sequences."""


@dataclass(frozen=True)
class TrainingPlan:
    """The hyperparameters of training.

    Parameters
    ----------
    steps : int
        Optimiser steps, with a cosine schedule of the learning rate down to 0.
    batch : int
        Sequences per step.
    rate : float
        Peak learning rate of AdamW.
    warmup : int
        Steps of linear warm-up.
    seed : int
        Seed of the sequences and the masks.
    """

    steps: int = 4500
    batch: int = 32
    rate: float = 2e-3
    warmup: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.warmup) < 1 or not 0 < self.rate < math.inf or self.seed < 0:
            given = ", ".join(f"{name} {value}" for name, value in asdict(self).items())
            raise InputError(
                "training needs steps, batch and warmup of at least 1, a positive rate and a seed of at least 0, got "
                f"{given}"
            )


def text_windows(tokens: Tensor, length: int) -> Windows:
    """Return a source of uniformly random windows of a text, int64 tokens of shape (tokens,)."""
    if len(tokens) < length:
        raise InputError(f"a text of {len(tokens)} tokens is shorter than the length of the model, {length}")

    def draw(batch: int, generator: torch.Generator) -> Batch:
        starts = torch.randint(len(tokens) - length + 1, (batch,), generator=generator)
        return Batch(tokens[starts[:, None] + torch.arange(length)])

    return draw


def sequence_windows(sequences: Sequence[Tensor], length: int) -> Windows:
    """Return a source of uniformly random sequences, each whole and padded to the longest of its batch."""
    if not sequences:
        raise InputError("the corpus has no sequences")
    for number, sequence in enumerate(sequences, start=1):
        if not 0 < len(sequence) <= length:
            raise InputError(
                f"sequence {number} of the corpus has {len(sequence)} tokens; the model takes 1 to {length}"
            )

    def draw(batch: int, generator: torch.Generator) -> Batch:
        chosen = [sequences[index] for index in torch.randint(len(sequences), (batch,), generator=generator)]
        lengths = torch.tensor([len(sequence) for sequence in chosen])
        return Batch(nn.utils.rnn.pad_sequence(chosen, batch_first=True), lengths)

    return draw


def law_windows(law: Law, length: int) -> Windows:
    """Return a source of independent samples of an exact law."""

    def draw(batch: int, generator: torch.Generator) -> Batch:
        seed = int(torch.randint(2**62, (), generator=generator))
        return Batch(torch.from_numpy(law.sample(batch, length=length, seed=seed)))

    return draw


def masked_loss(model: Denoiser, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return an unbiased estimate of the mean negative log-likelihood bound, in nats per token.

    Each block, of a model without blocks each row, gets a uniformly random mask, with sizes from 1 to its length
    stratified over the batch. A block of ``n`` tokens of which ``m`` are masked contributes ``n / m`` times their
    losses, whose expectation is its ``NLL``: the uniform-count estimator.
    """
    tokens = batch.tokens
    rows, length = tokens.shape
    size = model.block_size or length
    count = -(-length // size)
    ends = batch.ends
    lengths = (ends[:, None] - size * torch.arange(count)).clamp(0, size)
    order = torch.arange(rows) if count == 1 else torch.randperm(rows * count, generator=generator)
    fractions = (order + torch.rand(rows * count, generator=generator)) / (rows * count)
    sizes = (fractions.reshape(rows, count) * lengths).long().minimum(lengths - 1) + 1
    keys = torch.rand(rows, length, generator=generator).masked_fill(torch.arange(length) >= ends[:, None], 2.0)
    keys = nn.functional.pad(keys, (0, count * size - length), value=2.0).reshape(rows, count, size)
    masked = keys.argsort(dim=-1).argsort(dim=-1) < sizes[..., None]
    weights = (lengths / sizes.clamp(min=1) / ends.sum())[..., None].expand(masked.shape)
    masked, weights = (part.reshape(rows, count * size)[:, :length].to(tokens.device) for part in (masked, weights))
    return (model.losses(tokens, masked, batch.padding) * weights[masked]).sum()


def uniform_loss(model: UniformDenoiser, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return a loss whose minimum is the leave-one-out posterior: cross-entropy, in nats per token.

    The redrawn fractions are stratified over the batch; each cross-entropy is divided by its fraction, which weights
    errors at different noise roughly as the likelihood bound does. In half of the rows a first part is clean context.
    """
    tokens = batch.tokens
    rows, length = tokens.shape
    ends = batch.ends
    fractions = (torch.randperm(rows, generator=generator) + torch.rand(rows, generator=generator)) / rows
    fractions = fractions.double().clamp(SMALLEST_FRACTION, 1.0 - SMALLEST_FRACTION)
    context = (torch.rand(rows, generator=generator) * ends).long() * (torch.rand(rows, generator=generator) < 0.5)
    acts = (torch.arange(length) >= context[:, None]) & (torch.arange(length) < ends[:, None])
    redrawn = (torch.rand(rows, length, generator=generator) < fractions[:, None]) & acts
    random = torch.randint(model.vocabulary, (rows, length), generator=generator)
    redrawn, random, acts, amounts = (
        part.to(tokens.device) for part in (redrawn, random, acts, -torch.log1p(-fractions))
    )
    weights = (1.0 / (fractions * (ends - context) * rows)).to(tokens.device)[:, None].expand(acts.shape)
    losses = model.losses(tokens, torch.where(redrawn, random, tokens), acts, amounts, batch.padding)
    return (losses * weights[acts]).sum()


def training_loss(model: Denoiser | UniformDenoiser, batch: Batch, generator: torch.Generator) -> Tensor:
    """Return the loss that trains a denoiser: `masked_loss` or `uniform_loss`."""
    if isinstance(model, UniformDenoiser):
        return uniform_loss(model, batch, generator)
    return masked_loss(model, batch, generator)


def train(
    model: Trained,
    windows: Windows,
    plan: TrainingPlan,
    *,
    checkpoint: Path | None = None,
    corpus: str = "",
    progress: Callable[[int, float], object] | None = None,
) -> Trained:
    """Train a denoiser.

    Parameters
    ----------
    model : Denoiser or UniformDenoiser
        Trained in place.
    windows : callable
        Source of training sequences, such as `text_windows` or `law_windows`.
    plan : TrainingPlan
    checkpoint : Path, optional
        File to which the state is written every 100 steps. If it exists, training resumes from it and ends with the
        weights of an uninterrupted run. It is deleted at the end.
    corpus : str, default ""
        Digest of the data, so that a checkpoint of other data is refused.
    progress : callable, optional
        Called after each step with the number of completed steps and the loss in nats per token.

    Returns
    -------
    Denoiser or UniformDenoiser
        The same model, in evaluation mode.

    Raises
    ------
    StoreError
        If the checkpoint is damaged, or belongs to another model, plan or corpus.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / plan.warmup) * 0.5 * (1 + math.cos(math.pi * step / plan.steps)),
    )
    device = next(model.parameters()).device
    made_for = json.dumps([model.config.as_dict(), asdict(plan), corpus])
    done = 0
    if checkpoint is not None and checkpoint.exists():
        state = _read_checkpoint(checkpoint, made_for)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"])
        done = state["done"]
    model.train()
    while done < plan.steps:
        loss = training_loss(model, windows(plan.batch, generator).on(device), generator)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        done += 1
        if progress is not None:
            progress(done, loss.item())
        if checkpoint is not None and done % STEPS_BETWEEN_CHECKPOINTS == 0:
            state = {
                "made_for": made_for,
                "done": done,
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "generator": generator.get_state(),
            }
            with atomic_path(checkpoint) as temporary:
                torch.save(state, temporary)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    model.eval()
    return model


def _read_checkpoint(path: Path, made_for: str) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        settings = state["made_for"]
    except Exception as error:  # torch raises many types for a damaged file
        raise StoreError(f"the checkpoint {path} is damaged; delete it to start from scratch") from error
    if settings != made_for:
        raise StoreError(
            f"the checkpoint {path} belongs to another model, plan or corpus; delete it to start from scratch"
        )
    return state

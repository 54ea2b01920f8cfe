"""Training of a denoiser: masked cross-entropy, an unbiased estimate of the negative log-likelihood bound."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from estimators import InputError
from infodis_stats.io.files import StoreError, atomic_path
from infodis_stats.laws import Law
from infodis_stats.models.denoiser import Denoiser

__all__ = ["TrainingPlan", "Windows", "law_windows", "masked_loss", "text_windows", "train"]

Windows = Callable[[int, torch.Generator], Tensor]
"""Maps a batch size and a generator to training sequences, int64 of shape (batch, length)."""

STEPS_BETWEEN_CHECKPOINTS = 100


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
            raise InputError(
                "training needs steps, batch and warmup of at least 1, a positive rate and a seed of at least 0, got "
                f"{self}"
            )


def text_windows(tokens: Tensor, length: int) -> Windows:
    """Return a source of uniformly random windows of a text, int64 tokens of shape (characters,)."""
    if len(tokens) < length:
        raise InputError(f"a text of {len(tokens)} characters is shorter than the length of the model, {length}")

    def draw(batch: int, generator: torch.Generator) -> Tensor:
        starts = torch.randint(len(tokens) - length + 1, (batch,), generator=generator)
        return tokens[starts[:, None] + torch.arange(length)]

    return draw


def law_windows(law: Law, length: int) -> Windows:
    """Return a source of independent samples of an exact law."""

    def draw(batch: int, generator: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=generator))
        return torch.from_numpy(law.sample(batch, length=length, seed=seed))

    return draw


def masked_loss(model: Denoiser, tokens: Tensor, generator: torch.Generator) -> Tensor:
    """Return an unbiased estimate of the mean negative log-likelihood bound, in nats per character.

    Each block, of a model without blocks each row, gets a uniformly random mask, with sizes from 1 to its length
    stratified over the batch. A block of ``n`` characters of which ``m`` are masked contributes ``n / m`` times their
    losses, whose expectation is its ``NLL``: the uniform-count estimator.
    """
    batch, length = tokens.shape
    size = model.block_size or length
    count = -(-length // size)
    lengths = torch.full((count,), size)
    lengths[-1] = length - (count - 1) * size
    order = torch.arange(batch) if count == 1 else torch.randperm(batch * count, generator=generator)
    fractions = (order + torch.rand(batch * count, generator=generator)) / (batch * count)
    sizes = (fractions.reshape(batch, count) * lengths).long().minimum(lengths - 1) + 1
    keys = torch.rand(batch, length, generator=generator)
    keys = torch.nn.functional.pad(keys, (0, count * size - length), value=2.0).reshape(batch, count, size)
    masked = keys.argsort(dim=-1).argsort(dim=-1) < sizes[..., None]
    weights = (lengths / sizes / (length * batch))[..., None].expand(masked.shape)
    masked, weights = (part.reshape(batch, count * size)[:, :length].to(tokens.device) for part in (masked, weights))
    return (model.losses(tokens, masked) * weights[masked]).sum()


def train(
    model: Denoiser,
    windows: Windows,
    plan: TrainingPlan,
    *,
    checkpoint: Path | None = None,
    progress: Callable[[int, float], object] | None = None,
) -> Denoiser:
    """Train a denoiser.

    Parameters
    ----------
    model : Denoiser
        Trained in place.
    windows : callable
        Source of training sequences, such as `text_windows` or `law_windows`.
    plan : TrainingPlan
    checkpoint : Path, optional
        File to which the state is written every 100 steps. If it exists, training resumes from it and ends with the
        weights of an uninterrupted run. It is deleted at the end.
    progress : callable, optional
        Called after each step with the number of completed steps and the loss in nats per character.

    Returns
    -------
    Denoiser
        The same model, in evaluation mode.

    Raises
    ------
    StoreError
        If the checkpoint is damaged, or belongs to another model or plan.
    """
    generator = torch.Generator().manual_seed(plan.seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(1.0, (step + 1) / plan.warmup) * 0.5 * (1 + math.cos(math.pi * step / plan.steps)),
    )
    device = next(model.parameters()).device
    made_for = json.dumps([model.config.as_dict(), asdict(plan)])
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
        loss = masked_loss(model, windows(plan.batch, generator).to(device), generator)
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
    return model.eval()


def _read_checkpoint(path: Path, made_for: str) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
        settings = state["made_for"]
    except Exception as error:  # torch raises many types for a damaged file
        raise StoreError(f"the checkpoint {path} is damaged; delete it to start from scratch") from error
    if settings != made_for:
        raise StoreError(f"the checkpoint {path} belongs to another model or plan; delete it to start from scratch")
    return state

"""How the loss of a target lies over its positions and sizes: what cautions go by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from estimators import Draw, Evaluation, Job, MaskPlan, Model, evaluate
from estimators.model import prices_masks
from infodis_stats.estimates.request import rows_a_call
from infodis_stats.results.validity import effective_positions

__all__ = ["Profile", "loss_profiles"]

NO_LOSS = 1e-9  # nats: what is sure has no profile


@dataclass(frozen=True)
class Profile:
    """The profile of a target, or of the worse side of a pair.

    Attributes
    ----------
    effective_positions : float
        Number of positions that carry the loss.
    full_mask_ratio : float
        Loss of the fully masked pass over the negative log-likelihood; infinite where no other pass has found any loss,
        NaN for a model that prices no masks.
    forward_passes : int
        Passes that had to be run for it: none where the plan has the full mask.
    problem : str, optional
        Where and how the model failed on the full mask; None where it did not.
    """

    effective_positions: float
    full_mask_ratio: float
    forward_passes: int
    problem: str | None = None


def loss_profiles(
    models: Sequence[Model], draws: Sequence[Draw], *, batch_size: int | None, device: torch.device | str
) -> list[Profile]:
    """Return the profile of each draw, from its own losses and, where need be, one more pass a target.

    Parameters
    ----------
    models : sequence of Model
        One for each side of a draw.
    draws : sequence of Draw
    batch_size, device
        See `estimators.evaluate`.
    """
    sides = [
        _side_profiles(model, [one.evaluations[side] for one in draws], batch_size=batch_size, device=device)
        for side, model in enumerate(models)
    ]
    return [
        Profile(
            min(side.effective_positions for side in own),
            max(side.full_mask_ratio for side in own),
            sum(side.forward_passes for side in own),
            next((side.problem for side in own if side.problem), None),
        )
        for own in zip(*sides, strict=True)
    ]


def _side_profiles(
    model: Model, sides: Sequence[Evaluation], *, batch_size: int | None, device: torch.device | str
) -> list[Profile]:
    if not prices_masks(model):
        return [Profile(float(effective_positions(side.position_losses)), float("nan"), 0) for side in sides]
    losses = [_full_mask_loss(side) for side in sides]
    unseen = (side.target for side, loss in zip(sides, losses, strict=True) if loss is None)
    jobs = (Job(target, _full_mask(target.length)) for target in unseen)
    runs = evaluate(model, jobs, batch_size=rows_a_call(model, batch_size), device=device, keep_failed=True)
    found = []
    for side, seen in zip(sides, losses, strict=True):
        positions = float(effective_positions(side.position_losses))
        if seen is None:
            run = next(runs)
            found.append(Profile(positions, _ratio(float(run.losses.sum()), side), 1, run.problem))
        else:
            found.append(Profile(positions, _ratio(seen, side), 0))
    return found


def _full_mask(length: int) -> MaskPlan:
    everything = np.ones((1, 1, length))
    return MaskPlan(everything.astype(bool), everything)


def _full_mask_loss(side: Evaluation) -> float | None:
    """Return the total loss where all positions are masked, if the plan has such a pass."""
    if not isinstance(side.plan, MaskPlan):
        return None
    full = np.argwhere(side.plan.masks.all(axis=-1))
    return float(side.losses[tuple(full[0])].sum()) if len(full) else None


def _ratio(full_mask_loss: float, side: Evaluation) -> float:
    nll = float((side.plan.weights * side.losses).sum()) / side.plan.replicates
    if nll > NO_LOSS:
        return full_mask_loss / nll
    return 1.0 if full_mask_loss <= NO_LOSS else float("inf")

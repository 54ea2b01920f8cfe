"""How the loss of a target lies over its positions and sizes: what cautions go by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from estimators import ConditionalModel, Draw, Evaluation, Job, MaskPlan, evaluate
from infodis_stats.cautions import effective_positions

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
        Loss of the fully masked pass over the negative log-likelihood.
    forward_passes : int
        Passes that had to be run for it: none where the plan has the full mask.
    """

    effective_positions: float
    full_mask_ratio: float
    forward_passes: int


def loss_profiles(
    model: ConditionalModel, draws: Sequence[Draw], *, batch_size: int | None, device: torch.device | str
) -> list[Profile]:
    """Return the profile of each draw, from its own losses and, where need be, one more pass a target."""
    sides = [side for one in draws for side in one.evaluations]
    losses = [_full_mask_loss(side) for side in sides]
    unseen = [place for place, loss in enumerate(losses) if loss is None]
    jobs = (Job(sides[place].target, _full_mask(sides[place].target.length)) for place in unseen)
    runs = evaluate(model, jobs, batch_size=batch_size, device=device)
    found = dict(enumerate(losses)) | {place: float(run.losses.sum()) for place, run in zip(unseen, runs, strict=True)}
    ratios = [_ratio(found[place], side) for place, side in enumerate(sides)]
    profiles, start = [], 0
    for one in draws:
        own = range(start, start + len(one.evaluations))
        start = own.stop
        profiles.append(
            Profile(
                min(float(effective_positions(side.position_losses)) for side in one.evaluations),
                max(ratios[place] for place in own),
                sum(losses[place] is None for place in own),
            )
        )
    return profiles


def _full_mask(length: int) -> MaskPlan:
    everything = np.ones((1, 1, length))
    return MaskPlan(everything.astype(bool), everything)


def _full_mask_loss(side: Evaluation) -> float | None:
    """Return the total loss where all positions are masked, if the plan has such a pass."""
    full = np.argwhere(side.plan.masks.all(axis=-1))
    return float(side.losses[tuple(full[0])].sum()) if len(full) else None


def _ratio(full_mask_loss: float | None, side: Evaluation) -> float:
    assert full_mask_loss is not None
    nll = float((side.plan.weights * side.losses).sum()) / side.plan.replicates
    return full_mask_loss / nll if nll > NO_LOSS else 1.0

"""Loss profiles: how the loss of a target is spread over positions and mask sizes. Cautions depend on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from estimators import Draw, Evaluation, Job, MaskPlan, Model
from estimators.model import prices_masks
from infodis_stats.estimates.settings import Execution
from infodis_stats.results.validity import effective_positions

__all__ = ["LossProfile", "loss_profiles", "own_profile"]

NO_LOSS = 1e-9  # nats: a sequence of probability 1 has no profile


@dataclass(frozen=True)
class LossProfile:
    """The profile of a target, or of the worse side of a pair.

    Attributes
    ----------
    effective_positions : float
        Number of positions that carry the loss.
    full_mask_ratio : float
        Loss of the fully masked pass over the negative log-likelihood; infinite where no other pass has any loss, NaN
        for a model that prices no masks.
    forward_passes : int
        Passes run for the profile: none where the plan has the full mask.
    problem : str, optional
        Where and how the model failed on the full mask; None where it did not.
    """

    effective_positions: float
    full_mask_ratio: float
    forward_passes: int
    problem: str | None = None


def loss_profiles(models: Sequence[Model], draws: Sequence[Draw], execution: Execution) -> list[LossProfile]:
    """Return the profile of each draw, from its own losses and, where they lack the full mask, one more pass.

    Parameters
    ----------
    models : sequence of Model
        One for each side of a draw.
    draws : sequence of Draw
    execution : Execution
    """
    sides = [
        _side_profiles(model, [draw.evaluations[side] for draw in draws], execution)
        for side, model in enumerate(models)
    ]
    return [
        LossProfile(
            min(side.effective_positions for side in item_sides),
            max(side.full_mask_ratio for side in item_sides),
            sum(side.forward_passes for side in item_sides),
            next((side.problem for side in item_sides if side.problem), None),
        )
        for item_sides in zip(*sides, strict=True)
    ]


def own_profile(draw: Draw) -> LossProfile:
    """Return the profile of a draw from its own losses; the ratio is NaN where they lack the full mask."""
    losses = [(side, _full_mask_loss(side)) for side in draw.evaluations]
    return LossProfile(
        min(float(effective_positions(side.position_losses)) for side in draw.evaluations),
        max(float("nan") if loss is None else _ratio(loss, side) for side, loss in losses),
        forward_passes=0,
    )


def _side_profiles(model: Model, sides: Sequence[Evaluation], execution: Execution) -> list[LossProfile]:
    if not prices_masks(model):
        return [LossProfile(float(effective_positions(side.position_losses)), float("nan"), 0) for side in sides]
    losses = [_full_mask_loss(side) for side in sides]
    unseen = (side.target for side, loss in zip(sides, losses, strict=True) if loss is None)
    jobs = (Job(target, _full_mask(target.length)) for target in unseen)
    runs = execution.evaluate(model, jobs, silent=True)
    profiles = []
    for side, seen in zip(sides, losses, strict=True):
        positions = float(effective_positions(side.position_losses))
        if seen is None:
            run = next(runs)
            profiles.append(
                LossProfile(positions, _ratio(float(run.losses.sum()), side), run.forward_passes, run.problem)
            )
        else:
            profiles.append(LossProfile(positions, _ratio(seen, side), 0))
    return profiles


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

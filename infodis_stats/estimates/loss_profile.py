"""Loss profiles: how the loss of a target is spread over positions and mask sizes. Cautions depend on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators import Cell, Draw, Evaluation, Job, MaskPlan, Model
from estimators.model import prices_masks
from estimators.plan import Plan
from estimators.sampling import Beside
from infodis_stats.results.validity import effective_positions

__all__ = ["NO_PROFILE", "LossProfile", "full_masks", "loss_profile"]

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
        where that pass was not run.
    sees_full_mask : bool
        Whether every replicate of either side has the full mask, so that none misses the nearly full masks unseen.
    largest_loss : float
        Loss of the most expensive position, in nats.
    totals : tuple of float
        Mean weighted sum of the losses of each side, in nats.
    problem : str, optional
        Where and how the model failed on the full mask; None where it did not.
    """

    effective_positions: float
    full_mask_ratio: float
    sees_full_mask: bool
    largest_loss: float
    totals: tuple[float, ...]
    problem: str | None = None


NO_PROFILE = LossProfile(float("nan"), float("nan"), False, float("nan"), ())
"""The profile where the model failed."""


def full_masks(models: Sequence[Model]) -> Beside:
    """Return what is evaluated beside a cell for its profile: the full mask of each side whose own plan lacks it.

    Parameters
    ----------
    models : sequence of Model
        One for each side.
    """

    def beside(cell: Cell, jobs: Sequence[Job]) -> list[Job]:
        if cell.first:  # the first round of a stream had it
            return []
        full = [_full_mask_job(model, job) for model, job in zip(models, jobs, strict=True)]
        return [job for job in full if job is not None]

    return beside


def _full_mask_job(model: Model, job: Job) -> Job | None:
    """Return the fully masked pass of a target; None if its job has that pass, or the model prices no masks."""
    if not prices_masks(model) or _full_masks(job.plan).any(axis=(0, 1)).all():
        return None
    everything = np.ones((1, 1, job.target.length))
    return Job(job.target, MaskPlan(everything.astype(bool), everything), counted=False)


def loss_profile(draw: Draw) -> LossProfile:
    """Return the profile of a draw, from its own losses and, where they lack the full mask, those beside them."""
    sides = [_side_profile(side, draw) for side in draw.evaluations]
    return LossProfile(
        min(side.effective_positions for side in sides),
        max(side.full_mask_ratio for side in sides),
        all(side.sees_full_mask for side in sides),
        max(side.largest_loss for side in sides),
        tuple(total for side in sides for total in side.totals),
        next((side.problem for side in sides if side.problem), None),
    )


def _side_profile(side: Evaluation, draw: Draw) -> LossProfile:
    weighted, replicates = side.plan.weights * side.losses, side.plan.replicates
    full = _full_masks(side.plan)
    run = next((run for run in draw.beside if run.target is side.target), None)
    loss = _full_mask_loss(side, full)
    if loss is None and run is not None:
        loss = float(run.losses.sum())
    return LossProfile(
        float(effective_positions(side.position_losses)),
        float("nan") if loss is None else _ratio(loss, float(weighted.sum()) / replicates),
        bool(full.any(axis=1).all()),
        float(weighted.sum(axis=(0, 1)).max()) / replicates,
        (float(weighted.sum(axis=(1, 2)).mean()),),
        None if run is None else run.problem,
    )


def _full_masks(plan: Plan) -> NDArray[np.bool_]:
    """Return whether a pass masks all of a block: (replicates, passes, blocks); of all positions, unless in blocks."""
    if not isinstance(plan, MaskPlan):
        return np.zeros((plan.replicates, plan.passes, 1), dtype=bool)
    full: NDArray[np.bool_] = plan.block_sizes == plan.block_lengths
    return full


def _full_mask_loss(side: Evaluation, full: NDArray[np.bool_]) -> float | None:
    """Return the loss with everything masked, each block in the first pass that masks all of it; None if one lacks."""
    if not full.any(axis=(0, 1)).all():
        return None
    assert isinstance(side.plan, MaskPlan)
    blocks = full.shape[-1]
    losses = side.plan.by_block(side.losses).reshape(-1, blocks)
    first = full.reshape(-1, blocks).argmax(axis=0)
    return float(losses[first, np.arange(blocks)].sum())


def _ratio(full_mask_loss: float, nll: float) -> float:
    if nll > NO_LOSS:
        return full_mask_loss / nll
    return 1.0 if full_mask_loss <= NO_LOSS else float("inf")

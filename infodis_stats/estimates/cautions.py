"""The cautions of draws: from their sampler, their losses and the remainder of their noise."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from estimators import Absorbing, Contrast, Draw, Estimator, Evaluation, MaskPlan, Model
from estimators.estimator import estimator_of
from estimators.model import is_consistent
from infodis_stats.estimates.loss_profile import LossProfile
from infodis_stats.estimates.remainder import Remainder
from infodis_stats.results.error_bars import ErrorBar
from infodis_stats.results.validity import CAUTIONS, LARGEST_REMAINDER, Caution, cautions_of

__all__ = ["cautions_of_draws"]

LARGEST_LOSS = 8.0  # nats at one position: score-entropy intervals cover 92 % at 9 nats and 84 % at 12


def cautions_of_draws(
    draws: Sequence[Draw],
    profiles: Sequence[LossProfile],
    bars: Sequence[ErrorBar],
    missing: Sequence[Remainder] | None = None,
    *,
    models: Sequence[Model],
) -> list[list[Caution]]:
    """Return the cautions that hold for each draw.

    Parameters
    ----------
    draws, profiles, bars : sequences of Draw, LossProfile and ErrorBar
    missing : sequence of Remainder, optional
        What each estimate lacks; the intervals include it, so an estimate with a remainder is not biased.
    models : sequence of Model
        One for each side of a draw.
    """
    consistent = all(is_consistent(model) for model in models)
    remainders = [None] * len(draws) if missing is None else missing
    parts = zip(draws, profiles, bars, remainders, strict=True)
    return [_cautions(*part, consistent=consistent) for part in parts]


def _cautions(
    draw: Draw, profile: LossProfile, bar: ErrorBar, remainder: Remainder | None, *, consistent: bool
) -> list[Caution]:
    sampler = cast("Estimator | Contrast", draw.cell.sampler)
    estimator = estimator_of(sampler)
    by_construction = cautions_of(
        sampler,
        bar.degrees + 1.0,
        np.array([profile.effective_positions]),
        np.array([_full_mask_ratio(draw, profile, bar)]),
        passes=draw.cell.passes * draw.cell.replicates,
        interval=bar.kind,
    )
    keys = {caution.key for caution in by_construction}
    keys |= bar.flags
    if remainder is not None:
        keys.discard("biased")
        if max(remainder.upper, -remainder.lower) > LARGEST_REMAINDER:
            keys.add("unfinished-noise")
    if estimator.marginal and not consistent:
        keys.add("not-one-law")
    if estimator.noise not in (None, Absorbing()) and _largest_loss(draw) > LARGEST_LOSS:
        keys.add("rare-tokens")
    return [caution for key, caution in CAUTIONS.items() if key in keys]


def _full_mask_ratio(draw: Draw, profile: LossProfile, bar: ErrorBar) -> float:
    """Return the loss of the fully masked pass over the largest likelihood in the interval; 0 if all saw it."""
    if all(_sees_full_mask(side) for side in draw.evaluations):
        return 0.0
    if len(draw.evaluations) > 1 or bar.upper <= 0.0:
        return profile.full_mask_ratio
    return profile.full_mask_ratio * min(1.0, float(draw.estimates.mean()) / bar.upper)


def _sees_full_mask(side: Evaluation) -> bool:
    """Return whether every replicate has the fully masked pass, so that none misses the nearly full masks unseen."""
    return isinstance(side.plan, MaskPlan) and bool(side.plan.masks.all(axis=-1).any(axis=-1).all())


def _largest_loss(draw: Draw) -> float:
    """Return the loss of the most expensive position, in nats."""
    costs = [(side.plan.weights * side.losses).sum(axis=(0, 1)).max() for side in draw.evaluations]
    return float(np.max(costs)) / draw.cell.replicates

"""Which cautions hold for draws: by their sampler, their losses and what their noise leaves."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from estimators import Absorbing, Contrast, Draw, Estimator, Model
from estimators.contrast import estimator_of
from estimators.model import is_consistent
from infodis_stats.estimates.loss_profile import LossProfile
from infodis_stats.estimates.remainder import Remainder
from infodis_stats.results.error_bars import ErrorBar
from infodis_stats.results.labels import LARGEST_REMAINDER
from infodis_stats.results.validity import CAUTIONS, cautions_of

__all__ = ["cautions_found"]

LARGEST_LOSS = 8.0  # nats of a position that score entropies tell well: intervals covered 92 % at 9, and 84 % at 12


def cautions_found(
    draws: Sequence[Draw],
    profiles: Sequence[LossProfile],
    bars: Sequence[ErrorBar],
    missing: Sequence[Remainder] | None = None,
    *,
    models: Sequence[Model],
) -> dict[str, str]:
    """Return the cautions that hold for some of the draws, each with its sentence.

    With remainders, the estimates are not biased by what they lack, as the intervals have it.
    """
    found = {
        caution.key
        for drawn, profile, bar in zip(draws, profiles, bars, strict=True)
        for caution in cautions_of(
            cast("Estimator | Contrast", drawn.cell.sampler),
            bar.degrees + 1.0,
            np.array([profile.effective_positions]),
            np.array([profile.full_mask_ratio]),
            passes=drawn.cell.passes * drawn.cell.replicates,
        )
    }
    if missing is not None:
        found.discard("biased")
    estimators = [(drawn, one) for drawn in draws if (one := estimator_of(drawn.cell.sampler)) is not None]
    if not all(is_consistent(model) for model in models) and any(one.marginal for _, one in estimators):
        found.add("not-one-law")
    if any(_largest_loss(drawn) > LARGEST_LOSS for drawn, one in estimators if one.noise not in (None, Absorbing())):
        found.add("rare-tokens")
    largest = max((max(one.upper, -one.lower) for one in missing or ()), default=0.0)
    told = {key: caution.sentence for key, caution in CAUTIONS.items() if key in found}
    if largest > LARGEST_REMAINDER:
        told["unfinished-noise"] = f"{CAUTIONS['unfinished-noise'].sentence}: up to {largest:.3g} nats of some sequence"
    return told


def _largest_loss(draw: Draw) -> float:
    """Return what the most expensive position costs, in nats."""
    costs = [(one.plan.weights * one.losses).sum(axis=(0, 1)).max() for one in draw.evaluations]
    return float(np.max(costs)) / draw.cell.replicates

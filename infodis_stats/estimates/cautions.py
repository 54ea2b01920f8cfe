"""The cautions of draws: from their sampler, their losses and the remainder of their noise."""

from collections.abc import Sequence
from typing import cast

import numpy as np

from estimators import Absorbing, Contrast, Estimator
from estimators.estimator import estimator_of
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.estimates.remainder import Remainder
from infodis_stats.results.validity import CAUTIONS, LARGEST_REMAINDER, Caution, cautions_of

__all__ = ["cautions_of_draws"]

LARGEST_LOSS = 8.0  # nats at one position: score-entropy intervals cover 92 % at 9 nats and 84 % at 12


def cautions_of_draws(
    statistics: Sequence[DrawStatistics], missing: Sequence[Remainder] | None = None
) -> list[list[Caution]]:
    """Return the cautions that hold for each draw.

    Parameters
    ----------
    statistics : sequence of DrawStatistics
    missing : sequence of Remainder, optional
        What each estimate lacks; the intervals include it, so an estimate with a remainder is not biased.
    """
    remainders = [None] * len(statistics) if missing is None else missing
    return [_cautions(*pair) for pair in zip(statistics, remainders, strict=True)]


def _cautions(statistics: DrawStatistics, remainder: Remainder | None) -> list[Caution]:
    cell, profile, bar = statistics.cell, statistics.profile, statistics.bar
    sampler = cast("Estimator | Contrast", cell.sampler)
    estimator = estimator_of(sampler)
    by_construction = cautions_of(
        sampler,
        bar.degrees + 1.0,
        np.array([profile.effective_positions]),
        np.array([_full_mask_ratio(statistics)]),
        passes=cell.passes * cell.replicates,
        interval=bar.kind,
    )
    keys = {caution.key for caution in by_construction}
    keys |= bar.flags
    if remainder is not None:
        keys.discard("biased")
        if max(remainder.upper, -remainder.lower) > LARGEST_REMAINDER:
            keys.add("unfinished-noise")
    if estimator.noise not in (None, Absorbing()) and profile.largest_loss > LARGEST_LOSS:
        keys.add("rare-tokens")
    return [caution for key, caution in CAUTIONS.items() if key in keys]


def _full_mask_ratio(statistics: DrawStatistics) -> float:
    """Return the loss of the fully masked pass over the largest likelihood in the interval; 0 if all saw it."""
    ratio, upper = statistics.profile.full_mask_ratio, statistics.bar.upper
    if statistics.profile.sees_full_mask:
        return 0.0
    if len(statistics.cell.item.sides) > 1 or upper <= 0.0:
        return ratio
    return ratio * min(1.0, float(statistics.estimates.mean()) / upper)

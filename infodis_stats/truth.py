"""What a study compares with: exact values, exact variances, and each target's loss profile."""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import (
    IID,
    ConditionalModel,
    Contrast,
    Estimator,
    Job,
    MaskPlan,
    PointEstimator,
    Target,
    estimator,
    evaluate,
    pass_totals,
)
from estimators.streams import root_seed, stream
from infodis_stats.cautions import effective_positions
from infodis_stats.dataset import describe
from infodis_stats.groups import Group

__all__ = ["item_coords", "truth_dataset"]

LONGEST_ENUMERATED = 12  # scored positions up to which all masks are run for the exact variances
PILOT = estimator("uniform-count+stratified")
PILOT_PASSES = 64


def item_coords(groups: Sequence[Group]) -> dict[str, tuple[str, list[str]]]:
    """Return the coordinates of a study's items: a name each, and its group."""
    return {
        "item": ("item", [f"{group.name}/{index}" for group in groups for index in range(len(group.items))]),
        "group": ("item", [group.name for group in groups for _ in group.items]),
    }


def truth_dataset(
    model: ConditionalModel,
    groups: Sequence[Group],
    samplers: Sequence[Estimator | Contrast],
    *,
    batch_size: int,
    device: torch.device | str,
) -> xr.Dataset:
    """Compute what estimates are compared with.

    Returns
    -------
    xarray.Dataset
        ``truth``, ``length``, ``effective_positions``, ``full_mask_ratio (item)`` (of a pair: the worse side), and
        ``exact_pass_variance (item, estimator)`` for independent points on targets of at most 12 scored positions, NaN
        elsewhere.
    """
    items = [item for group in groups for item in group.items]
    variances = np.full((len(items), len(samplers)), np.nan)
    for index, item in enumerate(items):
        if isinstance(item, Target) and item.length <= LONGEST_ENUMERATED:
            variances[index] = _exact_variances(model, item, samplers, batch_size=batch_size, device=device)
    sides = [item.sides for item in items]
    jobs = (job for pair in sides for side in pair for job in _profile_jobs(side))
    runs = iter(evaluate(model, jobs, batch_size=batch_size, device=device))
    effective, ratio = np.empty((2, len(items)))
    for index, pair in enumerate(sides):
        profiles = []
        for _ in pair:
            pilot, full = next(runs), next(runs)
            estimate = float(PILOT.reduce(pilot.plan, pilot.losses)[0])
            profiles.append(
                (
                    float(effective_positions(pilot.position_losses)),
                    float(full.losses.sum()) / estimate if estimate > 0 else np.inf,
                )
            )
        effective[index] = min(one for one, _ in profiles)
        ratio[index] = max(one for _, one in profiles)
    return describe(
        xr.Dataset(
            {
                "truth": ("item", np.concatenate([group.truth for group in groups])),
                "length": ("item", [max(side.length for side in pair) for pair in sides]),
                "effective_positions": ("item", effective),
                "full_mask_ratio": ("item", ratio),
                "exact_pass_variance": (["item", "estimator"], variances),
            },
            coords=item_coords(groups) | {"estimator": [sampler.name for sampler in samplers]},
        )
    )


def _exact_variances(
    model: ConditionalModel,
    target: Target,
    samplers: Sequence[Estimator | Contrast],
    *,
    batch_size: int,
    device: torch.device | str,
) -> NDArray[np.float64]:
    given = np.ones((1, len(target.tokens)), dtype=bool)
    given[0, target.scored] = False
    totals = pass_totals(model, target.tokens[None], context=given, batch_size=batch_size, device=device)[0]
    return np.array(
        [
            sampler.mask_map.law(target.length).moments(totals)[1]
            if isinstance(sampler, PointEstimator) and sampler.design == IID()
            else np.nan
            for sampler in samplers
        ]
    )


def _profile_jobs(target: Target) -> tuple[Job, Job]:
    """Plan a pilot of the target's own, and the fully masked pass."""
    everything = np.ones((1, 1, target.length))
    pilot = PILOT.plan(target.length, PILOT_PASSES, 1, stream(root_seed(0), "pilot", target.key))
    return Job(target, pilot), Job(target, MaskPlan(everything.astype(bool), everything))

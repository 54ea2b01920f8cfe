"""What a comparison measures estimates by: exact values or long runs, exact variances, and targets' loss profiles."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import (
    IID,
    Cell,
    Contrast,
    Coupled,
    Draw,
    Estimator,
    Evaluation,
    Exhaustive,
    Job,
    MaskPlan,
    Pair,
    PointEstimator,
    Target,
    draw,
    estimator,
    evaluate,
)
from estimators.evaluate import Progress
from estimators.streams import root_seed, stream
from infodis_stats.cautions import effective_positions
from infodis_stats.dataset import describe
from infodis_stats.studies.groups import Group
from infodis_stats.studies.subject import Subject

__all__ = ["item_coords", "truth_dataset"]

LONGEST_ENUMERATED = 12  # scored positions up to which all masks are run
PILOT = LONG_RUN = estimator("uniform-count+stratified")
PILOT_PASSES = 64
LONG_REPLICATES = 16
Run = Callable[[Iterable[Job]], Iterator[Evaluation]]
FLOAT32 = 1e-6  # relative rounding of a network's likelihood: batches differ by less


def item_coords(groups: Sequence[Group]) -> dict[str, tuple[str, list[str]]]:
    """Return the coordinates of a study's items: a name each, and its group."""
    return {
        "item": ("item", [f"{group.name}/{index}" for group in groups for index in range(len(group.items))]),
        "group": ("item", [group.name for group in groups for _ in group.items]),
    }


def truth_dataset(
    subject: Subject,
    groups: Sequence[Group],
    samplers: Sequence[Estimator | Contrast],
    *,
    passes: int,
    seed: int,
    batch_size: int | None,
    device: torch.device | str,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Compute what estimates are compared with.

    Parameters
    ----------
    passes : int
        What a network's value is made of where its masks are too many to run them all: a long run with random numbers
        of its own.

    Returns
    -------
    xarray.Dataset
        ``truth``, ``truth_se``, ``length``, ``effective_positions``, ``full_mask_ratio (item)`` (of a pair: the worse
        side), and ``exact_pass_variance (item, estimator)`` for independent points on targets of at most 12 scored
        positions, NaN elsewhere. For a network on the sequences of a law also ``law_value (item)``.
    """
    items = [item for group in groups for item in group.items]
    run = partial(evaluate, subject.model, batch_size=batch_size, device=device)
    variances = np.full((len(items), len(samplers)), np.nan)
    for index, target in enumerate(items):
        if isinstance(target, Target) and target.length <= LONGEST_ENUMERATED:
            variances[index] = _exact_variances(run, target, samplers)
    effective, ratio = _profiles(run, items)
    variables = {
        "length": ("item", [max(side.length for side in item.sides) for item in items]),
        "effective_positions": ("item", effective),
        "full_mask_ratio": ("item", ratio),
        "exact_pass_variance": (["item", "estimator"], variances),
    }
    law_values = [group.exact for group in groups if group.exact is not None]
    if subject.exact:
        value, error = np.concatenate(law_values), np.zeros(len(items))
    else:
        # A child of the seed: never the random numbers of the estimates that are compared with it.
        root = np.random.SeedSequence(seed).spawn(1)[0]
        cells = [long_run(item, passes) for item in items]
        value, error = _averages(
            draw(subject.model, cells, root, batch_size=batch_size, device=device, progress=progress)
        )
        if law_values:
            variables["law_value"] = ("item", np.concatenate(law_values))
    variables |= {"truth": ("item", value), "truth_se": ("item", error)}
    coords = item_coords(groups) | {"estimator": [sampler.name for sampler in samplers]}
    return describe(xr.Dataset(variables, coords=coords))


def long_run(item: Target | Pair, passes: int) -> Cell:
    """Plan how a network's own value is found: all masks where they are few enough, else many passes."""
    exact = all(2**side.length - 1 <= max(passes, 2**LONGEST_ENUMERATED) for side in item.sides)
    one: Estimator = Exhaustive() if exact else LONG_RUN
    sampler = Coupled(one) if isinstance(item, Pair) else one
    if exact:
        return Cell(sampler, item, 2 ** max(side.length for side in item.sides), 1)
    return Cell(sampler, item, passes // LONG_REPLICATES, LONG_REPLICATES)


def _averages(draws: Iterable[Draw]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and its standard error of each draw, not less than a network's rounding."""
    found = []
    for one in draws:
        count = len(one.estimates)
        sampled = one.estimates.std(ddof=1) / count**0.5 if count > 1 else 0.0
        scale = sum(float((side.plan.weights * side.losses).sum()) for side in one.evaluations) / count
        found.append((one.estimates.mean(), max(sampled, FLOAT32 * scale)))
    value, error = np.array(found).T
    return value, error


def _exact_variances(run: Run, target: Target, samplers: Sequence[Estimator | Contrast]) -> NDArray[np.float64]:
    plan = Exhaustive().plan(target.length, 2**target.length, 1, np.random.default_rng())
    (every,) = run([Job(target, plan)])
    totals = every.losses[0].sum(axis=-1)
    return np.array(
        [
            sampler.mask_map.law(target.length).moments(totals)[1]
            if isinstance(sampler, PointEstimator) and sampler.design == IID()
            else np.nan
            for sampler in samplers
        ]
    )


def _profiles(run: Run, items: Sequence[Target | Pair]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the effective positions and the full-mask ratio of each item, of its worse side."""
    jobs = (job for item in items for side in item.sides for job in _profile_jobs(side))
    runs = iter(run(jobs))
    effective, ratio = np.full(len(items), np.inf), np.zeros(len(items))
    for index, item in enumerate(items):
        for _ in item.sides:
            pilot, full = next(runs), next(runs)
            estimate = float(PILOT.reduce(pilot.plan, pilot.losses)[0])
            effective[index] = min(effective[index], float(effective_positions(pilot.position_losses)))
            ratio[index] = max(ratio[index], float(full.losses.sum()) / estimate if estimate > 0 else np.inf)
    return effective, ratio


def _profile_jobs(target: Target) -> tuple[Job, Job]:
    """Plan a pilot of the target's own, and the fully masked pass."""
    everything = np.ones((1, 1, target.length))
    pilot = PILOT.plan(target.length, PILOT_PASSES, 1, stream(root_seed(0), "pilot", target.key))
    return Job(target, pilot), Job(target, MaskPlan(everything.astype(bool), everything))

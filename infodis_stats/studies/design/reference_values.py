"""Reference values: exact values or long runs, exact variances, and targets' loss profiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import (
    Auto,
    Cell,
    Contrast,
    Coupled,
    Draw,
    Estimator,
    Evaluation,
    Exhaustive,
    Job,
    MaskPlan,
    Model,
    Pair,
    Sampler,
    Target,
    estimator,
)
from estimators.estimator import estimator_of
from estimators.model import prices_masks
from infodis_stats.execution import Columns, Section
from infodis_stats.results.labels import describe
from infodis_stats.results.validity import effective_positions
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_sets import Group, items_of
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = [
    "FLOAT32",
    "LossProfiler",
    "item_coords",
    "long_run",
    "long_runs",
    "truth_dataset",
    "truth_owners",
    "truth_sections",
]

LONGEST_ENUMERATED = 12  # scored positions: all masks of shorter targets are run
PILOT = LONG_RUN = estimator("uniform-count+stratified")
PILOT_PASSES = 64
LONG_REPLICATES = 16
FLOAT32 = 1e-6
"""Relative rounding of a network's likelihood: batches differ by less."""


def item_coords(groups: Sequence[Group]) -> dict[str, tuple[str, list[str]]]:
    """Return the coordinates of a study's items: their names and groups."""
    return {
        "item": ("item", [f"{group.name}/{index}" for group in groups for index in range(len(group.items))]),
        "group": ("item", [group.name for group in groups for _ in group.items]),
    }


def truth_sections(
    subject: Subject, groups: Sequence[Group], samplers: Sequence[Estimator | Contrast], *, passes: int, seed: int
) -> tuple[Section, Section, Section]:
    """Return the sections that compute reference values: exact variances, loss profiles, long runs.

    Parameters
    ----------
    passes : int
        Passes of the long run that gives a network's value where it has too many masks to run them all. Its random
        numbers are independent of the study's.
    """
    items = items_of(groups)
    priced = items if prices_masks(subject.model) else []
    short = [item for item in priced if _enumerated(item)]
    every = [Cell(Exhaustive(), target, 2 ** target.sides[0].length, 1) for target in short]
    profiles = [Cell(LossProfiler(), side, PILOT_PASSES, 1) for item in priced for side in item.sides]
    names = " ".join(sampler.name for sampler in samplers)
    keep = partial(_exact_variances, samplers=samplers)
    return (
        Section("exact variances", subject.model, every, 0, {"pass_variance": (len(samplers),)}, keep, names),
        Section("loss profiles", subject.model, profiles, 0, {"effective": (), "full": ()}, _profile),
        long_runs(subject.model, [] if subject.exact else items, passes=passes, seed=seed),
    )


def long_runs(model: Model, items: Sequence[Target | Pair], *, passes: int, seed: int) -> Section:
    """Return the section that computes the reference ``value`` of each item and its standard ``error``.

    Its seed is a child of the given one: the values are independent of the estimates that are compared with them.
    """
    run_seed = np.random.SeedSequence(seed).spawn(1)[0]
    cells = [long_run(item, passes, model) for item in items]
    return Section("long runs", model, cells, run_seed, {"value": (), "error": ()}, _average)


def truth_owners(subject: Subject, groups: Sequence[Group]) -> tuple[list[int], list[int], list[int]]:
    """Return the index of the item of each cell of the `truth_sections`."""
    items = list(enumerate(items_of(groups)))
    priced = items if prices_masks(subject.model) else []
    short = [index for index, item in priced if _enumerated(item)]
    sides = [index for index, item in priced for _ in item.sides]
    return short, sides, [] if subject.exact else [index for index, _ in items]


def truth_dataset(
    subject: Subject,
    groups: Sequence[Group],
    samplers: Sequence[Estimator | Contrast],
    columns: Sequence[Columns],
) -> xr.Dataset:
    """Label the columns of the `truth_sections`.

    Returns
    -------
    xarray.Dataset
        ``truth``, ``truth_se``, ``length``, ``effective_positions``, ``full_mask_ratio (item)`` (of a pair: the worse
        side), and ``exact_pass_variance (item, estimator)`` for independent points on targets of at most 12 scored
        positions, NaN elsewhere. Of a model that prices no masked tokens, profiles are unknown: infinitely many
        effective positions and a ratio of 0. For a network on the sequences of a law also ``law_value (item)``.
    """
    items = items_of(groups)
    every, profiles, of_long_runs = columns
    variances = np.full((len(items), len(samplers)), np.nan)
    short, sides, _ = truth_owners(subject, groups)
    variances[short] = every["pass_variance"]
    effective, ratio = np.full(len(items), np.inf), np.zeros(len(items))
    np.fmin.at(effective, sides, profiles["effective"])
    np.fmax.at(ratio, sides, profiles["full"])
    law_values = [group.exact for group in groups if group.exact is not None]
    if subject.exact:
        value, error = np.concatenate(law_values), np.zeros(len(items))
    else:
        value, error = of_long_runs["value"], of_long_runs["error"]
    variables = {
        "length": ("item", [max(side.length for side in item.sides) for item in items]),
        "effective_positions": ("item", effective),
        "full_mask_ratio": ("item", ratio),
        "exact_pass_variance": (["item", "estimator"], variances),
        "truth": ("item", value),
        "truth_se": ("item", error),
    }
    if law_values and not subject.exact:
        variables["law_value"] = ("item", np.concatenate(law_values))
    coords = item_coords(groups) | {"estimator": [sampler.name for sampler in samplers]}
    return describe(xr.Dataset(variables, coords=coords), STUDY_VARIABLES)


def _enumerated(item: Target | Pair) -> bool:
    return isinstance(item, Target) and len(item.blocks) < 2 and item.length <= LONGEST_ENUMERATED


def long_run(item: Target | Pair, passes: int, model: Model) -> Cell:
    """Plan the reference value of a network: all masks where they are few enough, else a long run."""
    if not prices_masks(model):
        best = Coupled(Auto()) if isinstance(item, Pair) else Auto()
        return Cell(best, item, passes // LONG_REPLICATES, LONG_REPLICATES).settled(model)
    exact = all(2**side.longest_block - 1 <= max(passes, 2**LONGEST_ENUMERATED) for side in item.sides)
    chosen: Estimator = Exhaustive() if exact else LONG_RUN
    sampler = Coupled(chosen) if isinstance(item, Pair) else chosen
    if exact:
        return Cell(sampler, item, 2 ** max(side.longest_block for side in item.sides), 1)
    return Cell(sampler, item, passes // LONG_REPLICATES, LONG_REPLICATES)


@dataclass(frozen=True)
class LossProfiler(Sampler[Target]):
    """The loss profile of a target: a pilot, and the fully masked pass."""

    name: ClassVar[str] = "loss-profile"

    def jobs(
        self, item: Target, passes: int, replicates: int, rng: np.random.Generator, *, first: int = 0
    ) -> tuple[Job, ...]:
        """Plan the pilot, and the pass that masks all."""
        everything = np.ones((replicates, 1, item.length))
        full = Job(item, MaskPlan(everything.astype(bool), everything))
        return *PILOT.jobs(item, passes, replicates, rng, first=first), full

    def combine(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Reduce the losses of the pilot."""
        pilot, _ = evaluations
        return PILOT.reduce(pilot.plan, pilot.losses)


def _profile(draw: Draw) -> dict[str, ArrayLike]:
    pilot, full = draw.evaluations
    (estimate,) = draw.estimates
    return {
        "effective": effective_positions(pilot.position_losses),
        "full": float(full.losses.sum()) / estimate if estimate > 0 else np.inf,
    }


def _average(draw: Draw) -> dict[str, ArrayLike]:
    """Return the mean of a draw and its standard error, not less than a network's rounding."""
    count = len(draw.estimates)
    sampled = draw.estimates.std(ddof=1) / count**0.5 if count > 1 else 0.0
    scale = sum(float((side.plan.weights * side.losses).sum()) for side in draw.evaluations) / count
    return {"value": draw.estimates.mean(), "error": max(sampled, FLOAT32 * scale)}


def _exact_variances(draw: Draw, samplers: Sequence[Estimator | Contrast]) -> dict[str, ArrayLike]:
    """Return the variance of a single pass of each sampler of independent points; NaN for the others."""
    (every,) = draw.evaluations
    totals = every.losses[0].sum(axis=-1)
    length = every.target.length
    return {"pass_variance": np.array([estimator_of(sampler).pass_variance(length, totals) for sampler in samplers])}

"""Frontiers: which estimator has the least variance at every length and budget, subject by subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import Cell, Contrast, Draw, Estimator, InputError
from estimators.estimator import estimator_of
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.execution import Columns, Section
from infodis_stats.results.labels import CI_BOUND, describe
from infodis_stats.results.validity import caution_variable, cautions_of
from infodis_stats.studies.design.failed import failed_items
from infodis_stats.studies.design.grid import Grid, lay_out
from infodis_stats.studies.design.reference_values import item_coords
from infodis_stats.studies.design.result import Result, Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_schema import SubjectSpec
from infodis_stats.studies.design.target_sets import Group, items_of, make_groups
from infodis_stats.studies.frontier.schema import FrontierSpec
from infodis_stats.studies.frontier.variables import VARIABLES

__all__ = ["find_frontier", "summarise_frontier"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

AVERAGED = (16, 64)  # scored positions of the groups that geometric means run over


def find_frontier(subjects: Sequence[Subject], spec: FrontierSpec) -> Steps:
    """Find the frontier, subject after subject.

    Returns
    -------
    Result
        ``draws`` (every replicate), ``summary`` (by group, estimator and passes) and ``subjects`` (averages over the
        groups of each).

    Raises
    ------
    InputError
        If the items of a group differ in their scored length, or no estimator may be the best.
    """
    samplers = spec.samplers()
    roles = {sampler.name: _role(sampler) for sampler in samplers}
    if "candidate" not in roles.values():
        raise InputError("no estimator can be the best: each is auto, biased, or of infinite variance")
    parts = [_part(subject, table, spec) for subject, table in zip(subjects, spec.subjects, strict=True)]
    columns = {"estimate": (spec.replicates,), "forward_passes": ()}
    found = yield [
        Section(f"draws of {part.name}", part.subject.model, part.cells, spec.seed, columns, _statistics, may_fail=True)
        for part in parts
    ]
    labelled = [_draws(part, drawn, spec) for part, drawn in zip(parts, found, strict=True)]
    forward_passes = sum(int(np.nansum(drawn["forward_passes"])) for drawn in found)
    failed: dict[str, str] = {}
    for part, drawn, one in zip(parts, found, labelled, strict=True):
        problems = drawn.problems[part.owners]
        failed |= failed_items(one["item"].values.tolist(), (problems, part.grid.slots[:, 0]))
    draws = describe(xr.concat(labelled, dim="item"), VARIABLES)
    draws = draws.isel(item=~draws["item"].isin(list(failed)))
    summary, averages = summarise_frontier(draws, roles, spec.rivals, level=spec.level, seed=spec.seed)
    cautions = [cautions_of(sampler, spec.replicates) for sampler in samplers]
    summary["cautions"] = caution_variable(["estimator"], cautions, [len(samplers)])
    return Result(
        {"draws": draws, "summary": summary, "subjects": averages},
        forward_passes=forward_passes,
        not_run=_not_run(draws),
        failed=failed,
        attributes={"quantity": "log_ratio" if spec.contrasts else "nll"},
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """What a frontier is to find of one subject."""

    name: str
    subject: Subject
    groups: Sequence[Group]
    lengths: list[int]
    grid: Grid
    cells: list[Cell]  # what fills the grid: auto is its choice, which need not be run twice
    owners: NDArray[np.int64]  # which of the cells fills each slot


def _part(subject: Subject, table: SubjectSpec, spec: FrontierSpec) -> _Part:
    groups = [replace(group, name=f"{table.name}/{group.name}") for group in make_groups(subject, table)]
    lengths = [length for group in groups for length in [_length(group)] * len(group.items)]
    passes = [count for count in spec.passes if count <= (table.most_passes or count)]
    grid = lay_out(items_of(groups), spec.samplers(), passes, spec.replicates)
    cells: list[Cell] = []
    known: dict[tuple[int, str, int], int] = {}
    owners = []
    for (item, _, step), cell in zip(grid.slots.tolist(), grid, strict=True):
        settled = replace(cell, sampler=cell.sampler.settled(cell.item, cell.passes, subject.model))
        owner = known.setdefault((item, settled.sampler.name, step), len(cells))
        if owner == len(cells):
            cells.append(settled)
        owners.append(owner)
    return _Part(table.name, subject, groups, lengths, grid, cells, np.array(owners, dtype=np.int64))


def _statistics(draw: Draw) -> dict[str, ArrayLike]:
    return {"estimate": draw.estimates, "forward_passes": draw.forward_passes}


def _role(sampler: Estimator | Contrast) -> str:
    """Say what a sampler may be: auto is one of the others by another name, and some variances mean nothing."""
    one = estimator_of(sampler)
    if one.name == "auto":
        return "auto"
    return "candidate" if one.unbiased and one.finite_variance else "untrusted"


def _draws(part: _Part, drawn: Columns, spec: FrontierSpec) -> xr.Dataset:
    """Label what was drawn of a subject, over all passes of the study."""
    grid, exact = part.grid, [group.exact for group in part.groups if group.exact is not None]
    dims = ["item", "estimator", "passes"]
    unknown = np.full(len(grid.items), np.nan)
    labelled = xr.Dataset(
        {
            "estimate": ([*dims, "replicate"], grid.filled(drawn["estimate"][part.owners])),
            "forward_passes": (dims, grid.filled(drawn["forward_passes"][part.owners])),
            "truth": ("item", np.concatenate(exact) if part.subject.exact else unknown),
        },
        coords=item_coords(part.groups)
        | {
            "subject": ("item", [part.name] * len(grid.items)),
            "length": ("item", part.lengths),
            "estimator": [sampler.name for sampler in grid.samplers],
            "passes": np.array(grid.passes),
            "replicate": np.arange(grid.replicates),
        },
    )
    return labelled.reindex(passes=list(spec.passes))


def _length(group: Group) -> int:
    """Return the scored positions of each item of a group, of a pair's longer side."""
    lengths = sorted({max(side.length for side in item.sides) for item in group.items})
    if len(lengths) > 1:
        raise InputError(
            f"group {group.name!r} needs items of one scored length, got {lengths[0]} to {lengths[-1]}: "
            "make a group of each length"
        )
    return lengths[0]


def _not_run(draws: xr.Dataset) -> list[str]:
    """Say for each estimator below which number of passes it was not run, by length."""
    run = draws["estimate"].isel(replicate=0).notnull().groupby("length").any()
    sentences = []
    for name in run["estimator"].values.tolist():
        gaps = []
        for length in run["length"].values.tolist():
            known = run.sel(estimator=name, length=length)
            if not known.any():
                gaps.append(f"at all at length {length}")
            elif not known[0]:
                gaps.append(f"below {int(known['passes'][known][0])} passes at length {length}")
        if gaps:
            sentences.append(f"{name} {', '.join(gaps)}")
    return sentences


def summarise_frontier(
    draws: xr.Dataset, roles: Mapping[str, str], rivals: Sequence[str], *, level: float = 0.95, seed: int = 0
) -> tuple[xr.Dataset, xr.Dataset]:
    """Compare estimators with their rivals and with the best of them, cell by cell.

    Parameters
    ----------
    draws : xarray.Dataset
        ``estimate (item, estimator, passes, replicate)`` and ``truth (item)`` in nats, NaN where it is not known; the
        items have coordinates ``group``, ``subject`` and ``length``.
    roles : mapping of str to str
        ``"candidate"`` for estimators that may be the best; the others are compared with those.
    rivals : sequence of str
        The estimators that gains are relative to.
    level : float, default 0.95
    seed : int, default 0
        For the bootstrap.

    Returns
    -------
    summary : xarray.Dataset
        Over ``(group, estimator, passes)``: ``variance``, ``exact`` (all replicates agree, on
        nothing that is known to be wrong), ``bias_z`` and ``bias_p``,
        ``regret`` with its interval (see `analysis.regret`; a rival's is the gain of the best estimator over it),
        ``tied`` (not significantly different from the best); with ``rival``: ``gain``. ``winner (group, passes)``,
        empty where there is none. An estimator that is significantly biased in a cell is no candidate there: its
        replicates have missed what they should have met.
    averages : xarray.Dataset
        Over ``(subject, estimator, passes)``: ``mean_regret``, and with ``rival`` ``mean_gain``: geometric means over
        the groups of 16 to 64 scored positions, ``groups (subject)`` of them. Infinite ones (exact estimators) are left
        out and counted: ``regret_infinite``, ``gain_infinite``; so are rivals that agree on a wrong value.
    """
    names, passes = draws["estimator"].values.tolist(), draws["passes"].values
    groups = list(dict.fromkeys(draws["group"].values.tolist()))
    members = [(draws["group"] == group).values for group in groups]
    estimates = [draws["estimate"].values[member].transpose(1, 2, 0, 3) for member in members]
    places = [names.index(rival) for rival in rivals]
    biases = [
        analysis.pooled_bias(one, draws["truth"].values[member], axis=-1)
        for one, member in zip(estimates, members, strict=True)
    ]
    bias_p = analysis.family_wise(np.stack([bias.p_value for bias in biases]))
    role = np.array([roles[name] for name in names])[:, None]
    on_target = ~(bias_p < 0.05)
    best = [
        analysis.regret(one, (role == "candidate") & some, level)
        for one, some in zip(estimates, on_target, strict=True)
    ]
    logs = [analysis.log_variance(one) for one in estimates]
    exact = np.isneginf([log.estimate for log in logs]) & on_target & (role != "untrusted")
    same = [_same(one, some, places) for one, some in zip(estimates, exact, strict=True)]
    root = root_seed(seed)
    gains = [
        _gains(one, places, alike, level, stream(root, "gain", group))
        for one, alike, group in zip(estimates, same, groups, strict=True)
    ]
    log_gains = np.array([_log_gains(log, places, alike) for log, alike in zip(logs, same, strict=True)])
    with np.errstate(divide="ignore"):
        log_regrets = np.array([(np.log(one.ratio), one.log_error) for one in best])

    first = [int(member.argmax()) for member in members]
    owners, lengths = (draws[name].values[first] for name in ("subject", "length"))
    cells = ["group", "estimator", "passes"]
    coords = {"estimator": names, "passes": passes, "rival": list(rivals), CI_BOUND[0]: CI_BOUND[1]}
    summary = xr.Dataset(
        {
            "variance": (cells, np.stack([analysis.variance(one).mean(axis=-1) for one in estimates])),
            "exact": (cells, exact),
            "bias_z": (cells, np.stack([bias.z for bias in biases])),
            "bias_p": (cells, bias_p),
            "gain": ([*cells, "rival"], np.stack([one[0] for one in gains])),
            "gain_ci": ([*cells, "rival", CI_BOUND[0]], np.stack([np.stack(one[1:], axis=-1) for one in gains])),
            "regret": (cells, np.stack([one.ratio for one in best])),
            "regret_ci": (
                [*cells, CI_BOUND[0]],
                np.stack([np.stack([one.lower, one.upper], axis=-1) for one in best]),
            ),
            "tied": (cells, np.stack([one.tied for one in best])),
            "winner": (cells[::2], np.array([*names, ""])[np.stack([one.winner for one in best])]),
            "role": ("estimator", [roles[name] for name in names]),
        },
        coords=coords | {"group": groups, "subject": ("group", owners), "length": ("group", lengths)},
    )
    averaged = (lengths >= AVERAGED[0]) & (lengths <= AVERAGED[1])
    subjects = list(dict.fromkeys(owners.tolist()))
    chosen = [averaged & (owners == one) for one in subjects]
    averages = xr.concat(
        [_averages(log_regrets[some], log_gains[some], level) for some in chosen], dim="subject"
    ).assign_coords(coords | {"subject": subjects})
    described = describe(summary, VARIABLES), describe(averages, VARIABLES)
    for one in described:
        one.attrs = {"ci_prob": level, "family": "Holm over all groups, estimators and passes"}
    return described


def _same(estimates: FloatArray, exact: BoolArray, places: Sequence[int]) -> BoolArray:
    """Say where (estimator, passes, rival) are one and the same, or both exact: the gain is then 1."""
    alike = [analysis.same_draws(estimates, estimates[place]) | (exact & exact[place]) for place in places]
    return np.stack(alike, axis=-1)


def _gains(
    estimates: FloatArray, places: Sequence[int], same: BoolArray, level: float, rng: np.random.Generator
) -> list[FloatArray]:
    """Return gains (estimator, passes, rival) and the ends of their intervals."""
    efficiency = analysis.relative_efficiency(estimates, estimates[places][:, None], rng, level)
    ends = (efficiency.ratio, efficiency.lower, efficiency.upper)
    return [np.where(same, 1.0, end.transpose(1, 2, 0)) for end in ends]


def _log_gains(logs: analysis.LogVariance, places: Sequence[int], same: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return log gains (estimator, passes, rival) and their standard errors."""
    with np.errstate(invalid="ignore"):
        gap = logs.estimate[places].T - logs.estimate[..., None]
    error = np.hypot(logs.standard_error[places].T, logs.standard_error[..., None])
    return np.where(same, 0.0, gap), np.where(same, 0.0, error)


def _averages(log_regrets: FloatArray, log_gains: FloatArray, level: float) -> xr.Dataset:
    """Average values and errors (group, 2, ...) of a subject over its groups."""
    cells = ["estimator", "passes"]
    dataset = xr.Dataset({"groups": len(log_regrets)})
    for name, dims, logs in (("regret", cells, log_regrets), ("gain", [*cells, "rival"], log_gains)):
        mean = analysis.geometric_mean(logs[:, 0], logs[:, 1], level)
        dataset[f"mean_{name}"] = dims, mean.mean
        dataset[f"mean_{name}_ci"] = [*dims, CI_BOUND[0]], np.stack([mean.lower, mean.upper], axis=-1)
        dataset[f"{name}_infinite"] = dims, mean.infinite
    return dataset

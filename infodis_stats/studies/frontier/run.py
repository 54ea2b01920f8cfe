"""Frontiers: which estimator has the least variance at every length and number of passes, subject by subject."""

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
from infodis_stats.studies.design.chosen import chosen_samplers
from infodis_stats.studies.design.failed import failed_items
from infodis_stats.studies.design.grid import Grid, lay_out, settled_cells
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

AVERAGED = (16, 64)  # scored positions of the groups in the geometric means


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
        If the items of a group differ in their scored length, or no estimator is a candidate.
    """
    samplers = spec.samplers()
    roles = {sampler.name: _role(sampler) for sampler in samplers}
    if "candidate" not in roles.values():
        raise InputError("no estimator can be the best: each is auto, biased, or of infinite variance")
    parts = [_part(subject, table, spec) for subject, table in zip(subjects, spec.subjects, strict=True)]
    columns = {"estimate": (spec.replicates,), "forward_passes": ()}
    stored = yield [
        Section(f"draws of {part.name}", part.subject.model, part.cells, spec.seed, columns, _statistics, may_fail=True)
        for part in parts
    ]
    labelled = [_draws(part, drawn, spec) for part, drawn in zip(parts, stored, strict=True)]
    forward_passes = sum(int(np.nansum(drawn["forward_passes"])) for drawn in stored)
    failed: dict[str, str] = {}
    for part, drawn, draws in zip(parts, stored, labelled, strict=True):
        problems = drawn.problems[part.owners]
        failed |= failed_items(draws["item"].values.tolist(), (problems, part.grid.slots[:, 0]))
    draws = describe(xr.concat(labelled, dim="item"), VARIABLES)
    draws = draws.isel(item=~draws["item"].isin(list(failed)))
    summary, averages = summarise_frontier(draws, roles, spec.rivals, level=spec.level, seed=spec.seed)
    chosen = chosen_samplers(subjects, [part.groups for part in parts], [part.grid for part in parts])
    ran: dict[str, list[Estimator | Contrast]] = {sampler.name: [sampler] for sampler in samplers}
    for (_, name, _), found in chosen.items():
        ran[name] += found
    cautions = [[caution for one in found for caution in cautions_of(one, spec.replicates)] for found in ran.values()]
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
    """The part of a frontier for one subject."""

    name: str
    subject: Subject
    groups: Sequence[Group]
    lengths: list[int]
    grid: Grid
    cells: list[Cell]  # distinct cells to run: auto shares those of the estimator it chooses
    owners: NDArray[np.int64]  # index of the cell that fills each slot of the grid


def _part(subject: Subject, table: SubjectSpec, spec: FrontierSpec) -> _Part:
    groups = [replace(group, name=f"{table.name}/{group.name}") for group in make_groups(subject, table)]
    lengths = [length for group in groups for length in [_length(group)] * len(group.items)]
    passes = [count for count in spec.passes if count <= (table.most_passes or count)]
    grid = lay_out(items_of(groups), spec.samplers(), passes, spec.replicates, subject.model)
    return _Part(table.name, subject, groups, lengths, grid, *settled_cells(grid, subject.model))


def _statistics(draw: Draw) -> dict[str, ArrayLike]:
    return {"estimate": draw.estimates, "forward_passes": draw.forward_passes}


def _role(sampler: Estimator | Contrast) -> str:
    """Return the role of a sampler: only unbiased ones of finite variance compete; auto is one of the others."""
    estimator = estimator_of(sampler)
    if estimator.name == "auto":
        return "auto"
    return "candidate" if estimator.unbiased and estimator.finite_variance else "untrusted"


def _draws(part: _Part, drawn: Columns, spec: FrontierSpec) -> xr.Dataset:
    """Label the draws of a subject, over all passes of the study."""
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
    """Return the number of scored positions that all items of a group share; of a pair, on its longer side."""
    lengths = sorted({max(side.length for side in item.sides) for item in group.items})
    if len(lengths) > 1:
        raise InputError(
            f"group {group.name!r} needs items of one scored length, got {lengths[0]} to {lengths[-1]}: "
            "make a group of each length"
        )
    return lengths[0]


def _not_run(draws: xr.Dataset) -> list[str]:
    """Return a sentence for each estimator that was not run below some number of passes, by length."""
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
    """Compare estimators with the rivals and with the best estimator, cell by cell.

    Parameters
    ----------
    draws : xarray.Dataset
        ``estimate (item, estimator, passes, replicate)`` and ``truth (item)`` in nats, NaN where it is not known; the
        items have coordinates ``group``, ``subject`` and ``length``.
    roles : mapping of str to str
        ``"candidate"`` for estimators that can be the best; the others are compared with them.
    rivals : sequence of str
        The estimators that gains are relative to.
    level : float, default 0.95
    seed : int, default 0
        For the bootstrap.

    Returns
    -------
    summary : xarray.Dataset
        Over ``(group, estimator, passes)``: ``variance``, ``exact`` (all replicates are equal, and not known to be
        wrong), ``bias_z`` and ``bias_p``, ``regret`` with its interval (see `analysis.regret`; a rival's is the gain of
        the best estimator over it), ``tied`` (not significantly different from the best); with ``rival``: ``gain``.
        ``winner (group, passes)``, empty where there is none. An estimator that is significantly biased in a cell is
        not a candidate there: its replicates have missed what carries the loss.
    averages : xarray.Dataset
        Over ``(subject, estimator, passes)``: ``mean_regret``, and with ``rival`` ``mean_gain``: geometric means over
        the groups of 16 to 64 scored positions, ``groups (subject)`` in number. Infinite values (exact
        estimators) are left out and counted: ``regret_infinite``, ``gain_infinite``; so are rivals whose replicates
        agree on a wrong value.
    """
    names, passes = draws["estimator"].values.tolist(), draws["passes"].values
    groups = list(dict.fromkeys(draws["group"].values.tolist()))
    members = [(draws["group"] == group).values for group in groups]
    estimates = [draws["estimate"].values[member].transpose(1, 2, 0, 3) for member in members]
    rival_rows = [names.index(rival) for rival in rivals]
    biases = [
        analysis.pooled_bias(values, draws["truth"].values[member], axis=-1)
        for values, member in zip(estimates, members, strict=True)
    ]
    bias_p = analysis.family_wise(np.stack([bias.p_value for bias in biases]))
    role = np.array([roles[name] for name in names])[:, None]
    on_target = ~(bias_p < 0.05)
    regrets = [
        analysis.regret(values, (role == "candidate") & unbiased, level)
        for values, unbiased in zip(estimates, on_target, strict=True)
    ]
    logs = [analysis.log_variance(values) for values in estimates]
    exact = np.isneginf([log.estimate for log in logs]) & on_target & (role != "untrusted")
    same = [_same(values, agree, rival_rows) for values, agree in zip(estimates, exact, strict=True)]
    root = root_seed(seed)
    gains = [
        _gains(values, rival_rows, alike, level, stream(root, "gain", group))
        for values, alike, group in zip(estimates, same, groups, strict=True)
    ]
    log_gains = np.array([_log_gains(log, rival_rows, alike) for log, alike in zip(logs, same, strict=True)])
    with np.errstate(divide="ignore"):
        log_regrets = np.array([(np.log(regret.ratio), regret.log_error) for regret in regrets])

    first = [int(member.argmax()) for member in members]
    owners, lengths = (draws[name].values[first] for name in ("subject", "length"))
    cells = ["group", "estimator", "passes"]
    coords = {"estimator": names, "passes": passes, "rival": list(rivals), CI_BOUND[0]: CI_BOUND[1]}
    summary = xr.Dataset(
        {
            "variance": (cells, np.stack([analysis.variance(values).mean(axis=-1) for values in estimates])),
            "exact": (cells, exact),
            "bias_z": (cells, np.stack([bias.z for bias in biases])),
            "bias_p": (cells, bias_p),
            "gain": ([*cells, "rival"], np.stack([ratio for ratio, _, _ in gains])),
            "gain_ci": ([*cells, "rival", CI_BOUND[0]], np.stack([np.stack(ends, axis=-1) for _, *ends in gains])),
            "regret": (cells, np.stack([regret.ratio for regret in regrets])),
            "regret_ci": (
                [*cells, CI_BOUND[0]],
                np.stack([np.stack([regret.lower, regret.upper], axis=-1) for regret in regrets]),
            ),
            "tied": (cells, np.stack([regret.tied for regret in regrets])),
            "winner": (cells[::2], np.array([*names, ""])[np.stack([regret.winner for regret in regrets])]),
            "role": ("estimator", [roles[name] for name in names]),
        },
        coords=coords | {"group": groups, "subject": ("group", owners), "length": ("group", lengths)},
    )
    averaged = (lengths >= AVERAGED[0]) & (lengths <= AVERAGED[1])
    subjects = list(dict.fromkeys(owners.tolist()))
    members_of = [averaged & (owners == subject) for subject in subjects]
    averages = xr.concat(
        [_averages(log_regrets[groups_of], log_gains[groups_of], level) for groups_of in members_of], dim="subject"
    ).assign_coords(coords | {"subject": subjects})
    described = describe(summary, VARIABLES), describe(averages, VARIABLES)
    for dataset in described:
        dataset.attrs = {"ci_prob": level, "family": "Holm over all groups, estimators and passes"}
    return described


def _same(estimates: FloatArray, exact: BoolArray, rival_rows: Sequence[int]) -> BoolArray:
    """Return where an estimator and a rival have the same draws or are both exact: (estimator, passes, rival)."""
    alike = [analysis.same_draws(estimates, estimates[rival]) | (exact & exact[rival]) for rival in rival_rows]
    return np.stack(alike, axis=-1)


def _gains(
    estimates: FloatArray, rival_rows: Sequence[int], same: BoolArray, level: float, rng: np.random.Generator
) -> list[FloatArray]:
    """Return gains (estimator, passes, rival) and the ends of their intervals; 1 where `_same` holds."""
    efficiency = analysis.relative_efficiency(estimates, estimates[rival_rows][:, None], rng, level)
    ends = (efficiency.ratio, efficiency.lower, efficiency.upper)
    return [np.where(same, 1.0, end.transpose(1, 2, 0)) for end in ends]


def _log_gains(logs: analysis.LogVariance, rival_rows: Sequence[int], same: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return log gains (estimator, passes, rival) and their standard errors."""
    with np.errstate(invalid="ignore"):
        gap = logs.estimate[rival_rows].T - logs.estimate[..., None]
    error = np.hypot(logs.standard_error[rival_rows].T, logs.standard_error[..., None])
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

"""Frontiers: which estimator has the least variance at every length and budget, subject by subject."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import Cell, Contrast, Estimator, InputError, draw
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.cautions import cautions_of
from infodis_stats.dataset import CI_BOUND, describe
from infodis_stats.estimates.request import rows_a_call
from infodis_stats.spec import FrontierSpec
from infodis_stats.studies.grid import Samplers, Slot, lay_out
from infodis_stats.studies.groups import Group, make_groups
from infodis_stats.studies.result import Bar, Result
from infodis_stats.studies.subject import Subject
from infodis_stats.studies.truth import item_coords

__all__ = ["find_frontier", "summarise_frontier"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

AVERAGED = (16, 64)  # scored positions of the groups that geometric means run over


def find_frontier(
    subjects: Sequence[Subject],
    spec: FrontierSpec,
    *,
    batch_size: int | None,
    device: torch.device | str,
    bar: Bar,
) -> Result:
    """Run a study of the frontier, subject after subject.

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
    grouped = [
        [replace(group, name=f"{table.name}/{group.name}") for group in make_groups(subject, table)]
        for subject, table in zip(subjects, spec.subjects, strict=True)
    ]
    items = [[item for group in groups for item in group.items] for groups in grouped]
    budgets = [[count for count in spec.passes if count <= (one.most_passes or count)] for one in spec.subjects]
    grids = [lay_out(some, samplers, few, spec.replicates)[0] for some, few in zip(items, budgets, strict=True)]
    runs = [_distinct(subject, cells) for subject, cells in zip(subjects, grids, strict=True)]
    bar.total = sum(cell.planned_passes for cells in runs for cell in cells)
    parts, forward_passes = [], 0
    for subject, table, groups, run in zip(subjects, spec.subjects, grouped, runs, strict=True):
        part = _empty_draws(groups, table.name, samplers, spec)
        rows = rows_a_call(subject.model, batch_size)
        drawn = draw(subject.model, run, spec.seed, batch_size=rows, device=device, progress=bar.update)
        for slots, one in zip(run.values(), drawn, strict=True):
            forward_passes += one.forward_passes
            for item, place, _ in slots:
                slot = item, place, spec.passes.index(one.cell.passes)
                part["estimate"].values[slot] = one.estimates
                part["forward_passes"].values[slot] = one.forward_passes
        if subject.exact:
            part["truth"].values[:] = np.concatenate([group.exact for group in groups if group.exact is not None])
        parts.append(part)
    draws = describe(xr.concat(parts, dim="item"))
    summary, averages = summarise_frontier(draws, roles, spec.rivals, level=spec.level, seed=spec.seed)
    summary["cautions"] = ("estimator", [" ".join(cautions_of(one, spec.replicates)) for one in samplers])
    return Result(
        {"draws": draws, "summary": summary, "subjects": averages},
        forward_passes=forward_passes,
        not_run=_not_run(draws),
        attributes={"quantity": "log_ratio" if spec.contrasts else "nll"},
    )


def _distinct(subject: Subject, cells: Mapping[Slot, Cell]) -> dict[Cell, list[Slot]]:
    """Gather the slots that one cell fills: auto is its choice, which need not be run twice."""
    gathered: dict[tuple[int, str, int], tuple[Cell, list[Slot]]] = {}
    for slot, cell in cells.items():
        settled = replace(cell, sampler=cell.sampler.settled(cell.item, cell.passes, subject.model))
        gathered.setdefault((slot[0], settled.sampler.name, slot[2]), (settled, []))[1].append(slot)
    return dict(gathered.values())


def _role(sampler: Estimator | Contrast) -> str:
    """Say what a sampler may be: auto is one of the others by another name, and some variances mean nothing."""
    one = sampler.estimator if isinstance(sampler, Contrast) else sampler
    if one.name == "auto":
        return "auto"
    return "candidate" if one.unbiased and one.finite_variance else "untrusted"


def _empty_draws(groups: Sequence[Group], subject: str, samplers: Samplers, spec: FrontierSpec) -> xr.Dataset:
    lengths = [_length(group) for group in groups for _ in group.items]
    dims = ["item", "estimator", "passes"]
    shape = (len(lengths), len(samplers), len(spec.passes))
    return xr.Dataset(
        {
            "estimate": ([*dims, "replicate"], np.full((*shape, spec.replicates), np.nan)),
            "forward_passes": (dims, np.full(shape, np.nan)),
            "truth": ("item", np.full(len(lengths), np.nan)),
        },
        coords=item_coords(groups)
        | {
            "subject": ("item", [subject] * len(lengths)),
            "length": ("item", lengths),
            "estimator": [sampler.name for sampler in samplers],
            "passes": np.array(spec.passes),
            "replicate": np.arange(spec.replicates),
        },
    )


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
        The estimators that gains are told against.
    level : float, default 0.95
    seed : int, default 0
        For the bootstrap.

    Returns
    -------
    summary : xarray.Dataset
        Over ``(group, estimator, passes)``: ``variance``, ``exact`` (all replicates agree, on
        nothing that is known to be wrong), ``bias_z`` and ``bias_p``,
        ``regret`` with its interval (see `analysis.regret`; a rival's is the gain of the best estimator over it),
        ``tied`` (not told apart from the best); with ``rival``: ``gain``. ``winner (group, passes)``, empty where there
        is none. An estimator that is biased beyond chance in a cell is no candidate there: its replicates have missed
        what they should have met.
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
    described = describe(summary), describe(averages)
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

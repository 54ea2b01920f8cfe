"""Blocks: single draws of block-diffusion models against exact values, and variances with and without their blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import Cell, Draw, Exhaustive, InputError, Model, Pair, Target
from estimators.model import blocks_of
from infodis_stats import analysis
from infodis_stats.execution import Columns, Section
from infodis_stats.models.without_blocks import WithoutBlocks
from infodis_stats.results.labels import CI_BOUND, describe
from infodis_stats.results.validity import caution_variable, cautions_of
from infodis_stats.studies.blocks.schema import BlocksSpec
from infodis_stats.studies.blocks.variables import VARIABLES
from infodis_stats.studies.design.failed import failed_items
from infodis_stats.studies.design.grid import Grid, Samplers, check_runs, lay_out, settled_cells
from infodis_stats.studies.design.reference_values import item_coords, long_run, long_runs
from infodis_stats.studies.design.result import Result, Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_schema import SubjectSpec
from infodis_stats.studies.design.target_sets import items_of, make_groups

__all__ = ["STRUCTURES", "compare_blocks", "summarise_single", "summarise_variances"]

FloatArray = NDArray[np.float64]

STRUCTURES = ("blocks", "whole sequence")
"""What masks are drawn over: each block for itself, or the whole sequence, as for a model that declares no blocks."""

OFF = 0.1  # of a perplexity: relative error that counts as off
TAILS = (0.05, 0.95)


def compare_blocks(subjects: Sequence[Subject], spec: BlocksSpec) -> Steps:
    """Compare single draws with exact values, and variances with and without blocks, subject by subject.

    Returns
    -------
    Result
        ``truth`` (reference values), ``single`` (every single draw) with its ``single_summary``, ``draws`` (every
        replicate, by structure) with its ``summary``.

    Raises
    ------
    InputError
        If a model declares no blocks, or an estimator cannot run.
    """
    parts = [_part(subject, table, spec) for subject, table in zip(subjects, spec.subjects, strict=True)]
    check_runs([part.single for part in parts])
    check_runs([drawn.grid for part in parts for drawn in part.structures])
    stored = iter((yield [section for part in parts for section in _sections(part, spec)]))
    columns = [tuple(next(stored) for _ in range(2 + len(STRUCTURES))) for _ in parts]
    labelled = [_label(part, drawn, spec) for part, drawn in zip(parts, columns, strict=True)]
    failed: dict[str, str] = {}
    for part, drawn, of_part in zip(parts, columns, labelled, strict=True):
        failed |= failed_items(of_part[0]["item"].values.tolist(), *_problems(part, drawn))
    truth, single, draws = (
        _without(describe(xr.concat(dataset, dim="item"), VARIABLES), failed) for dataset in zip(*labelled, strict=True)
    )
    single_summary = summarise_single(single, truth)
    single_summary["cautions"] = _cautions(spec.single_samplers(), spec.draws)
    summary = summarise_variances(draws, truth, level=spec.level)
    summary["cautions"] = _cautions(spec.samplers(), spec.replicates)
    summary["chosen"] = xr.concat([_chosen(part, spec) for part in parts], dim="subject")
    summary["block_size"] = "subject", [part.block_size for part in parts]
    datasets = {"truth": truth, "single": single, "single_summary": single_summary, "draws": draws, "summary": summary}
    return Result(
        {name: describe(dataset, VARIABLES) for name, dataset in datasets.items()},
        forward_passes=sum(int(np.nansum(each["forward_passes"])) for drawn in columns for each in drawn[1:]),
        not_run=[reason for part in parts for drawn in part.structures for reason in drawn.grid.not_run],
        failed=failed,
        attributes={},
    )


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A grid under a model that declares its blocks, or does not."""

    model: Model
    grid: Grid
    cells: list[Cell]  # distinct cells to run: auto shares those of the estimator it chooses
    owners: NDArray[np.int64]  # index of the cell that fills each slot of the grid
    rows: NDArray[np.int64]  # index of each item of the grid among those of the part


@dataclass(frozen=True, eq=False)
class _Part:
    """The part of a study for one subject."""

    name: str
    model: Model
    block_size: int
    items: list[Target | Pair]
    coords: Mapping[str, tuple[str, list[str]]]
    single: Grid
    structures: tuple[_Drawn, ...]  # in the order of STRUCTURES


def _part(subject: Subject, table: SubjectSpec, spec: BlocksSpec) -> _Part:
    blocks = blocks_of(subject.model)
    if blocks is None:
        raise InputError(
            f"subject {table.name!r}: the model declares no blocks: a study of blocks needs a block-diffusion model, "
            "which has an attribute block_size"
        )
    groups = [replace(group, name=f"{table.name}/{group.name}") for group in make_groups(subject, table)]
    items, rows = items_of(groups), _first_rows([len(group.items) for group in groups], spec.texts)
    passes = [count for count in spec.passes if count <= (table.most_passes or count)]
    whole = [replace(items[row], blocks=()) for row in rows]
    structures = []
    for model, chosen in ((subject.model, [items[row] for row in rows]), (WithoutBlocks(subject.model), whole)):
        grid = lay_out(chosen, spec.samplers(), passes, spec.replicates, model)
        structures.append(_Drawn(model, grid, *settled_cells(grid, model), rows))
    single = lay_out(items, spec.single_samplers(), [1], spec.draws, subject.model)
    coords = item_coords(groups) | {"subject": ("item", [table.name] * len(items))}
    return _Part(table.name, subject.model, blocks.size, items, coords, single, tuple(structures))


def _first_rows(sizes: Sequence[int], most: int | None) -> NDArray[np.int64]:
    """Return the rows of the first items of each group."""
    starts = np.cumsum([0, *sizes[:-1]])
    return np.concatenate(
        [start + np.arange(min(size, most or size)) for start, size in zip(starts, sizes, strict=True)]
    )


def _sections(part: _Part, spec: BlocksSpec) -> list[Section]:
    """Return the long runs, the single draws, and the draws with and without blocks, all independent of one another."""
    truth = replace(long_runs(part.model, part.items, passes=spec.truth_passes, seed=spec.seed), may_fail=True)
    seeds = np.random.SeedSequence(spec.seed).spawn(2 + len(STRUCTURES))[1:]
    columns = {"estimate": (spec.draws,), "forward_passes": ()}
    single = Section(
        f"single draws of {part.name}", part.model, part.single, seeds[0], columns, _statistics, may_fail=True
    )
    columns = {"estimate": (spec.replicates,), "forward_passes": ()}
    structures = [
        Section(f"draws of {part.name}, {name}", drawn.model, drawn.cells, seed, columns, _statistics, may_fail=True)
        for name, drawn, seed in zip(STRUCTURES, part.structures, seeds[1:], strict=True)
    ]
    return [truth, single, *structures]


def _statistics(draw: Draw) -> dict[str, ArrayLike]:
    return {"estimate": draw.estimates, "forward_passes": draw.forward_passes}


def _problems(part: _Part, columns: Sequence[Columns]) -> list[tuple[NDArray[np.str_], NDArray[np.int64]]]:
    """Return the problems of the cells of each section, and the index of each cell's item."""
    truth, single, *structures = columns
    owners = [
        (each.problems[drawn.owners], drawn.rows[drawn.grid.slots[:, 0]])
        for each, drawn in zip(structures, part.structures, strict=True)
    ]
    return [(truth.problems, np.arange(len(part.items))), (single.problems, part.single.slots[:, 0]), *owners]


def _label(part: _Part, columns: Sequence[Columns], spec: BlocksSpec) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """Label the reference values, the single draws, and the draws with and without blocks of a subject."""
    known, single, *structures = columns
    exact = [isinstance(long_run(item, spec.truth_passes, part.model).sampler, Exhaustive) for item in part.items]
    truth = xr.Dataset(
        {
            "truth": ("item", known["value"]),
            "truth_se": ("item", known["error"]),
            "enumerated": ("item", np.array(exact)),
            "length": ("item", [side.length for item in part.items for side in item.sides]),
        },
        coords=dict(part.coords),
    )
    dims = ["item", "estimator"]
    of_single = part.single.filled(single["estimate"])[:, :, 0]
    drawn_single = xr.Dataset(
        {"estimate": ([*dims, "draw"], of_single)},
        coords=dict(truth.coords) | {"estimator": list(spec.single), "draw": np.arange(spec.draws)},
    )
    values = [
        drawn.grid.filled(each["estimate"][drawn.owners])
        for each, drawn in zip(structures, part.structures, strict=True)
    ]
    first = part.structures[0]
    draws = xr.Dataset(
        {"estimate": (["structure", *dims, "passes", "replicate"], np.stack(values))},
        coords=dict(truth.isel(item=first.rows).coords)
        | {
            "structure": list(STRUCTURES),
            "estimator": list(spec.estimators),
            "passes": np.array(first.grid.passes),
            "replicate": np.arange(spec.replicates),
        },
    )
    return truth, drawn_single, draws.reindex(passes=list(spec.passes))


def _without(dataset: xr.Dataset, failed: Mapping[str, str]) -> xr.Dataset:
    return dataset.isel(item=~dataset["item"].isin(list(failed)).values)


def _chosen(part: _Part, spec: BlocksSpec) -> xr.DataArray:
    """Return what sampled the first text: (structure, estimator, passes), empty where nothing could."""
    names = np.full((len(STRUCTURES), len(spec.estimators), len(spec.passes)), "", dtype=object)
    for row, drawn in enumerate(part.structures):
        for (item, sampler, column), owner in zip(drawn.grid.slots.tolist(), drawn.owners.tolist(), strict=True):
            if item == 0:
                place = spec.passes.index(drawn.grid.passes[column])
                names[row, sampler, place] = drawn.cells[owner].sampler.name
    dims = ["structure", "estimator", "passes"]
    coords = dict(zip(dims, (list(STRUCTURES), list(spec.estimators), list(spec.passes)), strict=True))
    return xr.DataArray(names.astype(str), coords, dims).expand_dims(subject=[part.name])


def _cautions(samplers: Samplers, replicates: int) -> xr.DataArray:
    return caution_variable(["estimator"], [cautions_of(sampler, replicates) for sampler in samplers], [len(samplers)])


def summarise_single(single: xr.Dataset, truth: xr.Dataset) -> xr.Dataset:
    """Compare single draws with reference values, text by text and over the texts of each subject.

    Parameters
    ----------
    single : xarray.Dataset
        ``estimate (item, estimator, draw)`` in nats, with a coordinate ``subject`` on the items.
    truth : xarray.Dataset
        ``truth (item)`` and ``truth_se (item)`` in nats, and ``length (item)`` in tokens.

    Returns
    -------
    xarray.Dataset
        Errors are estimate minus truth in bits per token; a draw of the whole set takes the draws of one number of all
        its texts together. Over ``(item, estimator)``: ``item_sd``, ``item_median``, ``item_range`` (5 and 95 %
        quantiles) and ``item_off`` (share of perplexities that are off by more than 10 %). Over ``(subject,
        estimator)``: the same over all texts, ``text_sd`` (root mean square), ``text_range``, ``text_off``; of the set,
        ``set_sd``, ``set_range``, ``set_off``; and ``bias_z`` and ``bias_p`` of the mean error. Over ``(subject)``:
        ``texts``, ``bits`` and ``bits_se`` (the reference value per token of the whole set).
    """
    subjects = list(dict.fromkeys(truth["subject"].values.tolist()))
    values = single["estimate"].transpose("item", "estimator", "draw").values
    length = truth["length"].values[:, None, None]
    errors = (values - truth["truth"].values[:, None, None]) / length
    parts = [
        _single_part(values[member], errors[member], truth.isel(item=member))
        for member in ((truth["subject"] == subject).values for subject in subjects)
    ]
    summary = xr.concat(parts, dim="subject").assign_coords(subject=subjects)
    summary["bias_p"] = ("subject", "estimator"), analysis.family_wise(summary["bias_p"].values)
    of_items = {
        "item_sd": (["item", "estimator"], errors.std(axis=-1, ddof=1) / np.log(2)),
        "item_median": (["item", "estimator"], np.median(errors, axis=-1) / np.log(2)),
        "item_range": (["item", "estimator", "tail"], _tails(errors, axis=-1)),
        "item_off": (["item", "estimator"], _off(errors).mean(axis=-1)),
    }
    return summary.assign(of_items).assign_coords(
        estimator=single["estimator"].values,
        item=single["item"].values,
        owner=("item", truth["subject"].values),
        tail=list(TAILS),
    )


def _single_part(values: FloatArray, errors: FloatArray, truth: xr.Dataset) -> xr.Dataset:
    """Summarise single draws (item, estimator, draw) of a subject, in nats, and their errors in nats per token."""
    tokens = truth["length"].values.sum()
    whole = (values.sum(axis=0) - truth["truth"].values.sum()) / tokens
    every = errors.swapaxes(0, 1).reshape(errors.shape[1], -1)
    bias = analysis.pooled_bias(
        values.swapaxes(0, 1), truth["truth"].values, axis=-1, truth_se=truth["truth_se"].values
    )
    return xr.Dataset(
        {
            "texts": len(values),
            "bits": truth["truth"].values.sum() / tokens / np.log(2),
            "bits_se": np.sqrt((truth["truth_se"].values ** 2).sum()) / tokens / np.log(2),
            "text_sd": ("estimator", np.sqrt(errors.var(axis=-1, ddof=1).mean(axis=0)) / np.log(2)),
            "text_range": (["estimator", "tail"], _tails(every, axis=-1)),
            "text_off": ("estimator", _off(every).mean(axis=-1)),
            "set_sd": ("estimator", whole.std(axis=-1, ddof=1) / np.log(2)),
            "set_range": (["estimator", "tail"], _tails(whole, axis=-1)),
            "set_off": ("estimator", _off(whole).mean(axis=-1)),
            "bias_z": ("estimator", bias.z),
            "bias_p": ("estimator", bias.p_value),
        }
    )


def _tails(errors: FloatArray, axis: int) -> FloatArray:
    """Return quantiles in bits along a new last axis."""
    quantiles: FloatArray = np.quantile(errors, TAILS, axis=axis) / np.log(2)
    return np.moveaxis(quantiles, 0, -1)


def _off(errors: FloatArray) -> NDArray[np.bool_]:
    """Return which perplexities per token are off, given errors in nats per token."""
    off: NDArray[np.bool_] = np.abs(np.expm1(errors)) > OFF
    return off


def summarise_variances(draws: xr.Dataset, truth: xr.Dataset, *, level: float = 0.95) -> xr.Dataset:
    """Compare the variances without blocks with those with blocks.

    Parameters
    ----------
    draws : xarray.Dataset
        ``estimate (structure, item, estimator, passes, replicate)`` in nats; items have a coordinate ``subject``.
    truth : xarray.Dataset
        As in `summarise_single`, of these items or more.
    level : float, default 0.95

    Returns
    -------
    xarray.Dataset
        Over ``(subject, structure, estimator, passes)``: ``standard_error`` of one replicate in bits per token, root
        mean square over texts, ``bias_z`` and ``bias_p``. Over ``(subject, estimator, passes)``: ``ratio``, the
        variance without blocks over that with blocks, geometric mean over texts, with its interval, and
        ``exact_texts``, the number of texts on which it is infinite, which the mean leaves out. Over ``(subject,
        estimator)``: ``mean_ratio``, the geometric mean over texts and passes, with its interval. Over ``(subject)``:
        ``compared``, the number of texts.
    """
    known = truth.sel(item=draws["item"].values)
    subjects = list(dict.fromkeys(draws["subject"].values.tolist()))
    draws = draws.sel(structure=list(STRUCTURES))
    estimates = draws["estimate"].transpose("structure", "estimator", "passes", "item", "replicate").values
    parts = [
        _variances_part(estimates[..., member, :], known.isel(item=member), level)
        for member in ((draws["subject"] == subject).values for subject in subjects)
    ]
    summary = xr.concat(parts, dim="subject").assign_coords(
        {"subject": subjects, CI_BOUND[0]: CI_BOUND[1]}
        | {name: draws[name].values for name in ("structure", "estimator", "passes")}
    )
    summary["bias_p"] = summary["bias_p"].dims, analysis.family_wise(summary["bias_p"].values)
    summary.attrs = {"ci_prob": level, "family": "Holm over all subjects, structures, estimators and passes"}
    return summary


def _variances_part(estimates: FloatArray, known: xr.Dataset, level: float) -> xr.Dataset:
    """Summarise the draws (structure, estimator, passes, item, replicate) of a subject."""
    bias = analysis.pooled_bias(estimates, known["truth"].values, axis=-1, truth_se=known["truth_se"].values)
    per_token = analysis.variance(estimates) / known["length"].values ** 2
    logs = analysis.log_variance(estimates[..., None, :])
    with_blocks, whole = range(len(STRUCTURES))
    with np.errstate(invalid="ignore"):
        gaps = logs.estimate[whole] - logs.estimate[with_blocks]
    errors = np.hypot(logs.standard_error[whole], logs.standard_error[with_blocks])
    mean = analysis.geometric_mean(np.moveaxis(gaps, -1, 0), np.moveaxis(errors, -1, 0), level)
    every_gap, every_error = (values.reshape(len(values), -1).T for values in (gaps, errors))
    run = np.where(np.isnan(every_gap), np.inf, every_gap)  # the mean leaves out what is infinite
    over_passes = analysis.geometric_mean(run, every_error, level)
    cells = ["structure", "estimator", "passes"]
    return xr.Dataset(
        {
            "standard_error": (cells, np.sqrt(per_token.mean(axis=-1)) / np.log(2)),
            "bias_z": (cells, bias.z),
            "bias_p": (cells, bias.p_value),
            "ratio": (cells[1:], mean.mean),
            "ratio_ci": ([*cells[1:], CI_BOUND[0]], np.stack([mean.lower, mean.upper], axis=-1)),
            "exact_texts": (cells[1:], mean.infinite),
            "mean_ratio": ("estimator", over_passes.mean),
            "mean_ratio_ci": (["estimator", CI_BOUND[0]], np.stack([over_passes.lower, over_passes.upper], axis=-1)),
            "compared": estimates.shape[-2],
        }
    )

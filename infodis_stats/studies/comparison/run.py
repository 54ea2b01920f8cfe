"""Comparisons of estimators: targets x estimators x passes x replicates, each cell with its own random stream."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import Auto, Draw, Estimator
from estimators.estimator import estimator_of
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.execution import Columns, Section
from infodis_stats.results.labels import CI_BOUND, describe
from infodis_stats.results.validity import Caution, caution_variable, cautions_of
from infodis_stats.studies.comparison.lead import lead_of
from infodis_stats.studies.comparison.schema import ComparedSpec, ComparisonSpec
from infodis_stats.studies.comparison.summary import summarise
from infodis_stats.studies.comparison.variables import VARIABLES
from infodis_stats.studies.design.chosen import Chosen, chosen_samplers
from infodis_stats.studies.design.failed import failed_items
from infodis_stats.studies.design.grid import Grid, Samplers, check_runs, lay_out
from infodis_stats.studies.design.reference_values import item_coords, truth_dataset, truth_owners, truth_sections
from infodis_stats.studies.design.result import Result, Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_schema import Scored, SubjectSpec
from infodis_stats.studies.design.target_sets import Group, items_of, make_groups

__all__ = ["compare_estimators", "compare_subjects", "draws_dataset", "draws_section", "summary_dataset"]


def compare_estimators(subjects: Sequence[Subject], spec: ComparisonSpec) -> Steps:
    """Compare estimators, subject by subject, and subjects on the items that they share.

    Returns
    -------
    Result
        ``draws`` (every replicate), ``truth`` (reference values and loss profiles) and ``summary`` (by
        group, estimator and passes), without the items on which the model failed; if subjects share items, ``subjects``
        (see `compare_subjects`).
    """
    samplers, tables = spec.samplers(), spec.tables()
    grouped = [_named_groups(subject, table) for subject, table in zip(subjects, tables, strict=True)]
    budgets = [
        [count for count in spec.passes if count <= (getattr(table, "most_passes", None) or count)] for table in tables
    ]
    grids = [
        lay_out(items_of(groups), samplers, passes, spec.replicates, subject.model)
        for subject, groups, passes in zip(subjects, grouped, budgets, strict=True)
    ]
    check_runs(grids)
    sections = [
        section
        for subject, groups, grid in zip(subjects, grouped, grids, strict=True)
        for section in (
            draws_section(subject, grid, spec.seed),
            *truth_sections(subject, groups, samplers, passes=spec.truth_passes, seed=spec.seed),
        )
    ]
    stored = iter((yield [replace(section, may_fail=True) for section in sections]))
    parts, truths = [], []
    failed: dict[str, str] = {}
    for subject, groups, grid in zip(subjects, grouped, grids, strict=True):
        drawn, truth_columns = next(stored), [next(stored) for _ in range(3)]
        parts.append(draws_dataset(groups, grid, drawn).reindex(passes=list(spec.passes)))
        truths.append(truth_dataset(subject, groups, samplers, truth_columns))
        names, owners = parts[-1]["item"].values.tolist(), truth_owners(subject, groups)
        known_problems = ((columns.problems, items) for columns, items in zip(truth_columns, owners, strict=True))
        failed |= failed_items(names, (drawn.problems, grid.slots[:, 0]), *known_problems)
    draws, truth = _joined(parts), _joined(truths)
    kept = [name for name in draws["item"].values.tolist() if name not in failed]
    draws, truth = draws.sel(item=kept), truth.sel(item=kept)
    chosen = chosen_samplers(subjects, grouped, grids)
    datasets = {"draws": draws, "truth": truth, "summary": summary_dataset(draws, truth, spec, chosen)}
    shared = _shared(spec)
    if shared:
        datasets["subjects"] = compare_subjects(draws, truth, shared, samplers, level=spec.level, seed=spec.seed)
    return Result(
        datasets,
        forward_passes=int(np.nansum(draws["forward_passes"].values)),
        not_run=[reason for grid in grids for reason in grid.not_run],
        failed=failed,
        attributes={
            "truth_passes": spec.truth_passes,
            "quantity": "log_ratio" if any(table.pairs for table in tables) else "nll",
        },
    )


def _named_groups(subject: Subject, table: Scored) -> list[Group]:
    """Make the groups of a subject, after its name if there are several."""
    groups = make_groups(subject, table)
    if not isinstance(table, SubjectSpec):
        return groups
    return [replace(group, name=f"{table.name}/{group.name}") for group in groups]


def _joined(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Join the items of all subjects; NaN where only some have a variable."""
    if len(parts) == 1:
        return parts[0]
    variables = {name: variable for part in parts for name, variable in part.data_vars.items()}
    every = [
        part.assign({name: ("item", np.full(part.sizes["item"], np.nan)) for name in variables if name not in part})
        for part in parts
    ]
    return describe(xr.concat(every, dim="item"), VARIABLES)


def _shared(spec: ComparisonSpec) -> dict[str, list[tuple[str, str]]]:
    """Return the groups that several subjects score alike: by the name of each, the subjects and the names there."""
    found: dict[str, list[tuple[str, str]]] = {}
    known: dict[str, tuple[object, object]] = {}
    for subject in spec.subjects:
        for table in subject.groups:
            made_of = (table, subject.law if table.drawn else None)
            if known.setdefault(table.name, made_of) == made_of:
                found.setdefault(table.name, []).append((subject.name, f"{subject.name}/{table.name}"))
    return {name: groups for name, groups in found.items() if len(groups) > 1}


def compare_subjects(
    draws: xr.Dataset,
    truth: xr.Dataset,
    shared: Mapping[str, Sequence[tuple[str, str]]],
    samplers: Samplers,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    """Compare subjects on the items that they share: their values, and the least variance at equal passes.

    Each subject has its own best estimator, which may be of another family; those that are biased or have infinite
    variance by construction are left out.

    Parameters
    ----------
    draws, truth : xarray.Dataset
        As `compare_estimators` returns them, without failed items.
    shared : mapping of str to sequence of tuple of str
        Names of shared groups; for each, the subjects and the names of their groups. Ratios are relative to the first.
    samplers : sequence of Estimator or of Contrast
        In the order of the draws.
    level : float, default 0.95
    seed : int, default 0
        For the bootstrap.

    Returns
    -------
    xarray.Dataset
        Over ``(shared, subject)``: ``value`` (nats per item) and ``value_se`` (of the reference values), ``bits`` per
        scored position (NaN for pairs, and where the subjects score different numbers of positions, as characters and
        subwords do), ``items``; over ``(shared, subject, passes)``: ``best``, ``best_variance``, and ``lead``, how many
        times less variance the subject has than the first, with ``lead_ci``. Averages run over the items that succeeded
        under all subjects of the group.
    """
    # Where auto has the draws of another estimator, that one is named: it comes first.
    order = sorted(range(len(samplers)), key=lambda row: isinstance(estimator_of(samplers[row]), Auto))
    draws, samplers = draws.isel(estimator=order), [samplers[row] for row in order]
    estimators = [estimator_of(sampler) for sampler in samplers]
    sound = np.array([estimator.unbiased and estimator.finite_variance for estimator in estimators])
    names = np.array([*(sampler.name for sampler in samplers), ""])
    subjects = list(dict.fromkeys(subject for groups in shared.values() for subject, _ in groups))
    size = len(shared), len(subjects), draws.sizes["passes"]
    value, error, bits, items = (np.full(size[:2], np.nan) for _ in range(4))
    best, variance, lead = np.full(size, "", dtype=names.dtype), np.full(size, np.nan), np.full((*size, 3), np.nan)
    for row, (name, groups) in enumerate(shared.items()):
        numbers = [
            {item.removeprefix(f"{group}/") for item in truth["item"].values[(truth["group"] == group).values].tolist()}
            for _, group in groups
        ]
        common = sorted(set.intersection(*numbers), key=int)
        if not common:
            continue
        lengths = [truth["length"].sel(item=[f"{group}/{number}" for number in common]).values for _, group in groups]
        alike = all(np.array_equal(length, lengths[0]) for length in lengths)
        first: NDArray[np.float64] | None = None
        for subject, group in groups:
            column, members = subjects.index(subject), [f"{group}/{number}" for number in common]
            known, part = truth.sel(item=members), draws["estimate"].sel(item=members).values.transpose(1, 2, 0, 3)
            value[row, column] = known["truth"].mean()
            error[row, column] = np.sqrt((known["truth_se"] ** 2).sum()) / len(members)
            if alike and isinstance(samplers[0], Estimator):  # a log-ratio is of two sequences
                bits[row, column] = (known["truth"].sum() / known["length"].sum()) / np.log(2)
            items[row, column] = len(members)
            first = part if first is None else first
            compared = lead_of(first, part, (sound, sound), stream(root_seed(seed), "subjects", name, subject), level)
            best[row, column] = names[compared.second]
            lead[row, column] = 1.0 if part is first else compared.ratio
            spread = analysis.variance(part).mean(axis=-1)
            chosen = spread[compared.second, np.arange(size[2])]
            variance[row, column] = np.where(compared.second >= 0, chosen, np.nan)
    cells = ["shared", "subject"]
    return describe(
        xr.Dataset(
            {
                "value": (cells, value),
                "value_se": (cells, error),
                "bits": (cells, bits),
                "items": (cells, items),
                "best": ([*cells, "passes"], best),
                "best_variance": ([*cells, "passes"], variance),
                "lead": ([*cells, "passes"], lead[..., 0]),
                "lead_ci": ([*cells, "passes", CI_BOUND[0]], lead[..., 1:]),
            },
            coords={
                "shared": list(shared),
                "subject": subjects,
                "passes": draws["passes"].values,
                CI_BOUND[0]: CI_BOUND[1],
            },
        ),
        VARIABLES,
    )


def draws_section(subject: Subject, grid: Grid, seed: int) -> Section:
    """Return the section that draws a grid of a subject."""
    columns = {"estimate": (grid.replicates,), "forward_passes": (), "khat": ()}
    return Section("draws", subject.model, grid, seed, columns, _statistics)


def draws_dataset(groups: Sequence[Group], grid: Grid, drawn: Columns) -> xr.Dataset:
    """Label the statistics of a grid.

    Returns
    -------
    xarray.Dataset
        ``estimate (item, estimator, passes, replicate)``, ``forward_passes`` and ``khat (item, estimator, passes)``,
        NaN where nothing could be run.
    """
    dims = ["item", "estimator", "passes"]
    return describe(
        xr.Dataset(
            {
                "estimate": ([*dims, "replicate"], grid.filled(drawn["estimate"])),
                "forward_passes": (dims, grid.filled(drawn["forward_passes"])),
                "khat": (dims, grid.filled(drawn["khat"])),
            },
            coords=item_coords(groups)
            | {
                "estimator": [sampler.name for sampler in grid.samplers],
                "passes": np.array(grid.passes),
                "replicate": np.arange(grid.replicates),
            },
        ),
        VARIABLES,
    )


def summary_dataset(draws: xr.Dataset, truth: xr.Dataset, spec: ComparedSpec, chosen: Chosen) -> xr.Dataset:
    """Summarise draws and add ``cautions (group, estimator, caution)``: which hold for at least one item.

    ``auto`` has the cautions of what it chose (see `chosen_samplers`), and an estimator that gave the truth in all
    replicates has no few-hard-tokens.
    """
    summary = summarise(
        draws,
        truth,
        reference=spec.reference,
        level=spec.level,
        interval_replicates=spec.interval_replicates,
        seed=spec.seed,
    )
    cells: list[list[Caution]] = []
    for group in summary["group"].values.tolist():
        member = (truth["group"] == group).values
        effective = truth["effective_positions"].values[member]
        ratio = truth["full_mask_ratio"].values[member]
        for sampler in spec.samplers():
            keys = [(group, sampler.name, passes) for passes in spec.passes]
            ran = [one for key in keys for one in chosen.get(key, [])] or [sampler]
            found = (cautions_of(one, spec.interval_replicates, effective, ratio) for one in ran)
            cells.append([caution for cautions in found for caution in cautions])
    dims = ["group", "estimator"]
    cautions = caution_variable(dims, cells, [summary.sizes[name] for name in dims])
    # Intervals that are points at the truth have no coverage that could be below nominal.
    cautions.loc[{"caution": "few-hard-tokens"}] &= ~_is_exact(summary, float(analysis.rounding(truth["truth"]).max()))
    summary["cautions"] = cautions
    return summary


def _is_exact(summary: xr.Dataset, slack: float) -> xr.DataArray:
    """Return which estimators gave the truth up to rounding in all cells that were run: (group, estimator)."""
    error = summary["mse"] ** 0.5
    return (error.fillna(0.0) <= slack).all("passes") & error.notnull().any("passes")


def _statistics(draw: Draw) -> dict[str, ArrayLike]:
    """Return the statistics of a draw that a study stores."""
    terms = [evaluation.terms for evaluation in draw.evaluations]
    spread = terms[0] if len(terms) == 1 else np.abs(terms[1] - terms[0])
    return {
        "estimate": draw.estimates,
        "forward_passes": draw.forward_passes,
        "khat": float(analysis.pareto_khat(spread.ravel())),
    }

"""Comparisons of estimators: targets x estimators x passes x replicates, each cell with its own random stream."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from estimators import Draw
from infodis_stats import analysis
from infodis_stats.execution import Columns, Section
from infodis_stats.results.labels import describe
from infodis_stats.results.validity import Caution, caution_variable, cautions_of
from infodis_stats.studies.comparison.schema import ComparedSpec, ComparisonSpec
from infodis_stats.studies.comparison.summary import summarise
from infodis_stats.studies.comparison.variables import VARIABLES
from infodis_stats.studies.design.failed import failed_items
from infodis_stats.studies.design.grid import Grid, check_runs, lay_out
from infodis_stats.studies.design.reference_values import item_coords, truth_dataset, truth_owners, truth_sections
from infodis_stats.studies.design.result import Result, Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_sets import Group, items_of, make_groups

__all__ = ["compare_estimators", "draws_dataset", "draws_section", "summary_dataset"]


def compare_estimators(subjects: Sequence[Subject], spec: ComparisonSpec) -> Steps:
    """Compare estimators.

    Returns
    -------
    Result
        ``draws`` (every replicate), ``truth`` (reference values and loss profiles) and ``summary`` (by
        group, estimator and passes), without the items on which the model failed.
    """
    (subject,) = subjects
    samplers = spec.samplers()
    groups = make_groups(subject, spec)
    grid = lay_out(items_of(groups), samplers, spec.passes, spec.replicates)
    check_runs([grid])
    known = truth_sections(subject, groups, samplers, passes=spec.truth_passes, seed=spec.seed)
    sections = [draws_section(subject, grid, spec.seed), *known]
    drawn, *truth_columns = yield [replace(section, may_fail=True) for section in sections]
    draws, truth = draws_dataset(groups, grid, drawn), truth_dataset(subject, groups, samplers, truth_columns)
    names = draws["item"].values.tolist()
    owners = truth_owners(subject, groups)
    known_problems = ((columns.problems, items) for columns, items in zip(truth_columns, owners, strict=True))
    failed = failed_items(names, (drawn.problems, grid.slots[:, 0]), *known_problems)
    kept = [name for name in names if name not in failed]
    draws, truth = draws.sel(item=kept), truth.sel(item=kept)
    return Result(
        {"draws": draws, "truth": truth, "summary": summary_dataset(draws, truth, spec)},
        forward_passes=int(np.nansum(draws["forward_passes"].values)),
        not_run=grid.not_run,
        failed=failed,
        attributes={"truth_passes": spec.truth_passes, "quantity": "log_ratio" if spec.pairs else "nll"},
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


def summary_dataset(draws: xr.Dataset, truth: xr.Dataset, spec: ComparedSpec) -> xr.Dataset:
    """Summarise draws and add ``cautions (group, estimator, caution)``: which hold for at least one item."""
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
        cells += [cautions_of(sampler, spec.interval_replicates, effective, ratio) for sampler in spec.samplers()]
    dims = ["group", "estimator"]
    summary["cautions"] = caution_variable(dims, cells, [summary.sizes[name] for name in dims])
    return summary


def _statistics(draw: Draw) -> dict[str, ArrayLike]:
    """Return the statistics of a draw that a study stores."""
    terms = [evaluation.terms for evaluation in draw.evaluations]
    spread = terms[0] if len(terms) == 1 else np.abs(terms[1] - terms[0])
    return {
        "estimate": draw.estimates,
        "forward_passes": draw.forward_passes,
        "khat": float(analysis.pareto_khat(spread.ravel())),
    }

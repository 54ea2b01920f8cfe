"""Comparisons of estimators: targets x estimators x passes x replicates, each cell with random numbers of its own."""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import Draw, draw
from infodis_stats import analysis
from infodis_stats.cautions import cautions_of
from infodis_stats.dataset import describe, summarise
from infodis_stats.spec import ComparisonSpec
from infodis_stats.studies.grid import Samplers, Slot, lay_out
from infodis_stats.studies.groups import Group, make_groups
from infodis_stats.studies.result import Bar, Result
from infodis_stats.studies.subject import Subject
from infodis_stats.studies.truth import item_coords, long_run, truth_dataset

__all__ = ["compare_estimators"]


def compare_estimators(
    subject: Subject, spec: ComparisonSpec, *, batch_size: int | None, device: torch.device | str, bar: Bar
) -> Result:
    """Run a comparison of estimators.

    Returns
    -------
    Result
        ``draws`` (every replicate), ``truth`` (what they are compared with, and loss profiles) and ``summary`` (by
        group, estimator and passes).
    """
    samplers = spec.samplers()
    groups = make_groups(subject, spec)
    items = [item for group in groups for item in group.items]
    cells, not_run = lay_out(items, samplers, spec.passes, spec.replicates)
    long_runs = [] if subject.exact else [long_run(item, spec.truth_passes) for item in items]
    bar.total = sum(cell.planned_passes for cell in (*cells.values(), *long_runs))
    drawn = draw(subject.model, cells.values(), spec.seed, batch_size=batch_size, device=device, progress=bar.update)
    draws = _draws_dataset(groups, samplers, spec, dict(zip(cells, map(_statistics, drawn), strict=True)))
    truth = truth_dataset(
        subject,
        groups,
        samplers,
        passes=spec.truth_passes,
        seed=spec.seed,
        batch_size=batch_size,
        device=device,
        progress=bar.update,
    )
    summary = summarise(
        draws,
        truth,
        reference=spec.reference,
        level=spec.level,
        interval_replicates=spec.interval_replicates,
        seed=spec.seed,
    )
    summary["cautions"] = (["group", "estimator"], _cautions(groups, samplers, truth, spec.interval_replicates))
    return Result(
        {"draws": draws, "truth": truth, "summary": summary},
        forward_passes=int(np.nansum(draws["forward_passes"].values)),
        not_run=not_run,
        attributes={"truth_passes": spec.truth_passes, "quantity": "log_ratio" if spec.pairs else "nll"},
    )


Statistics = tuple[NDArray[np.float64], int, float]


def _statistics(one: Draw) -> Statistics:
    """Keep of a draw what a study stores; its losses are let go."""
    terms = [evaluation.terms for evaluation in one.evaluations]
    spread = terms[0] if len(terms) == 1 else np.abs(terms[1] - terms[0])
    return one.estimates, one.forward_passes, float(analysis.pareto_khat(spread.ravel()))


def _draws_dataset(
    groups: Sequence[Group], samplers: Samplers, spec: ComparisonSpec, statistics: dict[Slot, Statistics]
) -> xr.Dataset:
    shape = (sum(len(group.items) for group in groups), len(samplers), len(spec.passes))
    estimates = np.full((*shape, spec.replicates), np.nan)
    forward_passes, khat = np.full(shape, np.nan), np.full(shape, np.nan)
    for slot, values in statistics.items():
        estimates[slot], forward_passes[slot], khat[slot] = values
    dims = ["item", "estimator", "passes"]
    return describe(
        xr.Dataset(
            {
                "estimate": ([*dims, "replicate"], estimates),
                "forward_passes": (dims, forward_passes),
                "khat": (dims, khat),
            },
            coords=item_coords(groups)
            | {
                "estimator": [sampler.name for sampler in samplers],
                "passes": np.array(spec.passes),
                "replicate": np.arange(spec.replicates),
            },
        )
    )


def _cautions(groups: Sequence[Group], samplers: Samplers, truth: xr.Dataset, replicates: int) -> list[list[str]]:
    rows = []
    for group in groups:
        member = (truth["group"] == group.name).values
        effective = truth["effective_positions"].values[member]
        ratio = truth["full_mask_ratio"].values[member]
        rows.append([" ".join(cautions_of(sampler, replicates, effective, ratio)) for sampler in samplers])
    return rows

"""Comparisons of estimators: targets x estimators x passes x replicates, each cell with random numbers of its own."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import Cell, Draw, draw
from infodis_stats import analysis
from infodis_stats.cautions import cautions_of
from infodis_stats.dataset import describe, summarise
from infodis_stats.spec import ComparedSpec, ComparisonSpec
from infodis_stats.studies.grid import Slot, lay_out
from infodis_stats.studies.groups import Group, make_groups
from infodis_stats.studies.result import Bar, Result
from infodis_stats.studies.subject import Subject
from infodis_stats.studies.truth import item_coords, long_run, truth_dataset

__all__ = ["compare_estimators", "draws_dataset", "summary_dataset"]


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
    draws = draws_dataset(subject, groups, cells, spec, batch_size=batch_size, device=device, bar=bar)
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
    return Result(
        {"draws": draws, "truth": truth, "summary": summary_dataset(draws, truth, spec)},
        forward_passes=int(np.nansum(draws["forward_passes"].values)),
        not_run=not_run,
        attributes={"truth_passes": spec.truth_passes, "quantity": "log_ratio" if spec.pairs else "nll"},
    )


def draws_dataset(
    subject: Subject,
    groups: Sequence[Group],
    cells: Mapping[Slot, Cell],
    spec: ComparedSpec,
    *,
    batch_size: int | None,
    device: torch.device | str,
    bar: Bar,
) -> xr.Dataset:
    """Draw the grid of a subject.

    Parameters
    ----------
    cells : mapping of Slot to Cell
        What `lay_out` made of the groups' items, the estimators of the study and its passes.

    Returns
    -------
    xarray.Dataset
        ``estimate (item, estimator, passes, replicate)``, ``forward_passes`` and ``khat (item, estimator, passes)``,
        NaN where nothing could be run; see `summarise`.
    """
    samplers = spec.samplers()
    shape = (sum(len(group.items) for group in groups), len(samplers), len(spec.passes))
    estimates = np.full((*shape, spec.replicates), np.nan)
    forward_passes, khat = np.full(shape, np.nan), np.full(shape, np.nan)
    drawn = draw(subject.model, cells.values(), spec.seed, batch_size=batch_size, device=device, progress=bar.update)
    for slot, one in zip(cells, drawn, strict=True):
        estimates[slot], forward_passes[slot], khat[slot] = _statistics(one)
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


def summary_dataset(draws: xr.Dataset, truth: xr.Dataset, spec: ComparedSpec) -> xr.Dataset:
    """Summarise draws and add ``cautions (group, estimator)``: which hold for some item of the group."""
    summary = summarise(
        draws,
        truth,
        reference=spec.reference,
        level=spec.level,
        interval_replicates=spec.interval_replicates,
        seed=spec.seed,
    )
    rows = []
    for group in summary["group"].values.tolist():
        member = (truth["group"] == group).values
        effective = truth["effective_positions"].values[member]
        ratio = truth["full_mask_ratio"].values[member]
        rows.append(
            [" ".join(cautions_of(sampler, spec.interval_replicates, effective, ratio)) for sampler in spec.samplers()]
        )
    summary["cautions"] = (["group", "estimator"], rows)
    return summary


def _statistics(one: Draw) -> tuple[NDArray[np.float64], int, float]:
    """Keep of a draw what a study stores; its losses are let go."""
    terms = [evaluation.terms for evaluation in one.evaluations]
    spread = terms[0] if len(terms) == 1 else np.abs(terms[1] - terms[0])
    return one.estimates, one.forward_passes, float(analysis.pareto_khat(spread.ravel()))

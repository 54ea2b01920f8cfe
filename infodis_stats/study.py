"""Studies: targets x estimators x passes x replicates, each cell with random numbers of its own."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from estimators import Cell, ConditionalModel, Contrast, Draw, Estimator, PassesError, draw
from infodis_stats import analysis
from infodis_stats.cautions import cautions_of
from infodis_stats.dataset import describe, summarise
from infodis_stats.groups import Group, make_groups
from infodis_stats.provenance import SCHEMA, model_fingerprint, versions
from infodis_stats.spec import StudySpec, read_study
from infodis_stats.truth import item_coords, truth_dataset

__all__ = ["run_study"]

Samplers = Sequence[Estimator | Contrast]
Slot = tuple[int, int, int]
"""Where a cell stands: item, sampler, passes."""


def run_study(
    path: Path | str, *, batch_size: int = 1024, device: torch.device | str = "cpu", show_progress: bool = False
) -> xr.DataTree:
    """Run a study file.

    Parameters
    ----------
    path : Path or str
        A TOML file; the studies in ``reports/`` are examples.
    batch_size : int, default 1024
        Rows in a call of the model; changes no number.
    device : torch.device or str, default "cpu"
    show_progress : bool, default False
        Draw a progress bar where the standard error is a terminal.

    Returns
    -------
    xarray.DataTree
        ``draws`` (every replicate), ``truth`` (exact values and loss profiles), ``summary`` (by group, estimator and
        passes) and ``provenance``.

    Raises
    ------
    InputError
        If the file cannot be read or says something that cannot be done; names the line.
    ModelError
        If the model breaks its contract on some sequence.
    """
    started = time.monotonic()
    spec, text = read_study(path)
    law, samplers = spec.law.build(), spec.samplers()
    groups = make_groups(law, spec)
    cells, not_run = _cells(groups, samplers, spec)
    with tqdm(
        total=sum(cell.planned_passes for cell in cells.values()),
        unit="pass",
        unit_scale=True,
        disable=None if show_progress else True,
    ) as bar:
        drawn = draw(law, cells.values(), spec.seed, batch_size=batch_size, device=device, progress=bar.update)
        draws = _draws_dataset(groups, samplers, spec, dict(zip(cells, map(_statistics, drawn), strict=True)))
    truth = truth_dataset(law, groups, samplers, batch_size=batch_size, device=device)
    summary = summarise(
        draws,
        truth,
        reference=spec.reference,
        level=spec.level,
        interval_replicates=spec.interval_replicates,
        seed=spec.seed,
    )
    summary["cautions"] = (["group", "estimator"], _cautions(groups, samplers, truth, spec.interval_replicates))
    provenance = xr.Dataset(attrs=_provenance(spec, text, law, draws, not_run))
    provenance.attrs["wall_seconds"] = round(time.monotonic() - started, 1)
    tree = xr.DataTree.from_dict({"draws": draws, "truth": truth, "summary": summary, "provenance": provenance})
    tree.attrs = {"title": spec.title, "quantity": "log_ratio" if spec.pairs else "nll", "schema": SCHEMA}
    return tree


def _cells(groups: Sequence[Group], samplers: Samplers, spec: StudySpec) -> tuple[dict[Slot, Cell], list[str]]:
    """Lay out the grid; say why where an estimator cannot work with so few passes."""
    cells: dict[Slot, Cell] = {}
    not_run: list[str] = []
    start = 0
    for group in groups:
        for place, sampler in enumerate(samplers):
            for step, passes in enumerate(spec.passes):
                row = [Cell(sampler, item, passes, spec.replicates) for item in group.items]
                try:
                    sampler.jobs(row[0].item, passes, 1, np.random.default_rng())  # type: ignore[arg-type]
                except PassesError as error:
                    not_run.append(str(error))
                    continue
                cells |= {(start + offset, place, step): cell for offset, cell in enumerate(row)}
        start += len(group.items)
    return cells, not_run


Statistics = tuple[NDArray[np.float64], int, float]


def _statistics(one: Draw) -> Statistics:
    """Keep of a draw what a study stores; its losses are let go."""
    terms = [evaluation.terms for evaluation in one.evaluations]
    spread = terms[0] if len(terms) == 1 else np.abs(terms[1] - terms[0])
    return one.estimates, one.forward_passes, float(analysis.pareto_khat(spread.ravel()))


def _draws_dataset(
    groups: Sequence[Group], samplers: Samplers, spec: StudySpec, statistics: dict[Slot, Statistics]
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


def _provenance(
    spec: StudySpec, text: str, model: ConditionalModel, draws: xr.Dataset, not_run: list[str]
) -> dict[str, str | int | float]:
    return {
        "spec": text,
        "seed": spec.seed,
        "model": model_fingerprint(model),
        "versions": json.dumps(versions()),
        "forward_passes": int(np.nansum(draws["forward_passes"].values)),
        "not_run": json.dumps(sorted(set(not_run))),
    }

"""Calibration: how often intervals cover, and how wide they are, over laws, estimators, budgets and replicates."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from estimators import Draw, InputError, draw
from infodis_stats import analysis
from infodis_stats.cautions import CAUTIONS, cautions_of
from infodis_stats.dataset import CI_BOUND, describe
from infodis_stats.estimates.request import rows_a_call
from infodis_stats.intervals import ErrorBars, Sample, interval_kind
from infodis_stats.spec import CalibrationSpec
from infodis_stats.studies.grid import Samplers, lay_out
from infodis_stats.studies.groups import Group, make_groups
from infodis_stats.studies.result import Bar, Result
from infodis_stats.studies.subject import Subject
from infodis_stats.studies.truth import item_coords, truth_dataset

__all__ = ["ALLOWED", "calibrate", "summarise_calibration"]

FloatArray = NDArray[np.float64]

ALLOWED = 0.01  # by which an interval may fall short of its level
CELL = ["estimator", "passes", "interval", "replicates"]


def calibrate(
    subjects: Sequence[Subject],
    spec: CalibrationSpec,
    *,
    batch_size: int | None,
    device: torch.device | str,
    bar: Bar,
) -> Result:
    """Run a study of calibration, subject after subject.

    Returns
    -------
    Result
        ``counts`` (by item) and ``summary`` (by group), over estimator, passes, interval, replicates and level.
    """
    samplers = spec.samplers()
    grouped = [
        [replace(group, name=f"{table.name}/{group.name}") for group in make_groups(subject, table)]
        for subject, table in zip(subjects, spec.subjects, strict=True)
    ]
    items = [[item for group in groups for item in group.items] for groups in grouped]
    budgets = [[count for count in spec.passes if count <= (one.most_passes or count)] for one in spec.subjects]
    grids = [lay_out(some, samplers, few, spec.draws) for some, few in zip(items, budgets, strict=True)]
    bar.total = sum(cell.planned_passes for cells, _ in grids for cell in cells.values())
    parts, forward_passes = [], 0
    for subject, groups, (cells, _), few in zip(subjects, grouped, grids, budgets, strict=True):
        rows = rows_a_call(subject.model, batch_size)
        truth = truth_dataset(
            subject, groups, samplers, passes=spec.truth_passes, seed=spec.seed, batch_size=rows, device=device
        )
        part = _empty_counts(groups, samplers, spec, truth)
        drawn = draw(subject.model, cells.values(), spec.seed, batch_size=rows, device=device, progress=bar.update)
        for (item, place, step), one in zip(cells, drawn, strict=True):
            forward_passes += one.forward_passes
            slot = {"item": item, "estimator": place, "passes": spec.passes.index(few[step])}
            known = truth.isel(item=item)
            found = _counted(one, spec, float(known["truth"]), float(known["truth_se"]))
            for name, values in found.items():
                part[name][slot] = values
        parts.append(part)
    counts = describe(xr.concat(parts, dim="item"))
    summary = summarise_calibration(counts)
    summary["cautions"] = _cautions(counts, samplers)
    return Result(
        {"counts": counts, "summary": describe(summary)},
        forward_passes=forward_passes,
        not_run=[reason for _, reasons in grids for reason in reasons],
        attributes={"quantity": "log_ratio" if spec.contrasts else "nll", "draws": spec.draws},
    )


def _empty_counts(groups: Sequence[Group], samplers: Samplers, spec: CalibrationSpec, truth: xr.Dataset) -> xr.Dataset:
    dims = ["item", *CELL]
    levels = [*dims, "level"]
    sizes = (truth.sizes["item"], len(samplers), len(spec.passes), len(spec.intervals), len(spec.replicates))
    return xr.Dataset(
        {
            "missed_low": (levels, np.zeros((*sizes, len(spec.levels)))),
            "missed_high": (levels, np.zeros((*sizes, len(spec.levels)))),
            "relative_width": (levels, np.full((*sizes, len(spec.levels)), np.nan)),
            "intervals": (dims, np.zeros(sizes)),
            "degrees": (dims, np.full(sizes, np.nan)),
            **{name: truth[name] for name in ("truth", "truth_se", "effective_positions", "full_mask_ratio")},
        },
        coords=item_coords(groups)
        | {
            "estimator": [sampler.name for sampler in samplers],
            "passes": np.array(spec.passes),
            "interval": list(spec.intervals),
            "replicates": np.array(spec.replicates),
            "level": np.array(spec.levels),
        },
    )


def _bars(one: Draw, kind: str, size: int, level: float) -> ErrorBars | None:
    try:
        return interval_kind(kind).error_bars(Sample(one, size), level)
    except InputError:
        return None  # it does not tell this one


def _counted(one: Draw, spec: CalibrationSpec, truth: float, truth_se: float) -> dict[str, FloatArray]:
    """Count the misses of every interval of a draw, by kind, replicates and level."""
    shape = (len(spec.intervals), len(spec.replicates), len(spec.levels))
    low, high, width = np.zeros(shape), np.zeros(shape), np.full(shape, np.nan)
    count, degrees = np.zeros(shape[:2]), np.full(shape[:2], np.nan)
    deviation = one.estimates.std(ddof=1)
    for place, kind in enumerate(spec.intervals):
        for step, size in enumerate(spec.replicates):
            sample = Sample(one, size)
            centre = sample.estimates.mean(axis=-1)
            ideal = deviation / np.sqrt(size)
            for rung, level in enumerate(spec.levels):
                bars = _bars(one, kind, size, level)
                if bars is None:
                    continue
                allowed = analysis.widen(analysis.Interval(bars.lower, bars.upper), centre, truth_se, level)
                slack = analysis.rounding(truth)
                here = place, step, rung
                low[here] = (allowed.upper < truth - slack).sum()
                high[here] = (allowed.lower > truth + slack).sum()
                count[here[:2]] = len(centre)
                degrees[here[:2]] = np.median(bars.degrees)
                if deviation > slack:
                    z = stats.norm.ppf((1 + level) / 2)
                    width[here] = np.median(bars.upper - bars.lower) / (2 * z * ideal)
    return {"missed_low": low, "missed_high": high, "relative_width": width, "intervals": count, "degrees": degrees}


def summarise_calibration(counts: xr.Dataset, level_of_band: float = 0.95) -> xr.Dataset:
    """Add up the counts of the items of each group.

    Parameters
    ----------
    counts : xarray.Dataset
        ``missed_low``, ``missed_high``, ``relative_width (item, estimator, passes, interval, replicates, level)`` and
        ``intervals (item, estimator, passes, interval, replicates)``, with a coordinate ``group`` on the items.
    level_of_band : float, default 0.95

    Returns
    -------
    xarray.Dataset
        Over ``(group, estimator, passes, interval, replicates, level)``: ``coverage`` with its Wilson band,
        ``missed_low``, ``missed_high``, ``intervals`` (their number), ``relative_width`` (the items' mean; 1 is the
        normal interval of known variance), and ``short_p``: the p-value of "covers its level, less one point", by the
        binomial law, Holm-adjusted over all cells of one kind of interval and one level.
    """
    groups = list(dict.fromkeys(counts["group"].values.tolist()))
    parts = [counts.isel(item=(counts["group"] == group).values) for group in groups]

    def gathered(name: str) -> xr.DataArray:
        return xr.concat([part[name].sum("item") for part in parts], dim="group")

    low, high, number = gathered("missed_low"), gathered("missed_high"), gathered("intervals")
    number = number.broadcast_like(low).transpose(*low.dims)
    width = xr.concat([part["relative_width"].mean("item") for part in parts], dim="group")
    levels = counts["level"].values
    covered = (number - low - high).values
    counted = number.values > 0
    dims = ["group", *CELL, "level"]
    missing = np.where(counted, 0.0, np.nan)
    found = analysis.coverage_of_counts(low.values, high.values, number.values, level_of_band)
    p_values = stats.binom.cdf(covered, number.values, levels - ALLOWED) + missing
    # Cells without spread are exact: their intervals are points and have no level.
    p_values[np.isnan(width.transpose(*dims).values)] = np.nan
    adjusted = np.full_like(p_values, np.nan)
    for place in range(counts.sizes["interval"]):
        for rung in range(len(levels)):
            adjusted[:, :, :, place, :, rung] = analysis.family_wise(p_values[:, :, :, place, :, rung])
    return xr.Dataset(
        {
            "coverage": (dims, found.rate),
            "coverage_ci": ([*dims, CI_BOUND[0]], np.stack([found.lower, found.upper], axis=-1)),
            "missed_low": (dims, low.values + missing),
            "missed_high": (dims, high.values + missing),
            "intervals": (dims, number.values),
            "relative_width": (dims, width.transpose(*dims).values),
            "short_p": (dims, adjusted),
        },
        coords={
            "group": groups,
            **{name: counts[name].values for name in (*CELL, "level")},
            CI_BOUND[0]: CI_BOUND[1],
        },
    )


def _cautions(counts: xr.Dataset, samplers: Samplers) -> tuple[list[str], NDArray[np.str_]]:
    """Return which cautions hold in each cell, by construction: of some item of the group."""
    groups = list(dict.fromkeys(counts["group"].values.tolist()))
    shape = (len(groups), *(counts.sizes[name] for name in CELL))
    found = np.full(shape, "", dtype=f"U{sum(map(len, CAUTIONS)) + len(CAUTIONS)}")
    for index in np.ndindex(shape):
        part = counts.isel(item=(counts["group"] == groups[index[0]]).values)
        degrees = part["degrees"].values[:, *index[1:]]
        if np.isnan(degrees).all():
            continue
        keys = cautions_of(
            samplers[index[1]],
            float(np.nanmin(degrees)) + 1.0,
            part["effective_positions"].values,
            part["full_mask_ratio"].values,
            passes=int(counts["passes"][index[2]] * counts["replicates"][index[4]]),
        )
        found[index] = " ".join(keys)
    return ["group", *CELL], found

"""Calibration: coverage and width of intervals, over subjects, estimators, passes and replicates."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from estimators import Contrast, Draw, Estimator, InputError
from infodis_stats import analysis
from infodis_stats.execution import Columns, Section
from infodis_stats.results.error_bars import SAMPLE_CAUTIONS, ErrorBars, interval_kind
from infodis_stats.results.labels import CI_BOUND, describe
from infodis_stats.results.sample import Sample
from infodis_stats.results.validity import CAUTIONS, Caution, caution_variable, cautions_of
from infodis_stats.studies.calibration.schema import CalibrationSpec
from infodis_stats.studies.calibration.variables import VARIABLES
from infodis_stats.studies.design.chosen import Chosen, chosen_samplers
from infodis_stats.studies.design.failed import failed_items
from infodis_stats.studies.design.grid import Grid, Samplers, check_runs, lay_out
from infodis_stats.studies.design.reference_values import truth_dataset, truth_owners, truth_sections
from infodis_stats.studies.design.result import Result, Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_sets import items_of, make_groups

__all__ = ["calibrate", "summarise_calibration"]

FloatArray = NDArray[np.float64]

MISSES = ("missed_low", "missed_high")
QUIET = ("quiet_intervals", "quiet_missed_low", "quiet_missed_high")
BY_LEVEL = (*MISSES, *QUIET, "relative_width")
CELL = ["estimator", "passes", "interval", "replicates"]
MOSTLY = 0.5  # share of the intervals from which a flag is a caution of the cell


def calibrate(subjects: Sequence[Subject], spec: CalibrationSpec) -> Steps:
    """Measure how often intervals cover, subject by subject.

    Returns
    -------
    Result
        ``counts`` (by item) and ``summary`` (by group), over estimator, passes, interval, replicates and confidence
        level, without the items on which a model failed.
    """
    samplers = spec.samplers()
    grouped = [
        [replace(group, name=f"{table.name}/{group.name}") for group in make_groups(subject, table)]
        for subject, table in zip(subjects, spec.subjects, strict=True)
    ]
    budgets = [[count for count in spec.passes if count <= (table.most_passes or count)] for table in spec.subjects]
    grids = [
        lay_out(items_of(groups), samplers, passes, spec.draws, subject.model)
        for subject, groups, passes in zip(subjects, grouped, budgets, strict=True)
    ]
    check_runs(grids)
    known = [
        truth_sections(subject, groups, samplers, passes=spec.truth_passes, seed=spec.seed)
        for subject, groups in zip(subjects, grouped, strict=True)
    ]
    stored = iter((yield [replace(section, may_fail=True) for sections in known for section in sections]))
    truth_columns = [[next(stored) for _ in sections] for sections in known]
    truths = [
        truth_dataset(subject, groups, samplers, columns)
        for subject, groups, columns in zip(subjects, grouped, truth_columns, strict=True)
    ]
    drawn = yield [
        _section(table.name, subject, grid, truth, spec)
        for table, subject, grid, truth in zip(spec.subjects, subjects, grids, truths, strict=True)
    ]
    parts = [_counts(grid, columns, truth, spec) for grid, columns, truth in zip(grids, drawn, truths, strict=True)]
    failed: dict[str, str] = {}
    for subject, groups, grid, part, known_columns, draws_columns in zip(
        subjects, grouped, grids, parts, truth_columns, drawn, strict=True
    ):
        problems = [columns.problems for columns in known_columns]
        known_problems = zip(problems, truth_owners(subject, groups), strict=True)
        draws_problems = draws_columns.problems, grid.slots[:, 0]
        failed |= failed_items(part["item"].values.tolist(), *known_problems, draws_problems)
    counts = describe(xr.concat(parts, dim="item"), VARIABLES)
    counts = counts.isel(item=~counts["item"].isin(list(failed)))
    summary = summarise_calibration(counts)
    chosen = chosen_samplers(subjects, grouped, grids)
    summary["cautions"] = _cautions(counts, samplers, chosen) | _mostly_flagged(summary)
    summary["cautions"].attrs = {
        "units": "1",
        "long_name": "whether the caution holds, by construction or for most of the intervals",
    }
    return Result(
        {"counts": counts, "summary": describe(summary, VARIABLES)},
        forward_passes=sum(int(np.nansum(columns["forward_passes"])) for columns in drawn),
        not_run=[reason for grid in grids for reason in grid.not_run],
        failed=failed,
        attributes={"quantity": "log_ratio" if spec.contrasts else "nll", "draws": spec.draws},
    )


def _section(name: str, subject: Subject, grid: Grid, truth: xr.Dataset, spec: CalibrationSpec) -> Section:
    """Return the section that draws a grid many times and counts the intervals that miss the truth."""
    known = truth[["truth", "truth_se"]].to_array().values.T
    values = dict(zip((item.key for item in grid.items), known.tolist(), strict=True))
    shape = len(spec.intervals), len(spec.replicates)
    levels = *shape, len(spec.levels)
    columns = dict.fromkeys(BY_LEVEL, levels) | {
        "flagged": (*levels, len(SAMPLE_CAUTIONS)),
        "intervals": shape,
        "degrees": shape,
        "forward_passes": (),
    }
    setting = repr((spec.intervals, spec.replicates, spec.levels, known.tolist()))
    keep = partial(_counted, spec=spec, values=values)
    return Section(f"draws of {name}", subject.model, grid, spec.seed, columns, keep, setting, may_fail=True)


def _counts(grid: Grid, drawn: Columns, truth: xr.Dataset, spec: CalibrationSpec) -> xr.Dataset:
    """Label the counts of a subject, over all passes of the study."""
    dims = ["item", *CELL]
    dims_of = {name: [*dims, "level"] for name in BY_LEVEL}
    dims_of |= {"flagged": [*dims, "level", "flag"], "intervals": dims, "degrees": dims}
    counts = xr.Dataset(
        {name: (dims_of[name], grid.filled(drawn[name])) for name in dims_of}
        | {name: truth[name] for name in ("truth", "truth_se", "effective_positions", "full_mask_ratio")},
        coords={
            "item": truth["item"],
            "group": truth["group"],
            "estimator": [sampler.name for sampler in grid.samplers],
            "passes": np.array(grid.passes),
            "interval": list(spec.intervals),
            "replicates": np.array(spec.replicates),
            "level": np.array(spec.levels),
            "flag": list(SAMPLE_CAUTIONS),
        },
    )
    return counts.reindex(passes=list(spec.passes)).fillna(dict.fromkeys((*MISSES, *QUIET, "flagged", "intervals"), 0))


def _bars(sample: Sample, kind: str, level: float) -> ErrorBars | None:
    try:
        return interval_kind(kind).error_bars(sample, level)
    except InputError:
        return None  # the sample is too small for this kind


def _counted(draw: Draw, spec: CalibrationSpec, values: Mapping[str, tuple[float, float]]) -> dict[str, ArrayLike]:
    """Count the misses of every interval of a draw, by kind, replicates and level, given the true values by item.

    The misses are counted among all intervals, and among those without a flag.
    """
    truth, truth_se = values[draw.cell.item.key]
    shape = (len(spec.intervals), len(spec.replicates), len(spec.levels))
    counted = {name: np.zeros(shape) for name in BY_LEVEL}
    counted["relative_width"][...] = np.nan
    flagged = np.zeros((*shape, len(SAMPLE_CAUTIONS)))
    count, degrees = np.zeros(shape[:2]), np.full(shape[:2], np.nan)
    deviation = draw.estimates.std(ddof=1)
    slack = analysis.rounding(truth)
    for j, size in enumerate(spec.replicates):
        sample = Sample(draw, size)
        centre = sample.estimates.mean(axis=-1)
        ideal = deviation / np.sqrt(size)
        for i, kind in enumerate(spec.intervals):
            for k, level in enumerate(spec.levels):
                bars = _bars(sample, kind, level)
                if bars is None:
                    continue
                allowed = analysis.widen(analysis.Interval(bars.lower, bars.upper), centre, truth_se, level)
                low, high = allowed.upper < truth - slack, allowed.lower > truth + slack
                flags = _flags(bars)
                quiet = ~flags.any(axis=-1)
                here = i, j, k
                counted["missed_low"][here], counted["missed_high"][here] = low.sum(), high.sum()
                counted["quiet_missed_low"][here] = (low & quiet).sum()
                counted["quiet_missed_high"][here] = (high & quiet).sum()
                counted["quiet_intervals"][here] = quiet.sum()
                flagged[here] = flags.sum(axis=0)
                count[here[:2]] = len(centre)
                degrees[here[:2]] = np.median(bars.degrees)
                if deviation > slack and quiet.any():
                    z = stats.norm.ppf((1 + level) / 2)
                    counted["relative_width"][here] = np.median((bars.upper - bars.lower)[quiet]) / (2 * z * ideal)
    return {
        **counted,
        "flagged": flagged,
        "intervals": count,
        "degrees": degrees,
        "forward_passes": draw.forward_passes,
    }


def _flags(bars: ErrorBars) -> NDArray[np.bool_]:
    """Return which interval has which flag: (interval, flag), in the order of `SAMPLE_CAUTIONS`."""
    flags = np.zeros((len(bars.lower), len(SAMPLE_CAUTIONS)), dtype=bool)
    for key, held in bars.flags.items():
        flags[:, SAMPLE_CAUTIONS.index(key)] = held
    return flags


def summarise_calibration(counts: xr.Dataset, level_of_band: float = 0.95) -> xr.Dataset:
    """Add up the counts of the items of each group.

    Parameters
    ----------
    counts : xarray.Dataset
        Over ``(item, estimator, passes, interval, replicates, level)``: ``missed_low`` and ``missed_high``, the same
        and their number among intervals without a flag, ``quiet_missed_low``, ``quiet_missed_high`` and
        ``quiet_intervals``, ``relative_width``, and over one more dimension ``flag`` their number with each flag,
        ``flagged``; ``intervals (item, estimator, passes, interval, replicates)``; with a coordinate ``group`` on the
        items.
    level_of_band : float, default 0.95

    Returns
    -------
    xarray.Dataset
        Over ``(group, estimator, passes, interval, replicates, level)``, for all intervals: their number
        ``intervals``, ``missed_low``, ``missed_high``, ``coverage`` with its Wilson band, and ``flag_share``, over
        one more dimension ``flag``. For the intervals without a flag: ``quiet_intervals``, ``quiet_missed_low``,
        ``quiet_missed_high``, ``quiet_share`` (of all intervals), ``quiet_coverage`` with its Wilson band,
        ``relative_width`` (the items' mean; 1 is the normal interval of known variance), and ``short_p``: the
        binomial p-value of a coverage more than one point below nominal, Holm-adjusted over all cells of one kind of
        interval and one confidence level.
    """
    groups = list(dict.fromkeys(counts["group"].values.tolist()))
    parts = [counts.isel(item=(counts["group"] == group).values) for group in groups]
    dims = ["group", *CELL, "level"]

    def gathered(name: str) -> xr.DataArray:
        return xr.concat([part[name].sum("item") for part in parts], dim="group")

    sums = {name: gathered(name).transpose(*dims).values for name in (*MISSES, *QUIET)}
    flagged = gathered("flagged").transpose(*dims, "flag").values
    levels = counts["level"].values
    number = gathered("intervals").expand_dims(level=levels).transpose(*dims).values
    width = xr.concat([part["relative_width"].mean("item") for part in parts], dim="group").transpose(*dims).values
    missing = np.where(number > 0, 0.0, np.nan)
    bands = analysis.coverage_of_counts(sums["missed_low"], sums["missed_high"], number, level_of_band)
    quiet = sums["quiet_intervals"]
    quiet_misses = sums["quiet_missed_low"], sums["quiet_missed_high"]
    quiet_bands = analysis.coverage_of_counts(*quiet_misses, quiet, level_of_band)
    p_values = np.asarray(stats.binom.cdf(quiet - sum(quiet_misses), quiet, levels - analysis.ALLOWED))
    # Cells without spread are exact: their intervals are points, and have no coverage.
    p_values[(quiet == 0) | np.isnan(width)] = np.nan
    adjusted = np.full_like(p_values, np.nan)
    for i, j in np.ndindex(counts.sizes["interval"], len(levels)):
        adjusted[:, :, :, i, :, j] = analysis.family_wise(p_values[:, :, :, i, :, j])
    with np.errstate(invalid="ignore"):
        shares, quiet_share = flagged / number[..., None], quiet / number
    return xr.Dataset(
        {
            "coverage": (dims, bands.rate),
            "coverage_ci": ([*dims, CI_BOUND[0]], np.stack([bands.lower, bands.upper], axis=-1)),
            **{name: (dims, misses + missing) for name, misses in sums.items() if name != "quiet_intervals"},
            "intervals": (dims, number),
            "flag_share": ([*dims, "flag"], shares),
            "quiet_intervals": (dims, quiet),
            "quiet_share": (dims, quiet_share),
            "quiet_coverage": (dims, quiet_bands.rate),
            "quiet_coverage_ci": ([*dims, CI_BOUND[0]], np.stack([quiet_bands.lower, quiet_bands.upper], axis=-1)),
            "relative_width": (dims, width),
            "short_p": (dims, adjusted),
        },
        coords={
            "group": groups,
            **{name: counts[name].values for name in (*CELL, "level", "flag")},
            CI_BOUND[0]: CI_BOUND[1],
        },
    )


def _mostly_flagged(summary: xr.Dataset) -> xr.DataArray:
    """Return which flags are cautions of their cell: ``(..., level, caution)``.

    At least half of its intervals have the flag; or at least half have some flag, and none is more frequent.
    """
    shares = summary["flag_share"].fillna(0.0)
    warns = summary["quiet_share"] <= MOSTLY
    held = (shares >= MOSTLY) | (warns & (shares > 0) & (shares == shares.max("flag")))
    return held.rename(flag="caution").reindex(caution=list(CAUTIONS), fill_value=False)


def _cautions(counts: xr.Dataset, samplers: Samplers, chosen: Chosen) -> xr.DataArray:
    """Return which cautions hold in each cell by construction, for at least one item of the group: all but flags.

    ``auto`` has the cautions of what it chose (see `chosen_samplers`).
    """
    groups = list(dict.fromkeys(counts["group"].values.tolist()))
    parts = [counts.isel(item=(counts["group"] == group).values) for group in groups]
    shape = (len(groups), *(counts.sizes[name] for name in CELL))
    passes = counts["passes"].values.tolist()
    cells = []
    for group, *cell in np.ndindex(shape):
        sampler = samplers[cell[0]]
        ran = chosen.get((groups[group], sampler.name, passes[cell[1]]), [sampler])
        cells.append([caution for one in ran for caution in _cell_cautions(parts[group], one, cell)])
    return caution_variable(["group", *CELL], cells, shape)


def _cell_cautions(part: xr.Dataset, sampler: Estimator | Contrast, cell: Sequence[int]) -> list[Caution]:
    """Return the cautions of a cell (indices along `CELL`) from the counts of its group; none without an interval."""
    _, passes, interval, replicates = cell
    degrees = part["degrees"].transpose(*CELL, "item").values[tuple(cell)]
    if np.isnan(degrees).all():
        return []
    return cautions_of(
        sampler,
        float(np.nanmin(degrees)) + 1.0,
        part["effective_positions"].values,
        part["full_mask_ratio"].values,
        passes=int(part["passes"][passes] * part["replicates"][replicates]),
        interval=str(part["interval"].values[interval]),
    )

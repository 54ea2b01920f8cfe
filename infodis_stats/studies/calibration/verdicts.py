"""Verdicts on a study of calibration."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy import stats

from infodis_stats.analysis import ALLOWED, family_wise, noticeable_coverage
from infodis_stats.diagnostics import Verdict
from infodis_stats.diagnostics.verdict import concise, counted
from infodis_stats.studies.calibration.report.cells import main_interval
from infodis_stats.studies.verdicts import FAMILY, too_few_to_judge
from infodis_stats.studies.view import Study

__all__ = ["calibration_verdicts"]


class _Pool(NamedTuple):
    """Intervals without a caution of an estimator with a number of replicates, over all groups and passes."""

    name: str
    level: float
    intervals: int
    coverage: float
    p_value: float
    least: float  # coverage that would have been significant


def calibration_verdicts(study: Study) -> list[Verdict]:
    """Check the coverage of the default interval where no caution holds, neither for the cell nor for the interval.

    Each cell is tested, and each estimator with each number of replicates over all its cells: single cells often have
    too few intervals to notice a shortfall.
    """
    summary = study.summary
    main = main_interval(summary)
    cells = summary.sel(interval=main)
    clean = ~cells["cautions"].any("caution")
    known = cells["short_p"].notnull() & clean
    short = (cells["short_p"] < FAMILY) & clean
    if not known.any():
        reason = "every cell has a caution: this study measures how badly intervals cover there"
        return [Verdict("coverage", "caution", reason, "read it as a warning")]
    pools = _pools(cells.where(known))
    of_cells = [int(count) for count in cells["quiet_intervals"].values[known.values]]
    measured = (
        f"{counted(int(known.sum()), 'cell')} over {counted(summary.sizes['level'], 'confidence level')}, of "
        f"{_range(of_cells)} intervals without a caution; {_range([pool.intervals for pool in pools])} over all cells "
        "of an estimator with a number of replicates"
    )
    if short.any():
        reason = f"the coverage of {main} is significantly below nominal in {counted(int(short.sum()), 'cell')} "
        reason += "without a caution"
        return [Verdict("coverage", "caution", reason, "use more replicates there", measured)]
    missed = [pool for pool in pools if pool.p_value < FAMILY]
    if missed:
        names = concise([f"{pool.name} ({100 * pool.coverage:.1f} of {100 * pool.level:g} %)" for pool in missed])
        reason = f"the coverage of {main} without a caution is significantly below nominal over all cells of {names}"
        return [Verdict("coverage", "caution", reason, "use more replicates there", measured)]
    worst = max(pools, key=lambda pool: pool.level - pool.least)
    pooled = f"{counted(worst.intervals, 'interval')} of {worst.name} without a caution"
    blind = too_few_to_judge(pooled, worst.level, worst.least, "use more draws or targets")
    if blind:
        return [Verdict("coverage", "caution", blind[0].reason, blind[0].advice, measured)]
    reason = (
        f"where no caution holds, the coverage of {main} is nowhere significantly more than a point below nominal; a "
        f"shortfall of {100 * (worst.level - worst.least):.2g} points over all cells of an estimator would be "
        "significant"
    )
    return [Verdict("coverage", "fine", reason, "", measured)]


def _pools(cells: xr.Dataset) -> list[_Pool]:
    """Return the pools of the cells that are not NaN, with p-values that are Holm-adjusted within a level."""
    sums = cells[["quiet_intervals", "quiet_missed_low", "quiet_missed_high"]].sum(["group", "passes"])
    pools: list[_Pool] = []
    for level in sums["level"].values.tolist():
        part = sums.sel(level=level).stack(pool=["estimator", "replicates"])
        part = part.isel(pool=(part["quiet_intervals"] > 0).values)
        counts = part["quiet_intervals"].values.astype(int)
        covered = counts - (part["quiet_missed_low"] + part["quiet_missed_high"]).values.astype(int)
        p_values = family_wise(np.asarray(stats.binom.cdf(covered, counts, level - ALLOWED)))
        names = [
            f"{estimator} x {counted(int(replicates), 'replicate')}"
            for estimator, replicates in part["pool"].values.tolist()
        ]
        # The test is one-sided.
        least = [noticeable_coverage(count, level - ALLOWED, 2 * FAMILY / len(counts)) for count in counts.tolist()]
        values = zip(names, counts.tolist(), (covered / counts).tolist(), p_values.tolist(), least, strict=True)
        pools += [_Pool(name, level, *numbers) for name, *numbers in values]
    return pools


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"

"""The summary of a comparison: every estimator against the truth and against a reference, group by group."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.results.labels import CI_BOUND, describe, interval_variable
from infodis_stats.studies.comparison.variables import VARIABLES

__all__ = ["summarise"]

FloatArray = NDArray[np.float64]

INTERVALS = ("student-t", "bca")
INTERVAL = ("interval",)
ITSELF = analysis.Efficiency(*(np.ones(()) for _ in range(4)))  # of the reference to itself

Cell = dict[str, tuple[tuple[str, ...], ArrayLike]]
"""Statistics of a cell: further dimensions, and values."""


def summarise(
    draws: xr.Dataset,
    truth: xr.Dataset,
    *,
    reference: str,
    level: float = 0.95,
    interval_replicates: int = 8,
    seed: int = 0,
) -> xr.Dataset:
    """Compare estimators with the truth and with a reference estimator, group by group.

    Parameters
    ----------
    draws : xarray.Dataset
        ``estimate (item, estimator, passes, replicate)``, ``forward_passes`` and ``khat (item, estimator, passes)``,
        with a coordinate ``group`` on the items (sequences or pairs).
    truth : xarray.Dataset
        ``truth``, ``truth_se (item)`` and ``exact_pass_variance (item, estimator)``. Where the truth is a long run,
        its standard error is included in biases and in the intervals whose coverage is measured; an interval is counted
        where that standard error is at most half of the interval's (root mean square over the group). Where replicates
        are equal up to rounding, intervals are points (a half-width of 0) and none is counted.
    reference : str
        The estimator whose variance the others' are compared with.
    level : float, default 0.95
        Confidence level of all intervals.
    interval_replicates : int, default 8
        Replicates of an interval where coverage is measured.
    seed : int, default 0
        For the bootstrap.

    Returns
    -------
    xarray.Dataset
        Over ``(group, estimator, passes)``; slopes over ``(group, estimator)``. Groups are fixed sets:
        averages run over their members, and errors come from replicates alone.

    Notes
    -----
    The draws are read one cell (group, estimator, passes) at a time, and may be on disk. Each cell has its own stream
    for the bootstrap, so its results do not depend on the other estimators and passes.
    """
    groups = list(dict.fromkeys(draws["group"].values.tolist()))
    root = root_seed(seed)
    judged = partial(_group_summary, reference=reference, level=level, size=interval_replicates, root=root)
    parts = []
    for group in groups:
        member = (draws["group"] == group).values
        parts.append(judged(_Group(group, draws, member), truth.isel(item=member)))
    combined = xr.concat(parts, dim="group").assign_coords(
        group=groups,
        estimator=draws["estimator"].values,
        passes=draws["passes"].values,
        ci_bound=CI_BOUND[1],
        interval=list(INTERVALS),
    )
    combined["bias_p"] = (combined["bias_p"].dims, analysis.family_wise(combined["bias_p"].values))
    for kind in combined["interval"].values.tolist():
        chosen = combined["coverage_p"].sel(interval=kind)
        combined["coverage_p"].loc[{"interval": kind}] = analysis.family_wise(chosen.values)
    described = describe(combined, VARIABLES)
    described.attrs = {
        "reference": reference,
        "ci_prob": level,
        "interval_replicates": interval_replicates,
        "family": "Holm over all groups, estimators and passes",
    }
    return described


@dataclass(frozen=True, eq=False)
class _Group:
    """The draws of a group; their arrays may be on disk."""

    name: str
    draws: xr.Dataset
    member: NDArray[np.bool_]

    def read(self, variable: str, estimator: int, passes: int) -> FloatArray:
        """Read a cell of the grid, in one contiguous piece from its first item to its last."""
        first, last = np.flatnonzero(self.member)[[0, -1]].tolist()
        span = slice(first, last + 1)
        return np.asarray(self.draws[variable][span, estimator, passes].values[self.member[span]])


def _group_summary(
    group: _Group, truth: xr.Dataset, *, reference: str, level: float, size: int, root: np.random.SeedSequence
) -> xr.Dataset:
    """Summarise a group, with unadjusted p-values."""
    names, passes = group.draws["estimator"].values.tolist(), group.draws["passes"].values
    value, error = truth["truth"].values, truth["truth_se"].values
    exact = truth["exact_pass_variance"].values.mean(axis=0)
    rows: list[list[Cell]] = [[] for _ in names]
    for column, count in enumerate(passes.tolist()):
        resampling = {name: stream(root, "efficiency", group.name, name, str(count)) for name in names}
        against = group.read("estimate", names.index(reference), column)
        standard = analysis.variance_sum(against, resampling[reference])
        for row, name in enumerate(names):
            estimates = group.read("estimate", row, column)
            random = stream(root, "bca", group.name, name, str(count))
            ratio = ITSELF
            if name != reference and not np.array_equal(estimates, against):  # auto has the draws of what it chose
                ratio = analysis.variance_ratio(analysis.variance_sum(estimates, resampling[name]), standard, level)
            logs = analysis.log_variance(estimates)
            rows[row].append(
                {
                    **_moments(estimates, value, error),
                    **_intervals(analysis.block(estimates, size), value, error, level, random),
                    "efficiency": ((), ratio.ratio),
                    "efficiency_ci": ((CI_BOUND[0],), [ratio.lower, ratio.upper]),
                    "log_variance": ((), logs.estimate),
                    "log_variance_se": ((), logs.standard_error),
                    "exact_variance": ((), exact[row] / count),
                    "khat_median": ((), np.median(group.read("khat", row, column))),
                    "passes_run": ((), group.read("forward_passes", row, column).mean() / estimates.shape[-1]),
                }
            )
    summary = xr.Dataset(
        {
            name: (
                ["estimator", "passes", *dims],
                np.array([[cell[name][1] for cell in cells] for cells in rows], float),
            )
            for name, (dims, _) in rows[0][0].items()
        }
    )
    return _over_passes(summary, passes, level)


def _over_passes(summary: xr.Dataset, passes: NDArray[np.int64], level: float) -> xr.Dataset:
    """Add what is computed over all passes: coverage, and slopes instead of the log variances."""
    low, high, count = (summary[name].sum("passes").values for name in ("missed_low", "missed_high", "intervals"))
    pooled = analysis.coverage_of_counts(low, high, count, level)
    slope = analysis.slope(passes, summary["log_variance"].values, summary["log_variance_se"].values, level)
    return summary.drop_vars(["log_variance", "log_variance_se"]).assign(
        {
            "coverage_pooled": (["estimator", "interval"], pooled.rate),
            "coverage_pooled_ci": interval_variable(["estimator", "interval"], pooled.lower, pooled.upper),
            "intervals_pooled": (["estimator", "interval"], pooled.count.astype(float)),
            "slope": (["estimator"], slope.estimate),
            "slope_ci": interval_variable(["estimator"], slope.lower, slope.upper),
        }
    )


def _moments(estimates: FloatArray, truth: FloatArray, truth_se: FloatArray) -> Cell:
    bias = analysis.pooled_bias(estimates, truth, axis=-1, truth_se=truth_se)
    return {
        "variance": ((), analysis.variance(estimates).mean()),
        "mse": ((), analysis.mean_squared_error(estimates, truth).mean()),
        "bias": ((), bias.estimate),
        "bias_se": ((), bias.standard_error),
        "bias_z": ((), bias.z),
        "bias_p": ((), bias.p_value),
    }


def _intervals(
    blocks: FloatArray, truth: FloatArray, truth_se: FloatArray, level: float, rng: np.random.Generator
) -> Cell:
    kinds = [analysis.student_t(blocks, level), analysis.bca(blocks, rng, level)]
    # A cell is counted whole or not at all: leaving out single narrow intervals would leave out misses.
    squared_error = analysis.variance(blocks).mean() / blocks.shape[-1]
    exact = analysis.all_equal(blocks).all()  # its intervals are points, and have no coverage
    counts = not exact and (truth_se**2).mean() <= squared_error / 4
    counted = truth[:, None] if counts else np.full((1, 1), np.nan)
    wider = [analysis.widen(kind, blocks.mean(axis=-1), truth_se[:, None], level) for kind in kinds]
    coverages = [analysis.coverage(kind.lower, kind.upper, counted, axis=(0, 1), level_of_band=level) for kind in wider]
    return {
        "coverage": (INTERVAL, [coverage.rate for coverage in coverages]),
        "coverage_ci": ((*INTERVAL, CI_BOUND[0]), [[coverage.lower, coverage.upper] for coverage in coverages]),
        "coverage_p": (INTERVAL, [analysis.coverage_test(coverage, level) for coverage in coverages]),
        "missed_low": (INTERVAL, [coverage.missed_low for coverage in coverages]),
        "missed_high": (INTERVAL, [coverage.missed_high for coverage in coverages]),
        "intervals": (INTERVAL, [coverage.count for coverage in coverages]),
        "half_width": (INTERVAL, [0.0 if exact else (kind.upper - kind.lower).mean() / 2 for kind in kinds]),
    }

"""Verdicts that several kinds of study share: on single estimators, and on the whole study.

An estimator with a caution gets its verdict from `estimator_verdict` and does not count against the study. The p-values
are those of the study, family-wise at 5 % over all its cells.
"""

from collections.abc import Callable

import xarray as xr

from infodis_stats.analysis import ALLOWED, noticeable_coverage
from infodis_stats.diagnostics import Diagnosis, Verdict
from infodis_stats.diagnostics.construction import caution_verdicts
from infodis_stats.diagnostics.verdict import concise, counted
from infodis_stats.results.validity import held

__all__ = ["FAMILY", "bias_verdict", "coverage_verdict", "estimator_verdict", "too_few_to_judge"]

NOTICEABLE = 0.05  # of coverage: a study that cannot notice so large a shortfall says nothing about coverage
FAMILY = 0.05
"""Family-wise error of the p-values of a study, which are Holm-adjusted over all of it."""


def estimator_verdict(summary: xr.Dataset) -> Verdict:
    """Return the verdict on one estimator from its part of the summary.

    Its cautions by construction on the study's targets come first. An estimator without a caution gets the verdict
    "caution" if it is significantly biased, or if its coverage is significantly below nominal.
    """
    name = str(summary["estimator"].item())
    cautions = held(summary["cautions"])
    if cautions:
        worst = Diagnosis(caution_verdicts(cautions)).verdicts[0]
        keys = ", ".join(caution.key for caution in cautions)
        return Verdict(name, worst.verdict, keys.replace("-", " "), worst.advice)
    reasons = {"significantly biased": _biased(summary), "coverage significantly below nominal": _short(summary)}
    missed = [reason for reason, cells in reasons.items() if bool(cells.any())]
    if missed:
        advice = "use another estimator at these lengths and passes"
        return Verdict(name, "caution", " and ".join(missed), advice)
    return Verdict(name, "fine", "no problems found")


def bias_verdict(summary: xr.Dataset) -> Verdict:
    """Check for bias of estimators without a caution: their replicates have missed what carries the loss."""
    known = int(summary["bias_p"].notnull().sum())
    if not known:
        return Verdict("bias", "fine", "no exact value is known; estimators are unbiased by construction")
    names = _where(_biased, _clean(summary))
    if not names:
        return Verdict(
            "bias", "fine", "no estimator without a caution is significantly biased", "", counted(known, "cell")
        )
    reason = f"significantly biased, though unbiased by construction: {concise(names)}"
    return Verdict("bias", "caution", reason, "do not use them at these lengths and passes", counted(known, "cell"))


def coverage_verdict(summary: xr.Dataset) -> Verdict:
    """Check the coverage of estimators without a caution."""
    part = _clean(summary)
    names = _where(_short, part)
    blind = _too_few(part)
    if not names and blind:
        return blind[0]
    if not names:
        reason = "where no caution holds, coverage is nowhere significantly more than a point below nominal"
        return Verdict("coverage", "fine", reason)
    least = float(part["coverage"].sel(interval="student-t").where(_short(part)).min())
    reason = f"coverage is significantly below nominal at some numbers of passes: {concise(names)}"
    measured = f"as little as {100 * least:.1f} % for nominal {100 * summary.attrs['ci_prob']:g} % intervals"
    return Verdict("coverage", "caution", reason, "use another estimator there, or more replicates", measured)


def _too_few(summary: xr.Dataset) -> list[Verdict]:
    """Return a verdict if the cells have too few intervals to notice a coverage that matters."""
    if "intervals_pooled" not in summary or not summary.sizes["estimator"]:
        return []
    level, student = summary.attrs["ci_prob"], summary.sel(interval="student-t")
    counts = student["intervals_pooled"].values[student["intervals_pooled"].values > 0].astype(int)
    if not len(counts):
        return [Verdict("coverage", "fine", "no estimator without a caution has intervals that could be counted")]
    least = noticeable_coverage(int(counts.max()), level, FAMILY / len(counts))
    return too_few_to_judge(
        f"{counted(int(counts.max()), 'interval')} of an estimator", level, least, "take more sequences or replicates"
    )


def too_few_to_judge(counted: str, level: float, least: float, advice: str) -> list[Verdict]:
    """Return a verdict if only a coverage far below nominal would be significant.

    Parameters
    ----------
    counted : str
        How many intervals of what were counted.
    level : float
        Nominal coverage.
    least : float
        Largest coverage that would be significantly below nominal, from `noticeable_coverage`.
    advice : str
    """
    if level - least <= NOTICEABLE:
        return []
    seen = f"only a coverage of {100 * least:.3g} % or less would be significant" if least >= 0 else "none would be"
    return [Verdict("coverage", "caution", f"too few to judge: with {counted}, {seen}", advice)]


def _clean(summary: xr.Dataset) -> xr.Dataset:
    """Return the part of the estimators that have no caution in any group."""
    cautions = summary["cautions"]
    other = [name for name in cautions.dims if name != "estimator"]
    return summary.isel(estimator=~cautions.any(other).values)


def _where(condition: Callable[[xr.Dataset], xr.DataArray], summary: xr.Dataset) -> list[str]:
    """Name the estimators for which a condition holds in some cell."""
    cells = condition(summary)
    return [name for name in summary["estimator"].values.tolist() if bool(cells.sel(estimator=name).any())]


def _biased(summary: xr.Dataset) -> xr.DataArray:
    """Return where estimators are significantly biased."""
    return summary["bias_p"] < FAMILY


def _short(summary: xr.Dataset) -> xr.DataArray:
    """Return where the coverage of Student-t intervals is significantly below nominal, and by more than a point."""
    if "coverage_p" not in summary:
        return xr.zeros_like(summary["bias_p"], dtype=bool)
    student = summary.sel(interval="student-t")
    least = summary.attrs["ci_prob"] - ALLOWED
    short: xr.DataArray = (student["coverage_p"] < FAMILY) & (student["coverage"] < least)
    return short

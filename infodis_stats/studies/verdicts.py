"""Verdicts that several kinds of study share: of their estimators, and of what a whole study shows of them.

Estimators that are known to be unsound do not count against a study that shows them; `estimator_verdict` is about
them. The p-values are those of the study, family-wise at 5 % over all its cells: the measured false alarms are theirs.
"""

from collections.abc import Callable

import xarray as xr

from infodis_stats.analysis import ALLOWED
from infodis_stats.diagnostics import Diagnosis, Verdict
from infodis_stats.diagnostics.construction import caution_verdicts
from infodis_stats.diagnostics.verdict import concise
from infodis_stats.results.validity import held

__all__ = ["FAMILY", "bias_verdict", "coverage_verdict", "estimator_verdict"]

FAMILY = 0.05
"""Family-wise error of the p-values of a study, which are Holm-adjusted over all of it."""


def estimator_verdict(summary: xr.Dataset) -> Verdict:
    """Return the verdict on one estimator from its part of the summary.

    By construction first: its cautions on the study's targets. Without one it gets a caution where it is off the
    truth, or where its intervals cover the truth too rarely, beyond chance.
    """
    name = str(summary["estimator"].item())
    cautions = held(summary["cautions"])
    if cautions:
        worst = Diagnosis(caution_verdicts(cautions)).verdicts[0]
        keys = ", ".join(caution.key for caution in cautions)
        return Verdict(name, worst.verdict, keys.replace("-", " "), worst.advice)
    reasons = {"off the truth": _off(summary), "intervals too short": _short(summary)}
    missed = [reason for reason, cells in reasons.items() if bool(cells.any())]
    if missed:
        reason = " and ".join(missed) + " beyond chance"
        return Verdict(name, "caution", reason, "use another at these lengths and passes")
    return Verdict(name, "fine", "no problems found")


def bias_verdict(summary: xr.Dataset) -> Verdict:
    """Look for estimators without a caution that are off the truth: they have missed what carries the loss."""
    known = int(summary["bias_p"].notnull().sum())
    if not known:
        return Verdict("bias", "fine", "no exact value is known here; unbiasedness is by construction")
    names = _where(_off, _clean(summary))
    if not names:
        return Verdict("bias", "fine", "no estimator without a caution is off the truth", "", f"{known} cells")
    reason = f"off the truth beyond chance, though unbiased by construction: {concise(names)}"
    return Verdict("bias", "caution", reason, "do not use them at these lengths and passes", f"{known} cells")


def coverage_verdict(summary: xr.Dataset) -> Verdict:
    """Look for estimators without a caution whose intervals cover the truth too rarely."""
    part = _clean(summary)
    names = _where(_short, part)
    if not names:
        reason = "where no caution holds, coverage is nowhere more than a point below nominal"
        return Verdict("coverage", "fine", reason)
    least = float(part["coverage"].sel(interval="student-t").where(_short(part)).min())
    reason = f"intervals cover the truth too rarely at some numbers of passes: {concise(names)}"
    nominal = f"nominal {100 * summary.attrs['ci_prob']:g} % intervals"
    measured = f"as little as {100 * least:.1f} % of {nominal}"
    return Verdict("coverage", "caution", reason, "use another there, or more replicates", measured)


def _clean(summary: xr.Dataset) -> xr.Dataset:
    """Return the part of the estimators that have no caution in any group."""
    cautions = summary["cautions"]
    other = [name for name in cautions.dims if name != "estimator"]
    return summary.isel(estimator=~cautions.any(other).values)


def _where(condition: Callable[[xr.Dataset], xr.DataArray], summary: xr.Dataset) -> list[str]:
    """Name the estimators for which a condition holds in some cell."""
    cells = condition(summary)
    return [name for name in summary["estimator"].values.tolist() if bool(cells.sel(estimator=name).any())]


def _off(summary: xr.Dataset) -> xr.DataArray:
    """Return where estimators are off the truth, beyond chance."""
    return summary["bias_p"] < FAMILY


def _short(summary: xr.Dataset) -> xr.DataArray:
    """Return where Student-t intervals cover less than nominal, beyond chance and by more than a point."""
    if "coverage_p" not in summary:
        return xr.zeros_like(summary["bias_p"], dtype=bool)
    student = summary.sel(interval="student-t")
    least = summary.attrs["ci_prob"] - ALLOWED
    short: xr.DataArray = (student["coverage_p"] < FAMILY) & (student["coverage"] < least)
    return short

"""Verdicts on studies: whether what a report says can be believed, and which of its estimators can be."""

import json
from collections.abc import Callable

import numpy as np
import xarray as xr

from infodis_stats.analysis import ALLOWED
from infodis_stats.diagnostics.construction import caution_verdicts
from infodis_stats.diagnostics.verdict import Diagnosis, Verdict, concise
from infodis_stats.results.validity import CAUTIONS

__all__ = ["estimator_verdicts", "study_verdicts"]

FEWEST_TEXTS = 10
COMPARING = ("comparison", "frontier", "information")
FAMILY = 0.05  # the p-values of a study are Holm-adjusted over all of it


def study_verdicts(tree: xr.DataTree) -> list[Verdict]:
    """Return the verdicts on a study as a whole.

    Estimators that are known to be unsound do not count against a study that shows them; `estimator_verdicts` has
    them. The p-values are those of the study, family-wise at 5 % over all its cells: the measured false alarms are
    theirs.
    """
    known = KINDS.get(tree.attrs["kind"])
    return [*_failures(tree), *(known(tree) if known else [])]


def _failures(tree: xr.DataTree) -> list[Verdict]:
    failed = json.loads(tree["provenance"].attrs["failed"])
    if not failed:
        return []
    items = tuple(failed)
    reason = f"items are left out, as the model failed on them ({concise(items)}): {failed[items[0]]}"
    return [Verdict("failed", "caution", reason, "mend the model or leave these out", items=items)]


def estimator_verdicts(tree: xr.DataTree) -> Diagnosis:
    """Return a verdict on each estimator that a study compares; none where it compares none.

    By construction first: its cautions on the study's targets. Without one it is to be looked at where it is off the
    truth, or where its intervals hold the truth too rarely, beyond chance. Where a study measures no coverage, nothing
    is said of those without a caution: their variances may be compared, their intervals are not known.
    """
    summary = tree["summary"].to_dataset()
    if tree.attrs["kind"] not in COMPARING:
        return Diagnosis([])
    every = [_estimator(summary.sel(estimator=name)) for name in summary["estimator"].values.tolist()]
    return Diagnosis(one for one in every if "coverage_p" in summary or one.verdict != "fine")


def _estimator(one: xr.Dataset) -> Verdict:
    name = str(one["estimator"].item())
    found = _keys(one["cautions"])
    if found:
        worst = Diagnosis(caution_verdicts([CAUTIONS[key] for key in found])).verdicts[0]
        return Verdict(name, worst.verdict, ", ".join(found).replace("-", " "), worst.advice)
    missed = [
        reason
        for reason, there in (("off the truth", _off(one)), ("intervals too short", _short(one)))
        if bool(there.any())
    ]
    if missed:
        return Verdict(
            name, "caution", " and ".join(missed) + " beyond chance", "use another at these lengths and passes"
        )
    return Verdict(name, "fine", "nothing found")


def _keys(cautions: xr.DataArray) -> list[str]:
    held = {key for text in cautions.values.ravel().tolist() for key in str(text).split()}
    return [key for key in CAUTIONS if key in held]


def _off(summary: xr.Dataset) -> xr.DataArray:
    return summary["bias_p"] < FAMILY


def _short(summary: xr.Dataset) -> xr.DataArray:
    """Say where Student-t intervals cover less than their level, beyond chance and by more than a point."""
    if "coverage_p" not in summary:
        return xr.zeros_like(summary["bias_p"], dtype=bool)
    student = summary.sel(interval="student-t")
    least = summary.attrs["ci_prob"] - ALLOWED
    short: xr.DataArray = (student["coverage_p"] < FAMILY) & (student["coverage"] < least)
    return short


def _comparison(tree: xr.DataTree) -> list[Verdict]:
    summary = tree["summary"].to_dataset()
    verdicts = [_surprises(tree), _intervals(summary)]
    errors = tree["truth"].to_dataset()["truth_se"]
    student = summary.sel(interval="student-t")
    uncounted = int(((student["intervals"] == 0) & (student["half_width"] > 0)).sum())
    cells = int(student["variance"].notnull().sum())
    if not errors.any():
        return [*verdicts, Verdict("truth", "fine", "all values are known exactly")]
    if uncounted:
        reason = (
            f"the long run that estimates are compared with is too rough to measure coverage in {uncounted} of {cells} "
            "cells"
        )
        return [*verdicts, Verdict("truth", "caution", reason, "raise truth_passes for these")]
    return [*verdicts, Verdict("truth", "fine", "a long run is known well enough, and its error is allowed for")]


def _surprises(tree: xr.DataTree) -> Verdict:
    """Look for estimators without a caution that are off the truth: they have missed what carries the loss."""
    summary = tree["summary"].to_dataset()
    known = int(summary["bias_p"].notnull().sum())
    if not known:
        return Verdict("bias", "fine", "no exact value is known here; unbiasedness is by construction")
    clean = [not _keys(summary["cautions"].sel(estimator=name)) for name in summary["estimator"].values]
    off = summary.isel(estimator=np.array(clean))
    names = [str(name) for name in off["estimator"].values if bool(_off(off.sel(estimator=name)).any())]
    if not names:
        return Verdict("bias", "fine", "no estimator without a caution is off the truth", "", f"{known} cells")
    reason = f"off the truth beyond chance, though unbiased by construction: {concise(names)}"
    return Verdict("bias", "caution", reason, "do not use them at these lengths and passes", f"{known} cells")


def _intervals(summary: xr.Dataset) -> Verdict:
    """Look for estimators without a caution whose intervals hold the truth too rarely."""
    clean = [not _keys(summary["cautions"].sel(estimator=name)) for name in summary["estimator"].values]
    part = summary.isel(estimator=np.array(clean))
    short = _short(part)
    names = [str(name) for name in part["estimator"].values if bool(short.sel(estimator=name).any())]
    if names:
        least = float(part["coverage"].sel(interval="student-t").where(short).min())
        reason = f"intervals hold the truth too rarely at some numbers of passes: {concise(names)}"
        level = f"{100 * summary.attrs['ci_prob']:g} %"
        measured = f"as little as {100 * least:.1f} % of nominal {level} intervals"
        return Verdict("coverage", "caution", reason, "use another there, or more replicates", measured)
    reason = "intervals of estimators without a caution fall short of their level nowhere by more than a point"
    return Verdict("coverage", "fine", reason)


def _corpora(tree: xr.DataTree) -> list[Verdict]:
    summary = tree["summary"].to_dataset()
    verdicts = caution_verdicts([CAUTIONS[key] for key in summary.attrs["cautions"].split()])
    share, texts = float(summary["mask_share"].max()), int(summary["texts"].min())
    measured = f"at most {100 * share:.2g} % of the variance between texts"
    if share > 0.5:
        reason = "most of the variance between texts is noise of the masks"
        verdicts.append(Verdict("mask noise", "caution", reason, "take more passes", measured))
    else:
        verdicts.append(Verdict("mask noise", "fine", "texts differ by more than the noise of the masks", "", measured))
    if texts < FEWEST_TEXTS:
        reason = f"a corpus has {texts} texts: an interval over so few leans on their being normal"
        return [*verdicts, Verdict("texts", "caution", reason, f"take {FEWEST_TEXTS} or more")]
    return [*verdicts, Verdict("texts", "fine", f"{texts} texts or more a corpus")]


def _frontier(tree: xr.DataTree) -> list[Verdict]:
    summary = tree["summary"].to_dataset()
    run = summary["winner"] != ""
    others = summary["tied"] & ~summary["exact"] & (summary["estimator"] != summary["winner"])
    measured = f"in {int((others.any('estimator') & run).sum())} of {int(run.sum())} cells a second is not told apart"
    reason = "the best is chosen on other replicates than those that measure its gain"
    return [_surprises(tree), Verdict("winners", "fine", reason, "", measured)]


def _calibration(tree: xr.DataTree) -> list[Verdict]:
    """Look for cells of the default interval that fall short where no caution holds."""
    summary = tree["summary"].to_dataset()
    names = summary["interval"].values.tolist()
    main = "auto" if "auto" in names else names[0]
    own = summary.sel(interval=main)
    clean = own["cautions"] == ""
    told = own["short_p"].notnull() & clean
    short = (own["short_p"] < FAMILY) & clean
    measured = f"{int(told.sum())} cells over {summary.sizes['level']} levels"
    if not told.any():
        reason = "every cell has a caution: this is about where intervals cannot be trusted"
        return [Verdict("coverage", "caution", reason, "read it as a warning")]
    if short.any():
        reason = f"{main} covers less than its level in {int(short.sum())} cells without a caution"
        return [Verdict("coverage", "caution", reason, "use more replicates there", measured)]
    reason = f"{main} falls short of its level nowhere without a caution, by more than a point beyond chance"
    return [Verdict("coverage", "fine", reason, "", measured)]


def _information(tree: xr.DataTree) -> list[Verdict]:
    """Look whether curves of information start at the entropy, and hold the exact ones where these are known."""
    curves = tree["curves"].to_dataset()
    known, p_values = int(curves["entropy"].notnull().sum()), curves["entropy_p"]
    verdicts = _comparison(tree)
    if not known:
        return [*verdicts, Verdict("entropy", "fine", "no entropy is known here to compare totals with")]
    least = f"smallest adjusted p-value {float(p_values.min()):.2g} of {int(p_values.notnull().sum())} totals"
    if (p_values < FAMILY).any():
        names = [
            group for group, off in zip(curves["group"].values, (p_values < FAMILY).any("noise"), strict=True) if off
        ]
        reason = f"the information without noise is not the entropy, beyond chance: {concise(names)}"
        return [*verdicts, Verdict("entropy", "caution", reason, "raise the sequences or passes of curves", least)]
    return [*verdicts, Verdict("entropy", "fine", "the information without noise is the entropy of the law", "", least)]


KINDS: dict[str, Callable[[xr.DataTree], list[Verdict]]] = {
    "calibration": _calibration,
    "comparison": _comparison,
    "corpora": _corpora,
    "frontier": _frontier,
    "information": _information,
}

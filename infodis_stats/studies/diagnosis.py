"""The diagnosis of a result or of a study."""

from __future__ import annotations

import json

import xarray as xr

from infodis_stats.diagnostics import Diagnosis, Verdict, diagnose_result
from infodis_stats.diagnostics.verdict import concise
from infodis_stats.studies.kinds import kinds_by_name
from infodis_stats.studies.verdicts import estimator_verdict
from infodis_stats.studies.view import Study

__all__ = ["diagnose", "estimator_verdicts"]


def diagnose(result: xr.Dataset | xr.DataTree) -> Diagnosis:
    """Check whether a result is valid: a verdict for each check, with its reason and advice.

    Cautions by construction come first: infinite variance, a bias, few hard tokens. No sample can replace them, because
    the bad samples are those that missed the tail. Then come checks of the sample, each with about 1 % false alarms
    over all its sequences if replicates are normal; their docstrings have measurements, also for skewed replicates.
    Checks that need more replicates or an exact value are left out: with one replicate, those of random streams, of the
    running mean and of tails.

    Parameters
    ----------
    result : xarray.Dataset or xarray.DataTree
        Of `estimate_nll`, `estimate_log_ratio` or another estimate, or what `run_study` returns.

    Returns
    -------
    Diagnosis
        ``verdict`` (the worst: ``fine``, ``caution`` or ``do not use``), ``overall`` in a sentence, ``verdicts``;
        prints as a table, worst first; ``to_dataframe()``, ``to_markdown()``.

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.estimate_nll(law, law.sample(2, length=12, seed=1), "time-integral", passes=8, replicates=8)
    >>> diagnosis = ids.diagnose(result)
    >>> diagnosis.verdict, diagnosis.verdicts[0].check
    ('do not use', 'infinite-variance')
    """
    if not isinstance(result, xr.DataTree):
        return diagnose_result(result)
    study = Study.of(result, "a diagnosis")
    kind = kinds_by_name().get(study.attrs["kind"])
    with study.whole("the diagnosis"):
        return Diagnosis([*_failures(study), *(kind.verdicts(study) if kind else [])])


def estimator_verdicts(tree: xr.DataTree) -> Diagnosis:
    """Return a verdict on each estimator that a study compares; none for other studies.

    Where a study measures no coverage, estimators without a caution get no verdict: their variances may be compared,
    but the coverage of their intervals is unknown.
    """
    study = Study(tree)
    kind = kinds_by_name().get(study.attrs["kind"])
    if kind is None or not kind.compares_estimators:
        return Diagnosis([])
    summary = study.summary
    verdicts = [estimator_verdict(summary.sel(estimator=name)) for name in summary["estimator"].values.tolist()]
    return Diagnosis(verdict for verdict in verdicts if "coverage_p" in summary or verdict.verdict != "fine")


def _failures(study: Study) -> list[Verdict]:
    failed = json.loads(study.provenance["failed"])
    if not failed:
        return []
    items = tuple(failed)
    reason = f"items are left out, because the model failed on them ({concise(items)}): {failed[items[0]]}"
    return [Verdict("failed", "caution", reason, "fix the model, or leave these out", items=items)]

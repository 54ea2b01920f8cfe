"""Verdicts by construction: from the estimator and its targets, not from the sample."""

import json
from collections.abc import Iterable
from dataclasses import replace

import xarray as xr

from estimators import Estimator, InputError, registry
from infodis_stats.analysis import Estimates
from infodis_stats.diagnostics.verdict import Verdict, concise, counted
from infodis_stats.results.validity import Caution, caution_sentences, held

__all__ = ["caution_verdicts", "failure_verdicts", "item_caution_verdicts", "point_verdicts"]


def caution_verdicts(cautions: Iterable[Caution], passed: str = "construction") -> list[Verdict]:
    """Return a verdict for each caution, or one that is fine if there is none.

    Parameters
    ----------
    cautions : iterable of Caution
    passed : str
        Name of the check if there is no caution.
    """
    verdicts = [Verdict(caution.key, caution.verdict, caution.sentence, caution.advice) for caution in cautions]
    return verdicts or [Verdict(passed, "fine", "no caution holds by construction")]


def item_caution_verdicts(result: xr.Dataset, labels: list[object]) -> list[Verdict]:
    """Return a verdict for each caution of a result, with the items concerned unless it holds for all."""
    sentences, verdicts = caution_sentences(result), []
    for caution in held(result["cautions"]):
        concerned = result["cautions"].sel(caution=caution.key).values
        items = tuple(label for label, flag in zip(labels, concerned, strict=True) if flag)
        verdict = Verdict(caution.key, caution.verdict, sentences[caution.key], caution.advice)
        if len(items) < len(labels):
            measured = f"{len(items)} of {counted(len(labels), 'row')}: {concise(items)}"
            verdict = replace(verdict, measured=measured, items=items)
        verdicts.append(verdict)
    return verdicts or caution_verdicts([])


def failure_verdicts(result: xr.Dataset, name: str) -> list[Verdict]:
    """Return a verdict on the failed items; all other verdicts are about the successful ones."""
    if "failed" not in result or not (failed := result["failed"].values != "").any():
        return []
    items = tuple(result[result[name].dims[0]].values[failed].tolist())
    reason = (
        f"no estimate for {len(items)} of {counted(len(failed), 'row')} ({concise(items)}): "
        f"{result['failed'].values[failed][0]}"
    )
    return [Verdict("failed", "caution", reason, "fix the model, or leave these out", items=items)]


def point_verdicts(result: xr.Dataset, estimates: Estimates, labels: list[object]) -> list[Verdict]:
    """Return a verdict on intervals that are points because replicates are equal: exact, or not credible."""
    agree = estimates.standard_error == 0
    if not agree.any():
        return []
    count = f"{int(agree.sum())} of {counted(len(agree), 'row')}"
    if "estimator" in result:
        names = set(result["estimator"].values[agree].tolist())
    else:
        names = set(json.loads(result.attrs["choices"])) or {result.attrs["estimator"]}
    if all(_settles(name) for name in names):
        reason = f"replicates are equal in {count}: these are exact, and their intervals are points"
        return [Verdict("points", "fine", reason)]
    if all(_draws_nothing(name) for name in names):  # what it computes is the subject of the verdict on its bias
        return []
    items = tuple(label for label, same in zip(labels, agree, strict=True) if same)
    return [
        Verdict(
            "points",
            "caution",
            f"replicates are equal in {count} ({concise(items)}) although {concise(sorted(names))} samples: masks "
            "that were not drawn may cost more",
            "compare with chain or exhaustive",
            items=items,
        )
    ]


def _settles(name: str) -> bool:
    """Return whether equal replicates of an estimator are the exact value: all masks, or orders that agree."""
    estimator = _estimator(name)
    return estimator is not None and estimator.exact_when_consistent


def _draws_nothing(name: str) -> bool:
    estimator = _estimator(name)
    return estimator is not None and estimator.deterministic


def _estimator(name: str) -> Estimator | None:
    try:
        return registry.estimator(name.rsplit(" ", maxsplit=1)[-1])
    except InputError:
        return None

"""Verdicts by construction: what is known of an estimator and its targets before anything is drawn."""

import json
from collections.abc import Iterable

import xarray as xr

from estimators import InputError, registry
from infodis_stats.analysis import Estimates
from infodis_stats.diagnostics.verdict import Verdict, concise
from infodis_stats.results.validity import Caution

__all__ = ["caution_verdicts", "failure_verdicts", "point_verdicts"]


def caution_verdicts(cautions: Iterable[Caution], passed: str = "construction") -> list[Verdict]:
    """Return a verdict for each caution, or that there is none.

    Parameters
    ----------
    cautions : iterable of Caution
    passed : str
        Name of the check where there is no caution.
    """
    found = [Verdict(caution.key, caution.verdict, caution.sentence, caution.advice) for caution in cautions]
    return found or [Verdict(passed, "fine", "no caution holds by construction")]


def failure_verdicts(result: xr.Dataset, name: str) -> list[Verdict]:
    """Say which items have no estimate; all other verdicts are about those that have one."""
    if "failed" not in result or not (failed := result["failed"].values != "").any():
        return []
    items = tuple(result[result[name].dims[0]].values[failed].tolist())
    reason = (
        f"{len(items)} of {len(failed)} rows have no estimate ({concise(items)}): {result['failed'].values[failed][0]}"
    )
    return [Verdict("failed", "caution", reason, "mend the model or leave these out", items=items)]


def point_verdicts(result: xr.Dataset, estimates: Estimates, labels: list[object]) -> list[Verdict]:
    """Say where nothing varies, so that the interval is a point, and whether that is to be believed."""
    agree = estimates.standard_error == 0
    if not agree.any():
        return []
    count = f"{int(agree.sum())} of {len(agree)}"
    if "estimator" in result:
        names = set(result["estimator"].values[agree].tolist())
    else:
        names = set(json.loads(result.attrs["choices"])) or {result.attrs["estimator"]}
    if all(_settles(name) for name in names):
        reason = f"nothing varies in {count} rows: these are exact, and their intervals are points"
        return [Verdict("points", "fine", reason)]
    items = tuple(label for label, same in zip(labels, agree, strict=True) if same)
    return [
        Verdict(
            "points",
            "caution",
            f"nothing varies in {count} rows ({concise(items)}) though {concise(sorted(names))} samples: what it did "
            "not draw may cost more",
            "compare with chain or exhaustive",
            items=items,
        )
    ]


def _settles(name: str) -> bool:
    """Say whether equal replicates of an estimator are the value itself: all masks, or orders that agree."""
    try:
        return registry.estimator(name.rsplit(" ", maxsplit=1)[-1]).exact_when_consistent
    except InputError:
        return False

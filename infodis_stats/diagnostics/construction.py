"""Verdicts by construction: what is known of an estimator and its targets before anything is drawn."""

import json
from collections.abc import Mapping

import xarray as xr

from estimators import Chain, InputError, registry
from infodis_stats.analysis import Estimates
from infodis_stats.diagnostics.verdict import Verdict, Word, concise

__all__ = ["caution_verdicts", "failure_verdicts", "point_verdicts"]

OF_CAUTIONS: dict[str, tuple[Word, str]] = {
    "infinite-variance": (
        "do not use",
        "use auto or uniform-count+stratified; of score entropies the polynomial schedule",
    ),
    "biased": ("do not use", "use it to relate published numbers; for likelihoods use auto"),
    "few-hard-tokens": ("look", "ask for the interval design-bootstrap, or all masks if it is short"),
    "near-deterministic": ("look", "use triangular, whose first pass hides everything"),
    "little-noise": ("look", "use marginal-score-entropy with the polynomial schedule, if ratios come from one law"),
    "rare-tokens": ("look", "use an estimator of masks, such as uniform-count+stratified"),
    "not-one-law": ("look", "use score-entropy with the polynomial schedule, or say consistent = True of the model"),
    "unfinished-noise": ("look", "use a schedule that ends in pure noise, such as polynomial"),
    "few-replicates": ("look", "take 8 replicates, or more passes where the design tells its error"),
    "few-passes": ("look", "take 32 passes or more"),
}


def caution_verdicts(cautions: Mapping[str, str], passed: str = "construction") -> list[Verdict]:
    """Return a verdict for each caution, or that there is none.

    Parameters
    ----------
    cautions : mapping of str to str
        Keys and sentences of `infodis_stats.cautions.CAUTIONS`.
    passed : str
        Name of the check where there is no caution.
    """
    if not cautions:
        return [Verdict(passed, "fine", "no caution holds by construction")]
    words = {key: OF_CAUTIONS.get(key, ("look", "read the caution")) for key in cautions}
    return [Verdict(key, words[key][0], sentence, words[key][1]) for key, sentence in cautions.items()]


def failure_verdicts(result: xr.Dataset, name: str) -> list[Verdict]:
    """Say which items have no estimate; all other verdicts are about those that have one."""
    if "failed" not in result or not (failed := result["failed"].values != "").any():
        return []
    items = tuple(result[result[name].dims[0]].values[failed].tolist())
    reason = (
        f"{len(items)} of {len(failed)} rows have no estimate ({concise(items)}): {result['failed'].values[failed][0]}"
    )
    return [Verdict("failed", "look", reason, "mend the model or leave these out", items=items)]


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
            "look",
            f"nothing varies in {count} rows ({concise(items)}) though {concise(sorted(names))} samples: what it did "
            "not draw may cost more",
            "compare with chain or exhaustive",
            items=items,
        )
    ]


def _settles(name: str) -> bool:
    """Say whether equal replicates of an estimator are the value itself: all masks, or orders that agree."""
    try:
        one = registry.estimator(name.rsplit(" ", maxsplit=1)[-1])
    except InputError:
        return False
    return one.exact or isinstance(one, Chain)

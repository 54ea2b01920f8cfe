"""Decisions about pairs: which side is likelier, with control of false claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from estimators.arguments import check_choice, check_share
from infodis_stats import analysis
from infodis_stats.results.labels import Variable, describe, estimates_of
from infodis_stats.results.quantity import quantity_of
from infodis_stats.results.validity import NO_CLAIM

__all__ = ["decide"]

VARIABLES = {
    "likelier": Variable("1", "side that is likelier, or open"),
    "p_value": Variable("1", "p-value of the claim"),
    "adjusted": Variable("1", "p-value of the log ratio's sign, adjusted for all pairs"),
    "withheld": Variable("1", "whether a claim is withheld because a caution holds for the pair"),
}


@dataclass(frozen=True)
class _Control:
    """How p-values are adjusted, and what that guarantees."""

    adjust: Callable[[analysis.Estimates], NDArray[np.float64]]
    guarantee: str


CONTROLS = {
    "false-discovery": _Control(
        partial(analysis.false_discovery_signs, independent=True),
        "of the claims made, {error} are false on average",
    ),
    "family-wise": _Control(analysis.family_wise_signs, "the chance that any claim is false is below {error}"),
    "each": _Control(
        analysis.signs,
        "the chance that a claim is false is below {error} for each pair alone; errors add up over many pairs",
    ),
}


RATIOS = "estimate_log_ratio, estimate_text_ratios or estimate_model_log_ratio"

FEW_PASSES = 2.0  # that carry the spread of a pair: hardly more than one
FEWEST_PAIRS = 3  # with so few passes, and at least a tenth of all


def decide(
    result: xr.Dataset,
    error: float = 0.05,
    control: Literal["false-discovery", "family-wise", "each"] = "false-discovery",
) -> xr.Dataset:
    """Decide which side of each pair is likelier, or leave it open.

    A claim is false if the other side is likelier or both are equally likely. The test is Student's, with the standard
    errors and degrees of freedom of the result's intervals, so one replicate is enough where it is for them.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_log_ratio`, `estimate_text_ratios` or `estimate_model_log_ratio`.
    error : float, default 0.05
        The bound on false claims.
    control : {"false-discovery", "family-wise", "each"}, default "false-discovery"
        What ``error`` bounds: the expected share of false claims among those made, the chance of any false claim, or
        the chance that a given pair's claim is false.

    Returns
    -------
    xarray.Dataset
        Over the pairs: ``likelier`` ("first", "second" or "open"), ``p_value`` (of the pair alone) and ``adjusted``
        (under ``control``). Where an interval is a point, both are 0, or 1 if the point is zero. Where a caution says
        that an interval may miss without showing it (``infinite-variance``, ``biased``, ``skewed``,
        ``few-hard-tokens``, ``near-deterministic``), no claim is made: the pair is open, and ``withheld`` if its
        p-value is below the error. Nor is a claim made where in a tenth of the pairs, and at least 3, a single pass
        carries the spread: rare masks then decide, and pairs that missed them look certain. ``cautions`` and
        attributes are those of the result; further attributes are ``control``, ``error``, ``claims`` and ``guarantee``.

    Raises
    ------
    InputError
        If the data set is not such a result, the error is not between 0 and 1, there is no such control, or the
        intervals are ``anytime``.

    Notes
    -----
    Of pairs without a caution, control "each" claims a side exactly where the interval of level ``1 - error`` leaves 0
    out, if its kind is ``student-t``, ``design`` or ``design-hall``, whose statistic is corrected for skewness. Pairs
    with intervals of ``hall``, ``bca`` and ``design-bootstrap`` get the t test with the same standard error: a claim
    may differ from the interval where 0 is near its end.
    An ``anytime`` interval is valid for every stopping rule and a t test is not; use
    `infodis_stats.analysis.sequential_p_value` of ``log_ratio_replicate`` there.

    The guarantee needs unbiased estimates with nearly normal errors. Heed the cautions, and use 8 replicates or as many
    degrees of freedom; `infodis_stats.analysis.false_discovery_signs` has results for skewed replicates.
    Measured with ``design`` intervals on 600 pairs of a Markov chain of length 8, half of them equal, error 0.1: of the
    equal ones "each" claims 14, 8 and 9 % with 16 and 32 passes of 1 replicate and 8 passes of 8, and of its claims
    "false-discovery" has 7, 4 and 4 % false.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> first, second = law.sample(3, length=8, seed=1), law.sample(3, length=8, seed=2)
    >>> result = ids.estimate_log_ratio(law, first, second, "uniform-count+stratified", passes=32)
    >>> decided = ids.decide(result)
    >>> decided["likelier"].values.tolist(), decided.attrs["claims"]
    (['first', 'open', 'first'], 2)
    """
    name, result = quantity_of(result, "a decision", "degrees", of=RATIOS)
    if name != "log_ratio":
        raise InputError(f"a decision needs the result of {RATIOS}, got likelihoods")
    check_share("error", error)
    check_choice("control", control, CONTROLS)
    if (result["interval"] == "anytime").any():
        raise InputError(
            "a t test is not valid for anytime intervals, whose replicates may have been stopped by their values; "
            "use the side of 0 on which such an interval lies, or ask for another interval"
        )
    chosen = CONTROLS[control]
    estimates = estimates_of(result, "log_ratio")
    adjusted = chosen.adjust(estimates)
    significant = adjusted < error
    doubtful = result["cautions"].sel(caution=[key for key in NO_CLAIM if key in result["caution"]])
    withheld = significant & (doubtful.any("caution").values | _rare_passes_decide(result))
    claimed = significant & ~withheld
    side = np.where(estimates.estimate > 0, "first", "second")
    (unit,) = result["log_ratio"].dims
    decided = describe(
        xr.Dataset(
            {
                "likelier": (unit, np.where(claimed, side, "open")),
                "p_value": (unit, analysis.signs(estimates)),
                "adjusted": (unit, adjusted),
                "withheld": (unit, withheld),
            },
            coords={unit: result[unit]},
        ),
        VARIABLES,
    )
    decided["cautions"] = result["cautions"]
    decided.attrs = result.attrs | {
        "control": control,
        "error": error,
        "claims": int(claimed.sum()),
        "guarantee": chosen.guarantee.format(error=f"{100 * error:g} %"),
    }
    return decided


def _rare_passes_decide(result: xr.Dataset) -> bool:
    """Return whether in many pairs a single pass carries the spread: others may have missed such passes."""
    if "effective_passes" not in result:
        return False
    few = result["effective_passes"].values < FEW_PASSES
    return bool(few.sum() >= max(FEWEST_PAIRS, few.size / 10))

"""Decisions about pairs: which side is likelier, and how often such claims are false."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import InputError
from infodis_stats import analysis
from infodis_stats.dataset import describe

__all__ = ["decide"]


@dataclass(frozen=True)
class _Control:
    """How p-values are adjusted, and what claims below an error then mean."""

    adjust: Callable[[ArrayLike], NDArray[np.float64]]
    guarantee: str


CONTROLS = {
    "false-discovery": _Control(
        partial(analysis.false_discovery_signs, independent=True),
        "of the claims made, {error} are false on average",
    ),
    "family-wise": _Control(analysis.family_wise_signs, "the chance that any claim is false is below {error}"),
    "each": _Control(
        analysis.signs, "the chance that a claim is false is below {error} for each pair alone; many pairs add up"
    ),
}


def decide(
    result: xr.Dataset,
    error: float = 0.05,
    control: Literal["false-discovery", "family-wise", "each"] = "false-discovery",
) -> xr.Dataset:
    """Decide which side of each pair is likelier, or leave it open.

    A claim is false if the other side is likelier or both are equally likely.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_log_ratio`, `estimate_text_ratios` or `estimate_model_log_ratio`.
    error : float, default 0.05
        How many false claims are put up with.
    control : {"false-discovery", "family-wise", "each"}, default "false-discovery"
        What ``error`` bounds: the expected share of false claims among those made, the chance of any false claim, or
        the chance that a given pair's claim is false.

    Returns
    -------
    xarray.Dataset
        Over the pairs: ``likelier`` ("first", "second" or "open"), ``p_value`` (the error at which the pair alone would
        just be decided) and ``adjusted`` (the same under ``control``). Where all replicates agree, the pair is decided
        with 0, or open with 1 if they are zero. The attributes are the result's, and ``control``, ``error``, ``claims``
        and ``guarantee``.

    Raises
    ------
    InputError
        If the data set is none of these, the error is not between 0 and 1, or there is no such control.

    Notes
    -----
    The guarantee is Student's: it asks for unbiased estimates whose replicates are nearly normal. Heed the cautions,
    and take 8 replicates or more; `infodis_stats.analysis.false_discovery_signs` has figures for skewed replicates.

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
    if not isinstance(result, xr.Dataset) or "log_ratio" not in result or result["log_ratio"].ndim != 1:
        raise InputError("a decision needs the result of estimate_log_ratio, or its kin for texts or two models")
    if not 0 < error < 1:
        raise InputError(f"error lies between 0 and 1, got {error}")
    if control not in CONTROLS:
        raise InputError(f"control is one of {', '.join(CONTROLS)}, got {control!r}")
    chosen = CONTROLS[control]
    draws = result["log_ratio_replicate"].transpose(..., "replicate").values
    adjusted = chosen.adjust(draws)
    claimed = adjusted < error
    side = np.where(result["log_ratio"].values > 0, "first", "second")
    (unit,) = result["log_ratio"].dims
    decided = describe(
        xr.Dataset(
            {
                "likelier": (unit, np.where(claimed, side, "open")),
                "p_value": (unit, analysis.signs(draws)),
                "adjusted": (unit, adjusted),
            },
            coords={unit: result[unit]},
        )
    )
    decided.attrs = result.attrs | {
        "control": control,
        "error": error,
        "claims": int(claimed.sum()),
        "guarantee": chosen.guarantee.format(error=f"{100 * error:g} %"),
    }
    return decided

"""The quantity that a result estimates: which of them it is, for functions that take a result."""

import xarray as xr

from estimators import InputError

__all__ = ["quantity_of"]

OTHERS = {  # by a variable that only these results have
    "size_nll": "estimate_sizes",
    "information": "estimate_information",
    "order_gap": "order_gap",
    "swap_rms": "order_swaps",
    "status": "rank_candidates or rank_texts",
    "variance_ratio": "compare_variances",
    "likelier": "decide",
    "symbol": "scan_substitutions; rank_substitutions sorts its substitutions",
    "expected_se": "split_budget",
    "position": "estimate_positions",
}
EXACT_ESTIMANDS = ("sampler(", "left-to-right", "right-to-left", "order(")
ESTIMATES = "estimate_nll, estimate_log_ratio or another estimate"
UNITS = ("sequence", "pair", "position")


def quantity_of(result: object, purpose: str, *needed: str, of: str = ESTIMATES) -> tuple[str, xr.Dataset]:
    """Return the name of the quantity that a result estimates, and the result with a dimension of items.

    Parameters
    ----------
    result : object
        Of `estimate_nll`, `estimate_log_ratio` or another estimate; a single item that was selected from it counts as a
        result of one item.
    purpose : str
        What needs it, for the message, such as ``"a summary"``.
    *needed : str
        Variables that it must have, besides the estimate, standard error, interval and replicates.
    of : str
        Functions whose results are meant, for the message.

    Returns
    -------
    name : str
        ``"nll"`` or ``"log_ratio"``.
    result : xarray.Dataset
        At least one item.

    Raises
    ------
    InputError
        If it is no such result; the message says what it is instead.

    Examples
    --------
    >>> quantity_of({"nll": 1.0}, "a summary")
    Traceback (most recent call last):
    estimators.errors.InputError: a summary needs the result of estimate_nll, estimate_log_ratio or another estimate, \
got dict
    """
    purpose = f"{purpose} needs the result of {of}"
    if not isinstance(result, xr.Dataset):
        study = isinstance(result, xr.DataTree) and "kind" in result.attrs
        kind = "a study, which write_report tabulates" if study else type(result).__name__
        raise InputError(f"{purpose}, got {kind}")
    if "of" in result.attrs:
        raise InputError(f"{purpose}, not that of average")
    name = next((quantity for quantity in ("nll", "log_ratio") if quantity in result), "")
    parts = [name, *(f"{name}_{part}" for part in ("se", "ci", "replicate")), "cautions", *needed]
    missing = [part for part in parts if part not in result]
    other = next((other for key, other in OTHERS.items() if key in result.variables), None)
    if str(result.attrs.get("estimand", "")).startswith(EXACT_ESTIMANDS):
        raise InputError(f"{purpose}, not that of sampler_nll, which has no error: add up or average its nll")
    if not name or (missing and other):
        raise InputError(f"{purpose}, not that of {other}" if other else f"{purpose}, got another data set")
    if missing:
        raise InputError(f"{purpose}, with all of its variables, but {missing[0]} is missing")
    for part, dimension in (("ci", "ci_bound"), ("replicate", "replicate")):
        if dimension not in result[f"{name}_{part}"].dims:
            raise InputError(f"{purpose}, with all of its dimensions, but {dimension} is missing")
    for key in ("estimator", "ci_prob"):
        if key not in result.attrs:
            raise InputError(f"{purpose}, with its attributes, but {key} is missing; arithmetic may have dropped it")
    return name, _with_items(result, name, purpose, other)


def _with_items(result: xr.Dataset, name: str, purpose: str, other: str | None) -> xr.Dataset:
    if result[name].ndim > 1:
        raise InputError(
            f"{purpose}, not that of {other}" if other else f"{purpose}, got {result[name].ndim} dimensions of items"
        )
    if result[name].ndim == 0:
        selected = [unit for unit in UNITS if unit in result.coords]
        if not selected:  # an average over the items, say, whose standard error would not be that of the average
            raise InputError(f"{purpose}, but the items have no names; use average for an average")
        return result.expand_dims(selected[0])
    if not result[name].size:
        raise InputError(f"{purpose}, with at least one {result[name].dims[0]}")
    return result

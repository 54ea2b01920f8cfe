"""Labels of results: estimates as xarray data sets whose variables have units and long names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from infodis_stats import analysis
from infodis_stats.results.error_bars import ErrorBar
from infodis_stats.results.validity import LARGEST_REMAINDER

__all__ = [
    "CI_BOUND",
    "SHARED",
    "Variable",
    "bars_of",
    "check_complete",
    "describe",
    "estimates_of",
    "interval_variable",
    "replicates_dataset",
    "with_estimates",
]

FloatArray = NDArray[np.float64]

CI_BOUND = ("ci_bound", ["lower", "upper"])


class Variable(NamedTuple):
    """Units and long name of a variable of a data set, declared in the module that computes it."""

    units: str
    long_name: str


SHARED = {
    "nll": Variable("nat", "negative log-likelihood"),
    "log_ratio": Variable("nat", "log-likelihood ratio, first over second"),
    "exact": Variable("nat", "exact value"),
    "length": Variable("1", "scored positions"),
    "forward_passes": Variable(
        "1", "forward passes run, over all replicates, with the fully masked pass that cautions need"
    ),
    "failed": Variable("1", "how the model failed on the item; empty where there is an estimate"),
    "estimator": Variable("1", "estimator that was used"),
    "interval": Variable("1", "kind of interval that was used"),
    "degrees": Variable("1", "degrees of freedom of the standard error"),
    "effective_passes": Variable("1", "number of passes that carry the spread"),
    "skewness": Variable("1", "skewness of the estimate, as far as the interval accounts for it"),
    "unseen": Variable("nat", "half-width that the interval has for mask sizes without a pass"),
    "replicates": Variable("1", "replicates that were drawn"),
    "effective_positions": Variable("1", "number of positions that carry the loss"),
    "full_mask_ratio": Variable("1", "loss of the fully masked pass over the negative log-likelihood"),
    "bytes": Variable("1", "bytes of the response in UTF-8"),
    "words": Variable("1", "words of the response, separated by white space"),
    **{
        f"bits_per_{unit}{suffix}": Variable("bit", f"{words}negative log-likelihood per {unit_words}")
        for unit, unit_words in (("token", "scored token"), ("byte", "byte"), ("word", "word"))
        for suffix, words in (("", ""), ("_ci", "confidence interval of the "))
    },
}
"""Variables that several modules compute."""

BAR_VARIABLES = ("skewness", "effective_passes", "unseen")  # of an `ErrorBar`, by the same names


def describe(dataset: xr.Dataset, variables: Mapping[str, Variable] | None = None) -> xr.Dataset:
    """Return the data set with ``units`` and ``long_name`` for the given variables and the `SHARED` ones.

    Examples
    --------
    >>> described = describe(xr.Dataset({"gap": 0.5, "length": 8}), {"gap": Variable("nat", "the gap")})
    >>> described["gap"].attrs, described["length"].attrs["long_name"]
    ({'units': 'nat', 'long_name': 'the gap'}, 'scored positions')
    """
    described = dataset.copy()
    for name, variable in (SHARED | dict(variables or {})).items():
        if name in described:
            described[name].attrs = variable._asdict()
    return described


def replicates_dataset(
    name: str,
    estimates: FloatArray,
    *,
    labels: tuple[str, Iterable[object]],
    level: float,
    bars: Sequence[ErrorBar] | None = None,
    **others: ArrayLike,
) -> xr.Dataset:
    """Label replicates and give them their intervals.

    Parameters
    ----------
    name : str
        ``"nll"`` or ``"log_ratio"``.
    estimates : array of float64, shape (item, replicate)
        Nats. NaN at the end of a row if the item has fewer replicates, or none because it failed.
    labels : tuple of str and iterable
        The first dimension's name and its coordinate.
    level : float
        Confidence level.
    bars : sequence of ErrorBar, optional
        The error of each item; None: Student's t over the replicates.
    **others : array_like, shape (item,)
        Further variables over the items.

    Returns
    -------
    xarray.Dataset
        ``name``, ``name_se (item)``, ``name_ci (item, ci_bound)``, ``name_replicate (item, replicate)`` and the others;
        with bars also ``interval``, ``degrees``, ``skewness``, ``effective_passes`` and ``unseen (item)``. Intervals of
        likelihoods are `infodis_stats.analysis.nonnegative`.
    """
    unit, coordinate = labels
    count = (~np.isnan(estimates)).sum(axis=-1)
    mean = np.full(count.shape, np.nan)
    np.divide(np.nansum(estimates, axis=-1), count, out=mean, where=count > 0)
    largest, smallest = np.fmax.reduce(estimates, axis=-1), np.fmin.reduce(estimates, axis=-1)
    mean = np.where(largest == smallest, largest, mean)  # which a sum rounds
    if bars is None:
        interval = analysis.student_t(estimates, level)
        lower, upper = interval.lower, interval.upper
        standard_error = np.sqrt(analysis.variance(estimates) / estimates.shape[-1])
    else:
        numbers = np.array([(bar.lower, bar.upper, bar.standard_error, bar.degrees) for bar in bars])
        lower, upper, standard_error, degrees = numbers.T
        others |= {"interval": [bar.kind for bar in bars], "degrees": degrees}
        others |= {key: [getattr(bar, key) for bar in bars] for key in BAR_VARIABLES}
    # Intervals are centred at other sums of the same numbers, which may round to the other side of the mean.
    within = analysis.rounding(mean)
    lower = np.where((lower > mean) & (lower <= mean + within), mean, lower)
    upper = np.where((upper < mean) & (upper >= mean - within), mean, upper)
    if name == "nll":  # of discrete tokens: no probability exceeds 1
        possible = analysis.nonnegative(analysis.Interval(lower, upper), mean)
        lower, upper = possible.lower, possible.upper
    units, words = SHARED[name]
    dataset = xr.Dataset(
        {
            name: (unit, mean),
            f"{name}_se": (unit, standard_error, {"units": units, "long_name": f"standard error of the {words}"}),
            f"{name}_ci": interval_variable([unit], lower, upper),
            f"{name}_replicate": (
                [unit, "replicate"],
                estimates,
                {"units": units, "long_name": f"{words}, one replicate"},
            ),
            **{key: (unit, np.asarray(values)) for key, values in others.items()},
        },
        coords={
            unit: list(coordinate),
            CI_BOUND[0]: CI_BOUND[1],
            "replicate": np.arange(estimates.shape[-1]),
        },
    )
    dataset[f"{name}_ci"].attrs = {
        "units": units,
        "long_name": f"confidence interval of the {words}",
        "ci_kind": "student-t" if bars is None else ", ".join(dict.fromkeys(bar.kind for bar in bars if bar.kind)),
        "ci_prob": level,
    }
    return describe(dataset)


def bars_of(dataset: xr.Dataset, name: str) -> list[ErrorBar]:
    """Return the error bars that `replicates_dataset` labelled."""
    keys = ("interval", f"{name}_se", "degrees", f"{name}_ci", *BAR_VARIABLES)
    columns = zip(*(dataset[key].values.tolist() for key in keys), strict=True)
    return [
        ErrorBar(kind, error, degrees, lower, upper, **dict(zip(BAR_VARIABLES, others, strict=True)))
        for kind, error, degrees, (lower, upper), *others in columns
    ]


def with_estimates(dataset: xr.Dataset) -> xr.Dataset:
    """Return a result without the items that have failed."""
    if "failed" not in dataset:
        return dataset
    return dataset.isel({dataset["failed"].dims[0]: dataset["failed"].values == ""})


def check_complete(dataset: xr.Dataset) -> None:
    """Refuse a data set with failed items. Raises `InputError`, which says how to leave them out."""
    if "failed" not in dataset or not (failed := dataset["failed"].values != "").any():
        return
    (unit,) = dataset["failed"].dims
    first = int(failed.argmax())
    raise InputError(
        f"{int(failed.sum())} of {failed.size} {unit}s have no estimate, {dataset[unit].values[first]} among them "
        f"({dataset['failed'].values[first]}); to leave them out, pass "
        f"result.isel({unit}=(result.failed == '').values)"
    )


def estimates_of(dataset: xr.Dataset, name: str) -> analysis.Estimates:
    """Return the estimates with the standard errors and degrees of freedom that `replicates_dataset` labelled.

    Raises
    ------
    InputError
        If an item has failed, or an estimate lacks a remainder that is only bounded, which standard errors do not
        include.
    """
    check_complete(dataset)
    if "remainder_upper" in dataset:
        largest = float((dataset["remainder_upper"] - dataset["remainder_lower"]).max())
        if largest > LARGEST_REMAINDER:
            raise InputError(
                f"an estimate lacks up to {largest:.3g} nats that are only bounded, because its noise ends before "
                "it has hidden everything; standard errors do not include them; use a schedule such as polynomial"
            )
    estimate, error, degrees = (dataset[key].values for key in (name, f"{name}_se", "degrees"))
    # Older results lack the others.
    others = {key: dataset[key].values for key in ("skewness", "unseen") if key in dataset}
    return analysis.Estimates(estimate, error, degrees, **others)


def interval_variable(dims: Sequence[str], lower: FloatArray, upper: FloatArray) -> tuple[list[str], FloatArray]:
    """Return the two bounds as one variable with a last dimension ``ci_bound``."""
    return [*dims, CI_BOUND[0]], np.stack([lower, upper], axis=-1)

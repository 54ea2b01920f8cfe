"""Summaries of a study of likelihoods: values of whole sets of texts, and bias and spread of published estimators."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm

from infodis_stats import analysis
from infodis_stats.results.labels import CI_BOUND

__all__ = ["summarise_published", "summarise_values"]

FloatArray = NDArray[np.float64]


def summarise_values(values: xr.Dataset, truth: xr.Dataset, *, level: float = 0.95) -> xr.Dataset:
    """Add the values of the texts of each subject.

    Parameters
    ----------
    values : xarray.Dataset
        ``lower``, ``lower_se``, ``upper``, ``upper_se`` and ``exact (item, estimand)`` in nats, with a coordinate
        ``subject`` on the items; NaN where an estimand was not computed.
    truth : xarray.Dataset
        ``length`` and ``bytes (item)``.
    level : float, default 0.95

    Returns
    -------
    xarray.Dataset
        Over ``(subject, estimand)``: ``bits`` and ``perplexity`` per token with ``bits_ci`` and ``perplexity_ci``,
        whose ends are those of the two bounds, each with its normal error; ``bits_per_byte``, ``difference`` from the
        any-order value, and ``exact``. Over ``subject``: ``texts`` and ``tokens``.
    """
    subjects = list(dict.fromkeys(truth["subject"].values.tolist()))
    parts = []
    for subject in subjects:
        member = truth["subject"].values == subject
        parts.append(_values_part(values.isel(item=member), truth.isel(item=member), float(norm.ppf((1 + level) / 2))))
    return xr.concat(parts, dim="subject").assign_coords(
        {"subject": subjects, "estimand": values["estimand"].values, CI_BOUND[0]: CI_BOUND[1]}
    )


def _values_part(values: xr.Dataset, truth: xr.Dataset, quantile: float) -> xr.Dataset:
    tokens = float(truth["length"].sum())
    lower, upper = values["lower"].sum("item", skipna=False), values["upper"].sum("item", skipna=False)
    errors = [np.sqrt((values[f"{end}_se"] ** 2).sum("item", skipna=False)) for end in ("lower", "upper")]
    lowest = np.maximum(lower - quantile * errors[0], 0.0)  # no probability exceeds 1
    ends = np.stack([lowest, upper + quantile * errors[1]], axis=-1) / tokens
    middle = np.where(np.isfinite(lower), (lower + upper) / 2, upper) / tokens
    base = middle[values["estimand"].values.tolist().index("any-order")]
    return xr.Dataset(
        {
            "bits": ("estimand", middle / np.log(2)),
            "bits_ci": (["estimand", CI_BOUND[0]], ends / np.log(2)),
            "bits_per_byte": ("estimand", middle / np.log(2) * tokens / float(truth["bytes"].sum())),
            "perplexity": ("estimand", np.exp(middle)),
            "perplexity_ci": (["estimand", CI_BOUND[0]], np.exp(ends)),
            "difference": ("estimand", middle / base - 1),
            "exact": ("estimand", (values["exact"] == 1).all("item").values),
            "texts": len(truth["item"]),
            "tokens": tokens,
        }
    )


def summarise_published(draws: xr.Dataset, truth: xr.Dataset, batches: Sequence[int]) -> xr.Dataset:
    """Compare published estimators with the any-order value.

    Parameters
    ----------
    draws : xarray.Dataset
        ``estimate (item, estimator, replicate)`` in nats, one replicate per batch, with a coordinate ``subject`` on the
        items; NaN where an estimator did not run. ``exact_mean (item, estimator)``: the mean, NaN where it is unknown.
    truth : xarray.Dataset
        ``truth``, ``truth_se`` and ``length (item)`` of the same items.
    batches : sequence of int
        Of each estimator, the batches whose mean is a published number.

    Returns
    -------
    xarray.Dataset
        Over ``(subject, estimator)``: ``mean_bits`` per token; ``bias`` with ``bias_se``, shares of the any-order value
        of the set, and ``bias_bits`` per token, from the exact mean where it is known, else from the draws;
        ``bias_z`` and ``bias_p`` of the draws against the any-order value, ``simulation_z`` and ``simulation_p`` of
        the draws against the exact mean; ``text_spread`` and ``set_spread``, relative standard deviations of a
        published number.
    """
    subjects = list(dict.fromkeys(truth["subject"].values.tolist()))
    known = truth.sel(item=draws["item"].values)
    estimates = draws["estimate"].transpose("estimator", "item", "replicate").values
    means = draws["exact_mean"].transpose("estimator", "item").values
    parts = []
    for subject in subjects:
        member = known["subject"].values == subject
        parts.append(
            _published_part(estimates[:, member], means[:, member], known.isel(item=member), np.array(batches)[:, None])
        )
    summary = xr.concat(parts, dim="subject").assign_coords(subject=subjects, estimator=draws["estimator"].values)
    for name in ("bias_p", "simulation_p"):
        summary[name] = summary[name].dims, analysis.family_wise(summary[name].values)
    return summary


def _published_part(
    estimates: FloatArray, means: FloatArray, known: xr.Dataset, batches: NDArray[np.int64]
) -> xr.Dataset:
    """Summarise draws (estimator, item, replicate) of one subject."""
    truth, tokens = known["truth"].values, float(known["length"].sum())
    total = truth.sum()
    drawn, variance = estimates.mean(axis=-1), analysis.variance(estimates)
    simulated = variance / estimates.shape[-1]
    exact = ~np.isnan(means) & ~np.isnan(drawn)
    mean = np.where(exact, means, drawn)
    error = np.sqrt((np.where(exact, 0.0, simulated) + known["truth_se"].values ** 2).sum(axis=-1))
    rounding = (analysis.rounding(drawn) ** 2 + known["truth_se"].values ** 2).sum(axis=-1)
    z = (drawn - means).sum(axis=-1) / np.sqrt(simulated.sum(axis=-1) + rounding)
    tested = analysis.pooled_bias(estimates, truth, axis=-1, truth_se=known["truth_se"].values)
    offset = (mean - truth).sum(axis=-1)
    return xr.Dataset(
        {
            "mean_bits": ("estimator", mean.sum(axis=-1) / tokens / np.log(2)),
            "bias": ("estimator", offset / total),
            "bias_se": ("estimator", error / total),
            "bias_bits": ("estimator", offset / tokens / np.log(2)),
            "bias_z": ("estimator", tested.z),
            "bias_p": ("estimator", tested.p_value),
            "simulation_z": ("estimator", z),
            "simulation_p": ("estimator", 2 * norm.sf(np.abs(z))),
            "text_spread": ("estimator", np.sqrt((variance / batches / truth**2).mean(axis=-1))),
            "set_spread": ("estimator", np.sqrt((variance / batches).sum(axis=-1)) / total),
        }
    )

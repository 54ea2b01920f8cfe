"""The labelled face of the analysis: estimates as xarray data sets, with units and names."""

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from infodis_stats import analysis
from infodis_stats.results.error_bars import ErrorBar
from infodis_stats.results.validity import LARGEST_REMAINDER

__all__ = [
    "CI_BOUND",
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
VARIABLES: dict[str, tuple[str, str]] = {
    "nll": ("nat", "negative log-likelihood"),
    "log_ratio": ("nat", "log-likelihood ratio, first over second"),
    "log_ratio_p": ("1", "p-value of the log ratio's sign, Holm-adjusted over the scan"),
    "likelier": ("1", "side that is likelier, or open"),
    "p_value": ("1", "p-value of the claim that is made"),
    "adjusted": ("1", "p-value of the log ratio's sign, adjusted for all pairs"),
    "exact": ("nat", "exact value"),
    "nll_per_token": ("nat", "negative log-likelihood of a scored token"),
    "perplexity": ("1", "perplexity of a scored token"),
    "win_rate": ("1", "share of pairs whose log-likelihood ratio is above zero"),
    "documents": ("1", "documents that the budget buys"),
    "expected_se": ("nat", "expected standard error of the mean over documents"),
    "correlation": ("1", "correlation of the two sides' estimates over replicates"),
    "coupling_gain": ("1", "variance of independent sides over the variance of the difference"),
    "estimate": ("nat", "estimate of one replicate"),
    "failed": ("1", "how the model failed on it; empty where there is an estimate"),
    "forward_passes": ("1", "forward passes really run, over all replicates"),
    "khat": ("1", "Pareto k-hat of the right tail of the terms of single passes"),
    "truth": ("nat", "value that estimates are compared with"),
    "truth_se": ("nat", "standard error of the value that estimates are compared with"),
    "law_value": ("nat", "exact value under the law that the sequences were drawn from"),
    "length": ("1", "scored positions"),
    "leader": ("1", "candidate with the smallest negative log-likelihood, in sum or per token as was asked for"),
    "status": ("1", "best, eliminated, or open where the budget is spent"),
    "reached": ("1", "whether the interval is as narrow as was asked for"),
    "replicates": ("1", "replicates that were drawn"),
    "windows": ("1", "windows that the record was scored in"),
    "bits_per_token": ("bit", "negative log-likelihood of a scored token"),
    "bits_per_token_ci": ("bit", "confidence interval of the negative log-likelihood of a scored token"),
    "estimator": ("1", "estimator that was used"),
    "interval": ("1", "kind of interval that was used"),
    "degrees": ("1", "degrees of freedom of the standard error"),
    "remainder_lower": ("nat", "least that the integral of the score entropy lacks, which is in the estimate"),
    "remainder_upper": ("nat", "most that the integral of the score entropy lacks, which is in the interval"),
    "effective_positions": ("1", "number of positions that carry the loss"),
    "full_mask_ratio": ("1", "loss of the fully masked pass over the negative log-likelihood"),
    "exact_pass_variance": ("nat2", "exact variance of one independent pass"),
    "variance": ("nat2", "variance of one replicate, averaged over the group"),
    "exact_variance": ("nat2", "exact variance of one replicate, averaged over the group"),
    "mse": ("nat2", "mean squared error of one replicate, averaged over the group"),
    "bias": ("nat", "mean error over the group"),
    "bias_se": ("nat", "standard error of the bias"),
    "bias_z": ("1", "bias over its standard error"),
    "bias_p": ("1", "p-value of the bias, Holm-adjusted over the whole study"),
    "coverage": ("1", "share of the intervals that cover the truth"),
    "coverage_ci": ("1", "Wilson interval of the coverage"),
    "coverage_p": ("1", "p-value of the coverage being the level, Holm-adjusted over the study for each kind"),
    "coverage_pooled": ("1", "share of the intervals that cover the truth, over all passes"),
    "coverage_pooled_ci": ("1", "Wilson interval of the coverage over all passes"),
    "intervals_pooled": ("1", "intervals that were counted, over all passes"),
    "relative_width": ("1", "median width over that of the normal interval of known variance"),
    "short_p": ("1", "p-value of the coverage being at most one point below the level, Holm-adjusted"),
    "missed_low": ("1", "intervals below the truth"),
    "missed_high": ("1", "intervals above the truth"),
    "intervals": ("1", "intervals that were counted"),
    "half_width": ("nat", "mean half-width of the intervals"),
    "efficiency": ("1", "variance of the reference over the variance, at equal passes"),
    "efficiency_ci": ("1", "bootstrap interval of the efficiency"),
    "slope": ("1", "slope of log variance on log passes"),
    "slope_ci": ("1", "interval of the slope"),
    "khat_median": ("1", "median Pareto k-hat over the group"),
    "nll_se": ("nat", "standard error of the negative log-likelihood"),
    "texts": ("1", "texts of the corpus"),
    "difference": ("bit", "mean cost of a token over that in the reference corpus"),
    "difference_ci": ("bit", "confidence interval of the difference"),
    "mask_share": ("1", "share of the variance between texts that is noise of the masks"),
    "auroc": ("1", "chance that a text costs more a token than one of the reference corpus"),
    "auroc_ci": ("1", "confidence interval of the AUROC"),
    "gain": ("1", "variance of the rival over the variance, at equal passes"),
    "gain_ci": ("1", "bootstrap interval of the gain"),
    "regret": ("1", "variance over that of the best estimator, which is chosen on other replicates"),
    "regret_ci": ("1", "interval of the regret"),
    "mean_gain": ("1", "geometric mean of the gain over the groups of 16 to 64 scored positions, finite ones"),
    "mean_gain_ci": ("1", "interval of the geometric mean of the gain"),
    "mean_regret": ("1", "geometric mean of the regret over the groups of 16 to 64 scored positions, finite ones"),
    "mean_regret_ci": ("1", "interval of the geometric mean of the regret"),
    "regret_infinite": ("1", "groups of infinite regret, where only another is exact; not in the mean"),
    "gain_infinite": ("1", "groups of infinite gain, where the estimator is exact; not in the mean"),
    "variance_ratio": ("1", "variance of the first over that of the second, at equal passes"),
    "variance_ratio_ci": ("1", "bootstrap interval of the variance ratio"),
    "variance_ratio_p": ("1", "p-value of equal variances at equal passes, Holm-adjusted over the items"),
    "smaller": ("1", "result with less variance at equal passes, open, or exact where both are"),
    "total_ratio": ("1", "summed variance of the first over that of the second, at equal passes"),
    "total_ratio_ci": ("1", "bootstrap interval of the ratio of summed variances"),
    "total_ratio_p": ("1", "p-value of equal summed variances at equal passes"),
    "order_nll": ("nat", "negative log-likelihood by the chain rule in one order"),
    "order_gap": ("nat", "mean over orders, over minus the log of the mean probability"),
    "order_gap_se": ("nat", "standard error of the order gap"),
    "order_gap_ci": ("nat", "confidence interval of the order gap"),
    "order_sd": ("nat", "standard deviation over orders"),
    "effective_orders": ("1", "number of orders that carry the mean probability"),
    "one_law": ("1", "0 where the conditionals are proved not to come from one law"),
    "swap_defect": ("nat", "cost of two positions in one order minus that in the other"),
    "swap_rms": ("nat", "root mean square of the swap defects"),
    "swaps_beyond": ("1", "share of the swaps whose defect is no rounding"),
    "swaps_beyond_ci": ("1", "confidence interval of the share of swaps whose defect is no rounding"),
    "size_nll": ("nat", "contribution of masks of certain sizes to the negative log-likelihood"),
    "size_nll_se": ("nat", "standard error of the contribution of masks of certain sizes"),
    "size_nll_ci": ("nat", "confidence band of the contributions of masks of certain sizes"),
    "size_nll_replicate": ("nat", "contribution of masks of certain sizes, a replicate"),
    "size_share": ("1", "share of the negative log-likelihood"),
    "size_loss": ("nat", "mean loss of a masked token, averaged over the sizes"),
    "fewest_masked": ("1", "fewest masked positions"),
    "most_masked": ("1", "most masked positions"),
    "information": ("nat", "mutual information of the clean sequence and the noised one"),
    "information_se": ("nat", "standard error of the mutual information"),
    "information_ci": ("nat", "confidence band of the mutual information"),
    "entropy": ("nat", "entropy of the law"),
    "best_masked": ("1", "masked estimator with the least variance, chosen on the first half of the replicates"),
    "best_noised": ("1", "score entropy with the least variance, chosen on the first half of the replicates"),
    "lead": ("1", "variance of the best masked estimator over that of the best score entropy, on the second half"),
    "lead_ci": ("1", "bootstrap interval of the lead"),
    "entropy_z": ("1", "information without noise minus the entropy of the law, over its standard error"),
    "entropy_p": ("1", "p-value of the information without noise being the entropy, Holm-adjusted over the study"),
    "passes_run": ("1", "forward passes really run, per replicate and sequence"),
}


def describe(dataset: xr.Dataset) -> xr.Dataset:
    """Return the data set with ``units`` and ``long_name`` on every variable that has an entry in `VARIABLES`."""
    described = dataset.copy()
    for name in described.data_vars:
        if name in VARIABLES:
            units, long_name = VARIABLES[str(name)]
            described[name].attrs = {"units": units, "long_name": long_name}
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
        An entry of `VARIABLES`, such as ``"nll"``.
    estimates : array of float64, shape (item, replicate)
        Nats. NaN at the end of a row: the item has fewer replicates, or none as it has failed.
    labels : tuple of str and iterable
        The first dimension's name and its coordinate.
    level : float
        Confidence level.
    bars : sequence of ErrorBar, optional
        The error of each item; None: Student's t over the replicates.
    **others : array_like, shape (item,)
        Further entries of `VARIABLES`.

    Returns
    -------
    xarray.Dataset
        ``name``, ``name_se (item)``, ``name_ci (item, ci_bound)``, ``name_replicate (item, replicate)`` and the others;
        with bars also ``interval`` and ``degrees (item)``.
    """
    unit, coordinate = labels
    count = (~np.isnan(estimates)).sum(axis=-1)
    mean = np.full(count.shape, np.nan)
    np.divide(np.nansum(estimates, axis=-1), count, out=mean, where=count > 0)
    if bars is None:
        interval = analysis.student_t(estimates, level)
        lower, upper = interval.lower, interval.upper
        standard_error = np.sqrt(analysis.variance(estimates) / estimates.shape[-1])
    else:
        numbers = np.array([(bar.lower, bar.upper, bar.standard_error, bar.degrees) for bar in bars])
        lower, upper, standard_error, degrees = numbers.T
        others |= {"interval": [bar.kind for bar in bars], "degrees": degrees}
    units, words = VARIABLES[name]
    dataset = xr.Dataset(
        {
            name: (unit, mean),
            f"{name}_se": (unit, standard_error, {"units": units, "long_name": f"standard error of the {words}"}),
            f"{name}_ci": interval_variable([unit], lower, upper),
            f"{name}_replicate": (
                [unit, "replicate"],
                estimates,
                {"units": units, "long_name": f"{words}, a replicate"},
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
    columns = [dataset[key].values.tolist() for key in ("interval", f"{name}_se", "degrees")]
    return [ErrorBar(*one, *ends) for *one, ends in zip(*columns, dataset[f"{name}_ci"].values.tolist(), strict=True)]


def with_estimates(dataset: xr.Dataset) -> xr.Dataset:
    """Return a result without the items that have failed."""
    if "failed" not in dataset:
        return dataset
    return dataset.isel({dataset["failed"].dims[0]: dataset["failed"].values == ""})


def check_complete(dataset: xr.Dataset) -> None:
    """Refuse a data set of which some items have failed. Raises `InputError`: how to leave them out."""
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
        If an item has failed, or an estimate lacks a remainder that is only bounded: standard errors know nothing of
        it.
    """
    check_complete(dataset)
    if "remainder_upper" in dataset:
        largest = float((dataset["remainder_upper"] - dataset["remainder_lower"]).max())
        if largest > LARGEST_REMAINDER:
            raise InputError(
                f"an estimate lacks up to {largest:.3g} nats that are only bounded, as its noise ends before it has "
                "hidden everything; standard errors know nothing of it, so take a schedule such as polynomial"
            )
    return analysis.Estimates(*(dataset[key].values for key in (name, f"{name}_se", "degrees")))


def interval_variable(dims: Sequence[str], lower: FloatArray, upper: FloatArray) -> tuple[list[str], FloatArray]:
    """Return the two ends as one variable with a last dimension ``ci_bound``."""
    return [*dims, CI_BOUND[0]], np.stack([lower, upper], axis=-1)

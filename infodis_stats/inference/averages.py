"""Averages over a data set, and how to split a budget between more masks and more documents."""

from __future__ import annotations

import reprlib
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from estimators.arguments import check_count
from infodis_stats import analysis
from infodis_stats.inference.bracket_averages import VARIABLES as BRACKET_VARIABLES
from infodis_stats.inference.bracket_averages import bracket_averages
from infodis_stats.results.labels import CI_BOUND, Variable, describe, estimates_of
from infodis_stats.results.quantity import quantity_of
from infodis_stats.results.validity import CAUTIONS

__all__ = ["average", "split_budget"]

VARIABLES = {
    "nll_per_token": Variable("nat", "negative log-likelihood per scored token"),
    "bits_per_token_macro": Variable("bit", "mean over documents of the negative log-likelihood per scored token"),
    "bits_per_byte_macro": Variable("bit", "mean over documents of the negative log-likelihood per byte"),
    "perplexity": Variable("1", "perplexity per scored token"),
    "win_rate": Variable("1", "share of pairs whose log-likelihood ratio is above zero"),
    "mask_share": Variable("1", "share of the variance between texts that is noise of the masks"),
    "effective_documents": Variable("1", "documents that carry the variance of an average over the population"),
    "dominated": Variable("1", "whether a few documents dominate an average over the population"),
}

SPLIT_VARIABLES = {
    "documents": Variable("1", "documents that the budget allows"),
    "expected_se": Variable("nat", "expected standard error of the mean over documents"),
}

FloatArray = NDArray[np.float64]


def average(result: xr.Dataset, of: analysis.Of, level: float | None = None) -> xr.Dataset:
    """Average estimates over the documents of a data set, or over the population from which they were drawn.

    The two have different errors. For these documents only the masks are random, and the error combines those of the
    result's intervals. For the population the documents are random too, and the error is their spread, which includes
    the noise of the masks; where their values are skewed, so is the interval. Neither needs more replicates than the
    result has.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio` or another estimate; a document is a sequence, a record or a pair.
    of : {"these", "population"}
        Whether to average these documents or their population.
    level : float, optional
        Confidence level; default: that of the result.

    Returns
    -------
    xarray.Dataset
        For likelihoods: ``nll`` (per document), ``nll_per_token`` (micro: the total over all tokens, so long documents
        weigh more), its ``bits_per_token`` and ``perplexity``, and ``bits_per_token_macro``, the mean over documents of
        each document's bits per token, so all documents weigh the same. For texts also ``bits_per_byte`` and
        ``bits_per_word`` (micro) and ``bits_per_byte_macro``. For ratios: ``log_ratio`` (per pair) and ``win_rate``,
        the share of pairs above zero (`infodis_stats.analysis.win_rate`). For brackets (`bracket_nll`) also the lower
        and the upper bounds on the order-marginal likelihood: ``marginal_lower`` and ``marginal_upper``, and these with
        ``_bits_per_token``, ``_bits_per_byte`` and ``_perplexity``. The truth lies between the lower end of the
        interval of the one and the upper end of that of the other; a document without a lower bound counts as 0 there.
        Each has ``_se`` (except the win-rate) and
        ``_ci (ci_bound)``; those of likelihoods are `infodis_stats.analysis.nonnegative`. ``mask_share`` is the share
        of the variance between documents that is noise of the masks. ``cautions (caution)`` hold for at least one
        document, or, ``few-documents-dominate``, for an average over the population: ``dominated (average)`` says for
        which, and ``effective_documents (average)`` how many documents carry its variance. `summary` prints the result.

    Raises
    ------
    InputError
        If the data set is not such a result, or has too few documents.

    Notes
    -----
    Errors of functions of the mean are those of the delta method; the ends of the perplexity's interval are the
    exponentials of the ends. The interval for the population, its measured coverage and that of samples with and
    without the caution are described at `infodis_stats.analysis.average`.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.estimate_nll(law, law.sample(40, length=16, seed=1), "uniform-count+stratified")
    >>> for of in ("these", "population"):
    ...     print(ids.average(result, of)["bits_per_token_ci"].values.round(2))
    [1.7  1.72]
    [1.66 1.77]
    """
    name, result = quantity_of(result, "an average", "degrees", "forward_passes")
    confidence = result.attrs["ci_prob"] if level is None else level
    documents = estimates_of(result, name)
    means = {name: analysis.average(documents, of, level=confidence)}
    if name == "nll":
        means |= _per_unit(result, documents, of, confidence)
        values = {key: _entry(mean) for key, mean in means.items()}
        estimate, error, ends = values["nll_per_token"]
        with np.errstate(over="ignore"):  # infinite beyond 709 nats per token
            perplexity, perplexity_ends = np.exp(estimate), np.exp(ends)
        values |= {
            "bits_per_token": (estimate / np.log(2), error / np.log(2), ends / np.log(2)),
            "perplexity": (perplexity, perplexity * error if error else 0.0, perplexity_ends),
        }
        if "marginal_upper" in result:
            values |= bracket_averages(result, of, confidence)
    else:
        values = {name: _bounds(means[name]), "win_rate": _bounds(analysis.win_rate(documents, of, confidence))}
    averaged = xr.Dataset(
        {key: estimate for key, (estimate, _, _) in values.items()}
        | {f"{key}_se": error for key, (_, error, _) in values.items() if key != "win_rate"}
        | {f"{key}_ci": (CI_BOUND[0], ends) for key, (_, _, ends) in values.items()},
        coords={CI_BOUND[0]: CI_BOUND[1]},
    )
    if result[name].size > 1:
        averaged["mask_share"] = analysis.mask_share(documents)
    cautions = result["cautions"].any(str(result[name].dims[0]), keep_attrs=True)
    if of == "population":
        averaged = averaged.assign_coords(average=list(means))
        averaged["effective_documents"] = "average", [mean.effective_documents for mean in means.values()]
        averaged["dominated"] = "average", [mean.dominated for mean in means.values()]
        key = "few-documents-dominate"
        cautions = cautions.reindex(caution=list(CAUTIONS), fill_value=False)  # older results lack newer cautions
        cautions.loc[{"caution": key}] |= averaged["dominated"].any()
    averaged["cautions"] = cautions
    averaged = describe(averaged, VARIABLES | BRACKET_VARIABLES)
    for key in values:
        about = averaged[key].attrs
        for suffix, words in (("_se", "standard error of the "), ("_ci", "confidence interval of the ")):
            if key + suffix in averaged:
                averaged[key + suffix].attrs = about | {"long_name": words + about["long_name"]}
    averaged.attrs = result.attrs | {"of": of, "ci_prob": confidence, "documents": result[name].size}
    if name == "nll":
        counts = {"tokens": "length", "bytes": "bytes", "words": "words"}
        averaged.attrs |= {word: int(result[count].sum()) for word, count in counts.items() if count in result}
    return averaged


def split_budget(result: xr.Dataset, budget: int, document_cost: float = 0.0) -> xr.Dataset:
    """Find the best split of passes between documents and masks, for the mean of the population.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio` or another estimate, for at least 4 documents: a pilot.
    budget : int
        Forward passes to spend in all.
    document_cost : float, default 0
        Cost of obtaining one more document, in forward passes.

    Returns
    -------
    xarray.Dataset
        Over ``document_passes``, the forward passes per document (all sides, windows and replicates): the number of
        ``documents`` that the budget buys, and ``expected_se`` of the mean over documents, nats. The attributes have
        the variance components ``between`` documents and ``within`` one pass, and the ``best`` split. `summary` prints
        it with advice.

    Raises
    ------
    InputError
        If the data set is not such a result, there are too few documents, or the budget does not buy two.

    Notes
    -----
    ``se^2 = (between + within / p) / documents`` for ``p`` passes per document, where ``within`` is the variance of one
    pass. So ``p = sqrt(document_cost * within / between)`` is best: if documents cost nothing, each gets as few passes
    as the estimator allows. ``within`` is the pilot's mean of passes times squared standard error over documents. That
    is right where the variance is inversely proportional to the passes, as it is for more replicates. With more passes
    per replicate it may fall faster, and with fewer rise faster, for stratified, chain and regression estimators: where
    the advice is far from the pilot, run a second pilot there.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> tokens = law.sample(20, length=16, seed=1)
    >>> pilot = ids.estimate_nll(law, tokens, "uniform-count+stratified", passes=16, replicates=4)
    >>> split = ids.split_budget(pilot, budget=6000, document_cost=100)
    >>> split.attrs["best"], int(split["documents"].sel(document_passes=split.attrs["best"]))
    (19, 50)
    """
    name, result = quantity_of(result, "a split", "degrees", "forward_passes")
    documents = estimates_of(result, name)
    between = analysis.components(documents).between
    check_count("budget", budget)
    if not isinstance(document_cost, int | float | np.integer | np.floating) or not 0 <= document_cost < np.inf:
        raise InputError(f"document_cost must be a number of passes of at least 0, got {reprlib.repr(document_cost)}")
    spent = result["forward_passes"].values
    passes, within = float(spent.mean()), float((spent * documents.standard_error**2).mean())
    candidates = _candidates(passes, within, between, document_cost)
    counts = np.floor(budget / (candidates + document_cost)).astype(np.int64)
    bought = counts >= 2
    if not bought.any():
        least = int(np.ceil(2 * (candidates[0] + document_cost)))
        raise InputError(f"a budget of {budget} passes does not buy two documents, which cost {least}")
    candidates, counts = candidates[bought], counts[bought]
    errors = np.sqrt((between + within / candidates) / counts)
    best = int(candidates[errors.argmin()])
    split = describe(
        xr.Dataset(
            {"documents": ("document_passes", counts), "expected_se": ("document_passes", errors)},
            coords={"document_passes": candidates},
        ),
        SPLIT_VARIABLES,
    )
    split["cautions"] = result["cautions"].any(str(result[name].dims[0]), keep_attrs=True)
    split.attrs = result.attrs | {
        "budget": budget,
        "document_cost": document_cost,
        "between": between,
        "within": within,
        "pilot_passes": passes,
        "best": best,
    }
    return split


def _candidates(passes: float, within: float, between: float, document_cost: float) -> NDArray[np.int64]:
    """Return candidates for the passes per document: the pilot's times powers of two, and the best."""
    if within == 0:
        return np.array([round(passes)])
    # The grid starts at an eighth of the pilot's passes: its variance does not extrapolate further.
    best = np.sqrt(document_cost * within / between) if between > 0 else np.inf
    grid = passes * 2.0 ** np.arange(-3, 4)
    inside = [best] if grid[0] <= best <= grid[-1] else []
    return np.unique(np.maximum(1, np.round([*grid, *inside]))).astype(np.int64)


def _per_unit(
    result: xr.Dataset, documents: analysis.Estimates, of: analysis.Of, level: float
) -> dict[str, analysis.Average]:
    """Return the averages per token, and of texts per byte and per word: totals over all, and means over documents."""
    bits, lengths = _divided(documents, np.full(documents.estimate.shape, np.log(2))), result["length"].values
    means = {
        "nll_per_token": analysis.average(documents, of, lengths, level),
        "bits_per_token_macro": analysis.average(_divided(bits, lengths), of, level=level),
    }
    for unit, count in (("byte", "bytes"), ("word", "words")):
        if count in result and (result[count] > 0).all():  # a blank text has no words
            means[f"bits_per_{unit}"] = analysis.average(bits, of, result[count].values, level)
    if "bits_per_byte" in means:
        means["bits_per_byte_macro"] = analysis.average(_divided(bits, result["bytes"].values), of, level=level)
    return means


def _divided(documents: analysis.Estimates, sizes: NDArray[np.float64 | np.int64]) -> analysis.Estimates:
    return replace(
        documents,
        estimate=documents.estimate / sizes,
        standard_error=documents.standard_error / sizes,
        unseen=np.asarray(documents.unseen) / sizes,
    )


def _entry(mean: analysis.Average) -> tuple[float, float, FloatArray]:
    """Return the average of a likelihood, with its standard error and interval."""
    interval = analysis.nonnegative(mean.interval, mean.estimate)
    return mean.estimate, mean.standard_error, np.array([interval.lower, interval.upper])


def _bounds(mean: analysis.Average) -> tuple[float, float, FloatArray]:
    return mean.estimate, mean.standard_error, np.array([mean.interval.lower, mean.interval.upper])

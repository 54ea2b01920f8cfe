"""Averages over a data set, and how to spend passes on one: more masks or more documents."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats import analysis
from infodis_stats.results.labels import CI_BOUND, Variable, describe, estimates_of

__all__ = ["average", "split_budget"]

VARIABLES = {
    "nll_per_token": Variable("nat", "negative log-likelihood of a scored token"),
    "perplexity": Variable("1", "perplexity of a scored token"),
    "win_rate": Variable("1", "share of pairs whose log-likelihood ratio is above zero"),
    "mask_share": Variable("1", "share of the variance between texts that is noise of the masks"),
}

SPLIT_VARIABLES = {
    "documents": Variable("1", "documents that the budget buys"),
    "expected_se": Variable("nat", "expected standard error of the mean over documents"),
}

FloatArray = NDArray[np.float64]


def average(result: xr.Dataset, of: analysis.Of, level: float | None = None) -> xr.Dataset:
    """Average estimates over the documents of a data set, or over the population that they were drawn from.

    The two have different errors. Of these documents only the masks are random: the error is made of those that the
    result's intervals have. As a sample of a population documents are random themselves, and their spread, which
    contains the noise of the masks, is the error. Neither asks for more replicates than the result has.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio`, or their kin: a document is a sequence, a record or a pair.
    of : {"these", "population"}
        Whose average is asked for.
    level : float, optional
        Confidence level; default that of the result.

    Returns
    -------
    xarray.Dataset
        Likelihoods: ``nll`` (a document's), ``nll_per_token`` (that of all documents over all tokens, so long ones
        weigh more), ``bits_per_token`` and ``perplexity`` of it. Ratios: ``log_ratio`` (a pair's) and ``win_rate``, the
        share of pairs above zero, see `infodis_stats.analysis.win_rate`. Each has its ``_se`` (but the win-rate) and
        ``_ci (ci_bound)``. ``mask_share``: of the variance of the documents' values, what is noise of the masks.
        `summary` prints it.

    Raises
    ------
    InputError
        If the data set is none of these, or has too few documents.

    Notes
    -----
    Errors of functions of the mean are those of the delta method; the ends of the perplexity's interval are the
    exponentials of the ends.

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
    name = _quantity(result, "an average")
    confidence = result.attrs["ci_prob"] if level is None else level
    documents = estimates_of(result, name)
    values: dict[str, tuple[float, float, FloatArray]] = {
        name: _entry(analysis.average(documents, of, level=confidence))
    }
    if name == "nll":
        estimate, error, ends = _entry(analysis.average(documents, of, result["length"].values, confidence))
        with np.errstate(over="ignore"):  # beyond 709 nats a token it is infinite
            perplexity, perplexity_ends = np.exp(estimate), np.exp(ends)
        values |= {
            "nll_per_token": (estimate, error, ends),
            "bits_per_token": (estimate / np.log(2), error / np.log(2), ends / np.log(2)),
            "perplexity": (perplexity, perplexity * error if error else 0.0, perplexity_ends),
        }
    else:
        values["win_rate"] = _entry(analysis.win_rate(documents, of, confidence))
    averaged = xr.Dataset(
        {one: estimate for one, (estimate, _, _) in values.items()}
        | {f"{one}_se": error for one, (_, error, _) in values.items() if one != "win_rate"}
        | {f"{one}_ci": (CI_BOUND[0], ends) for one, (_, _, ends) in values.items()},
        coords={CI_BOUND[0]: CI_BOUND[1]},
    )
    if result[name].size > 1:
        averaged["mask_share"] = analysis.mask_share(documents)
    averaged["cautions"] = result["cautions"].any(str(result[name].dims[0]), keep_attrs=True)
    averaged = describe(averaged, VARIABLES)
    for one in values:
        about = averaged[one].attrs
        for suffix, words in (("_se", "standard error of the "), ("_ci", "confidence interval of the ")):
            if one + suffix in averaged:
                averaged[one + suffix].attrs = about | {"long_name": words + about["long_name"]}
    averaged.attrs = result.attrs | {"of": of, "ci_prob": confidence, "documents": result[name].size}
    if name == "nll":
        averaged.attrs["tokens"] = int(result["length"].sum())
    return averaged


def split_budget(result: xr.Dataset, budget: int, document_cost: float = 0.0) -> xr.Dataset:
    """Say how passes are best split between documents and masks, where the mean of the population is asked for.

    Parameters
    ----------
    result : xarray.Dataset
        Of `estimate_nll`, `estimate_log_ratio`, or their kin, for at least 4 documents: a pilot.
    budget : int
        Forward passes to spend in all.
    document_cost : float, default 0
        What one more document costs to obtain, in forward passes.

    Returns
    -------
    xarray.Dataset
        Over ``document_passes``, what a document gets of forward passes, all sides, windows and replicates together:
        ``documents`` that the budget buys, and ``expected_se`` of the mean over documents, nats. The attributes have
        the components ``between`` documents and ``within`` for one pass, and which of the splits is ``best``. `summary`
        prints it and says what to do.

    Raises
    ------
    InputError
        If the data set is none of these, there are too few documents, or the budget does not buy two.

    Notes
    -----
    ``se^2 = (between + within / p) / documents`` for ``p`` passes a document, ``within`` being the variance of one
    pass, and so ``p = sqrt(document_cost * within / between)`` is best: documents that cost nothing ask for as few
    passes each as the estimator can do with. ``within`` is the pilot's mean of passes times squared standard error,
    document by document. That is right where the variance falls like one over the passes, as it does for more
    replicates. With more passes in a replicate it may fall faster, and with fewer rise faster, for stratified, chain
    and regression estimators: where the advice is far from the pilot, have a second one there.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> pilot = ids.estimate_nll(law, law.sample(20, length=16, seed=1), "uniform-count", passes=8, replicates=4)
    >>> split = ids.split_budget(pilot, budget=6000, document_cost=100)
    >>> split.attrs["best"], int(split["documents"].sel(document_passes=split.attrs["best"]))
    (24, 48)
    """
    name = _quantity(result, "a split")
    documents = estimates_of(result, name)
    between = analysis.components(documents).between
    if document_cost < 0:
        raise InputError(f"the cost of a document is at least 0 passes, got {document_cost}")
    spent = result["forward_passes"].values
    passes, within = float(spent.mean()), float((spent * documents.standard_error**2).mean())
    candidates = _candidates(passes, within, between, document_cost)
    counts = np.floor(budget / (candidates + document_cost)).astype(np.int64)
    bought = counts >= 2
    if not bought.any():
        least = int(np.ceil(2 * (candidates[0] + document_cost)))
        raise InputError(f"a budget of {budget} passes buys no two documents; they cost {least}")
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
    """Return passes a document: the pilot's by factors of two, and the best; an exact pilot's own alone."""
    if within == 0:
        return np.array([round(passes)])
    # The grid ends at an eighth of the pilot's passes: further off its variance says nothing.
    best = np.sqrt(document_cost * within / between) if between > 0 else np.inf
    grid = passes * 2.0 ** np.arange(-3, 4)
    inside = [best] if grid[0] <= best <= grid[-1] else []
    return np.unique(np.maximum(1, np.round([*grid, *inside]))).astype(np.int64)


def _quantity(result: xr.Dataset, purpose: str) -> str:
    known = result.data_vars if isinstance(result, xr.Dataset) else ()
    name = next((one for one in ("nll", "log_ratio") if one in known), None)
    if name is None or "degrees" not in known or "forward_passes" not in known:
        raise InputError(f"{purpose} needs the result of estimate_nll, estimate_log_ratio, or their kin")
    return name


def _entry(found: analysis.Average) -> tuple[float, float, FloatArray]:
    return found.estimate, found.standard_error, np.array([found.interval.lower, found.interval.upper])

"""Validity: cautions that hold by construction, from the estimator and the loss profile of the target.

Statistics of the sample cannot show them: the bad samples are those that missed the tail. Those that depend on the draw
or the model are decided in `infodis_stats.estimates.cautions`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import Contrast, Estimator
from estimators.estimator import estimator_of

__all__ = [
    "CAUTIONS",
    "LARGEST_REMAINDER",
    "NO_CLAIM",
    "Caution",
    "Word",
    "caution_keys",
    "caution_sentences",
    "caution_variable",
    "cautions_of",
    "effective_positions",
    "flags",
    "held",
]

Word = Literal["fine", "caution", "do not use"]
"""The three verdicts, best first."""


@dataclass(frozen=True)
class Caution:
    """A reason why an interval may not be valid, known by construction.

    Parameters
    ----------
    key : str
        Short name, such as ``"few-passes"``.
    sentence : str
        What is wrong; without a full stop.
    verdict : {"caution", "do not use"}
        Verdict of a diagnosis where it holds.
    advice : str
        What to do instead.
    """

    key: str
    sentence: str
    verdict: Word
    advice: str


CAUTIONS: dict[str, Caution] = {
    caution.key: caution
    for caution in (
        Caution(
            "infinite-variance",
            "infinite variance by construction: the sample variance grows with the sample, and no interval is valid",
            "do not use",
            "use auto or uniform-count+stratified; among score entropies, the polynomial schedule",
        ),
        Caution(
            "biased",
            "biased by construction, by truncation at eps or as published: its mean is not the likelihood",
            "do not use",
            "use it to compare with published numbers; for likelihoods use auto",
        ),
        Caution(
            "no-spread",
            "no spread was observed although the estimator samples: the interval is as wide as what so many passes may "
            "have missed, and losses that differ in few masks can still lie outside it",
            "caution",
            "use more passes, chain, or exhaustive if the sequence is short",
        ),
        Caution(
            "no-error",
            "the passes are too few for a standard error, or their estimator has none: the error is not known",
            "caution",
            "use auto with 9 passes or more, or several replicates",
        ),
        Caution(
            "unseen-sizes",
            "no pass has masks of some sizes that may hold more than the spread of the passes: the interval is widened "
            "by what these sizes may hold, and losses of more than twice their neighbours can still lie outside it",
            "caution",
            "use auto with 16 passes or more, which has masks of the smallest sizes, or more passes",
        ),
        Caution(
            "skewed",
            "few losses carry the spread: the estimate is skewed, or samples without the largest losses look too "
            "precise, and coverage is below nominal",
            "caution",
            "use the estimator auto, whose regression removes the differences between positions, or more passes",
        ),
        Caution(
            "few-hard-tokens",
            "fewer than 3 effective positions carry the loss of some sequence: coverage is below nominal, most of all "
            "for antithetic pairs; use the interval design-bootstrap",
            "caution",
            "use the interval design-bootstrap, or exhaustive if the sequence is short",
        ),
        Caution(
            "near-deterministic",
            "few revealed tokens determine the rest of some sequence (the fully masked pass costs over 4 times the "
            "likelihood): a sample that misses the nearly full masks is far from the likelihood and does not show it",
            "caution",
            "use triangular, whose first pass masks everything",
        ),
        Caution(
            "wide-orders",
            "the importance weights of the drawn orders spread too far, or there are fewer than 24: orders that no "
            "sample shows may carry the probability, so the bracket has no lower end",
            "caution",
            "use more orders, or shorter targets",
        ),
        Caution(
            "little-noise",
            "few passes at low noise carry the error: coverage is some points below nominal",
            "caution",
            "for a law, use marginal-score-entropy with the polynomial schedule; for a network, treat intervals as too "
            "narrow",
        ),
        Caution(
            "rare-tokens",
            "some position costs more than 8 nats: noise low enough to resolve such a probability is hardly sampled, "
            "and coverage is below nominal",
            "caution",
            "use a masked estimator, if the model prices masked tokens; else take more passes",
        ),
        Caution(
            "unfinished-noise",
            "the noise ends before it has hidden everything: the interval includes what the integral lacks",
            "caution",
            "use a schedule that ends in pure noise, such as polynomial",
        ),
        Caution(
            "few-documents-dominate",
            "a few documents dominate an average over the population, or there are fewer than 6 documents by size: if "
            "values are skewed, coverage is below nominal",
            "caution",
            "use more documents; if only their lengths are skewed, read nats per token instead of nats per document",
        ),
        Caution(
            "few-replicates",
            "fewer than 4 replicates per interval, or as few degrees of freedom: the interval is too wide to be useful",
            "caution",
            "use 8 replicates, or more passes where the within-replicate variance is known",
        ),
        Caution(
            "few-passes",
            "fewer than 16 independent forward passes in all (32 in pairs): coverage is some points below nominal",
            "caution",
            "use 16 passes or more",
        ),
        Caution(
            "close-choice",
            "the decoder chose between positions whose scores differ by no more than rounding may change: with another "
            "batch size or device it may choose otherwise, and its likelihood differs",
            "caution",
            "compute in float32, or read differences of such sequences with care",
        ),
    )
}
"""Every caution by its key, the most serious first."""

NO_CLAIM = ("infinite-variance", "biased", "skewed", "few-hard-tokens", "near-deterministic")
"""Cautions under which an interval may miss without showing it: no claim is made from it."""

CORRECTED = ("auto", "design-hall", "hall", "design-bootstrap")  # for positions of unequal loss
FEWEST_EFFECTIVE_POSITIONS = 3.0
LARGEST_FULL_MASK_RATIO = 4.0
FEWEST_REPLICATES = 4
FEWEST_PASSES = 16
LARGEST_REMAINDER = 0.01  # nats: a larger remainder of unfinished noise is a caution


def flags(held_by_item: Sequence[Iterable[Caution]]) -> NDArray[np.bool_]:
    """Return which caution holds for which item: shape (item, caution), columns in the order of `CAUTIONS`.

    Examples
    --------
    >>> flags([[], [CAUTIONS["biased"]]])[:, :2]
    array([[False, False],
           [False,  True]])
    """
    keys = [{caution.key for caution in cautions} for cautions in held_by_item]
    return np.array([[key in item for key in CAUTIONS] for item in keys], dtype=bool).reshape(len(keys), len(CAUTIONS))


def held(cautions: xr.DataArray) -> list[Caution]:
    """Return the cautions that hold anywhere in a boolean array with a dimension and coordinate ``caution``.

    Examples
    --------
    >>> array = xr.DataArray(flags([[], [CAUTIONS["biased"]]]), [("item", [0, 1]), ("caution", list(CAUTIONS))])
    >>> [caution.key for caution in held(array)]
    ['biased']
    """
    anywhere = cautions.any([name for name in cautions.dims if name != "caution"])
    return [CAUTIONS[key] for key in anywhere["caution"].values[anywhere.values].tolist()]


def caution_variable(dims: Sequence[str], cells: Sequence[Iterable[Caution]], shape: Sequence[int]) -> xr.DataArray:
    """Return the variable ``cautions (..., caution)`` of a data set: which caution holds where, by construction.

    Parameters
    ----------
    dims : sequence of str
        Of the grid; empty for a result without items, whose cautions are those of the call.
    cells : sequence of iterable of Caution
        The cautions that hold in each cell of the grid; the last dimension runs fastest.
    shape : sequence of int
        Of the grid.

    Examples
    --------
    >>> array = caution_variable(["sequence"], [[], [CAUTIONS["biased"]]], [2])
    >>> array.dims, array.sel(caution="biased").values
    (('sequence', 'caution'), array([False,  True]))
    """
    values: NDArray[np.bool_] = flags(cells).reshape(*shape, len(CAUTIONS))
    attributes = {"units": "1", "long_name": "whether the caution holds, by construction"}
    return xr.DataArray(values, {"caution": list(CAUTIONS)}, [*dims, "caution"], attrs=attributes)


def caution_keys(cautions: xr.DataArray) -> xr.DataArray:
    """Return the keys of the cautions that hold in each cell as text, comma separated.

    Examples
    --------
    >>> caution_keys(xr.DataArray([[True, True], [False, False]], {"caution": ["a", "b"]}, ["item", "caution"])).values
    array(['a, b', ''], dtype='<U4')
    """
    cells, keys = cautions.transpose(..., "caution"), cautions["caution"].values
    texts = [", ".join(keys[row]) for row in cells.values.reshape(-1, keys.size)]
    return cells.isel(caution=0, drop=True).copy(data=np.array(texts, dtype=str).reshape(cells.shape[:-1]))


def caution_sentences(result: xr.Dataset) -> dict[str, str]:
    """Return the sentence of each caution that holds for some item of a result, by its key.

    Examples
    --------
    >>> list(caution_sentences(xr.Dataset({"cautions": caution_variable([], [[CAUTIONS["biased"]]], [])})))
    ['biased']
    """
    sentences = {caution.key: caution.sentence for caution in held(result["cautions"])}
    if "unfinished-noise" in sentences and "remainder_upper" in result:
        largest = max(float(result["remainder_upper"].max()), -float(result["remainder_lower"].min()))
        sentences["unfinished-noise"] += f": up to {largest:.3g} nats of some sequence"
    if "few-documents-dominate" in sentences and "dominated" in result:
        dominated = result["dominated"]
        sentences["few-documents-dominate"] += f" ({', '.join(dominated['average'].values[dominated.values])})"
    return sentences


def effective_positions(position_losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many positions carry the loss: ``(sum b)^2 / sum b^2``.

    Parameters
    ----------
    position_losses : array of float64, shape (..., length)
        Mean loss ``b`` of each scored position, in nats.

    Returns
    -------
    array of float64, shape (...)
        Between 1 and the length; 0 where the loss is 0.

    Examples
    --------
    >>> effective_positions(np.array([[1.0, 1.0, 1.0, 1.0], [8.0, 0.0, 0.0, 0.0]]))
    array([4., 1.])
    """
    squares = (position_losses**2).sum(axis=-1)
    effective = np.zeros(squares.shape)
    np.divide(position_losses.sum(axis=-1) ** 2, squares, out=effective, where=squares > 0)
    return effective


def cautions_of(
    sampler: Estimator | Contrast,
    replicates: float,
    effective: NDArray[np.float64] | None = None,
    full_mask_ratio: NDArray[np.float64] | None = None,
    *,
    passes: int | None = None,
    interval: str = "student-t",
) -> list[Caution]:
    """Return the cautions that hold for intervals of a sampler on some targets.

    Parameters
    ----------
    sampler : Estimator or Contrast
    replicates : float
        Replicates of an interval, or its degrees of freedom plus 1.
    effective : array of float64, optional
        `effective_positions` of each target.
    full_mask_ratio : array of float64, optional
        Total loss of the fully masked pass over the likelihood's, for each target.
    passes : int, optional
        Forward passes behind an interval, over all its replicates.
    interval : str, default "student-t"
        Kind of interval: some account for positions of unequal loss where masks are independent.

    Examples
    --------
    >>> from estimators import estimator
    >>> [caution.key for caution in cautions_of(estimator("time-integral"), replicates=8)]
    ['infinite-variance']
    """
    estimator = estimator_of(sampler)
    if estimator.exact:
        return []
    drawn = not estimator.deterministic
    holds = {
        "infinite-variance": not estimator.finite_variance,
        "biased": not estimator.unbiased,
        "few-hard-tokens": effective is not None
        and not (estimator.independent_masks and interval in CORRECTED)
        and bool((effective < FEWEST_EFFECTIVE_POSITIONS).any()),
        "near-deterministic": full_mask_ratio is not None and bool((full_mask_ratio > LARGEST_FULL_MASK_RATIO).any()),
        "little-noise": not estimator.steady,
        "few-replicates": drawn and replicates < FEWEST_REPLICATES,
        "few-passes": drawn and passes is not None and passes < FEWEST_PASSES * (1 + estimator.paired),
    }
    return [caution for key, caution in CAUTIONS.items() if holds.get(key)]  # others depend on the draw or the model

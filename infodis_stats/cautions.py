"""Where an interval cannot be trusted, by construction: the estimator's own law and the target's loss profile.

Statistics of the sample cannot tell: the bad samples are the ones that missed the tail.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from estimators import Contrast, Estimator, ScoreEntropy

__all__ = ["CAUTIONS", "cautions_of", "effective_positions", "sentences"]

CAUTIONS = {
    "infinite-variance": "infinite variance by construction: its sample variance grows with the sample, and no "
    "interval of it can be trusted",
    "biased": "biased by construction, by a cut at eps or as published: its mean is not the likelihood",
    "few-hard-tokens": "fewer than 3 effective positions carry the loss of some sequence: intervals fall short of "
    "their level, those of antithetic pairs most; ask for design-bootstrap",
    "near-deterministic": "few revealed tokens determine the rest of some sequence (the fully masked pass costs over "
    "4 times the likelihood): a sample that misses the nearly full masks is far off and does not show it",
    "little-noise": "few passes at little noise carry the error: intervals fall short of their level by some points; "
    "marginal-score-entropy with the polynomial schedule is steady",
    "rare-tokens": "some position costs more than 8 nats: noise so little that it could tell such a probability is "
    "hardly looked at, and intervals fall short; masks do not mind",
    "not-one-law": "averaged over each position's own noise under a model that does not say that its ratios come from "
    "one law: the mean need not be that of the score entropy",
    "unfinished-noise": "the noise ends before it has hidden everything: what the integral lacks is in the interval",
    "few-replicates": "fewer than 4 replicates an interval, or as few degrees of freedom: it is so wide that it "
    "says little",
    "few-passes": "fewer than 32 forward passes in all: intervals fall short of their level by some points",
}
"""Each caution and its sentence."""

FEWEST_EFFECTIVE_POSITIONS = 3.0
LARGEST_FULL_MASK_RATIO = 4.0
FEWEST_REPLICATES = 4
FEWEST_PASSES = 32


def sentences(keys: Iterable[str]) -> dict[str, str]:
    """Return the sentence of each caution, in the order of `CAUTIONS`."""
    held = set(keys)
    return {key: sentence for key, sentence in CAUTIONS.items() if key in held}


def effective_positions(position_losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many positions carry the loss: ``(sum b)^2 / sum b^2``.

    Parameters
    ----------
    position_losses : array of float64, shape (..., length)
        Mean loss ``b`` of each scored position, in nats.

    Returns
    -------
    array of float64, shape (...)
        Between 1 and the length; 0 where nothing is lost at all.

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
) -> list[str]:
    """Return the keys of the `CAUTIONS` that hold for intervals of a sampler on some targets.

    Parameters
    ----------
    sampler : Estimator or Contrast
    replicates : float
        Replicates that an interval is made of, or as many as its degrees of freedom are worth.
    effective : array of float64, optional
        `effective_positions` of each target.
    full_mask_ratio : array of float64, optional
        Total loss of the fully masked pass over the likelihood's, for each target.
    passes : int, optional
        Forward passes behind an interval, over all its replicates.

    Examples
    --------
    >>> from estimators import estimator
    >>> cautions_of(estimator("time-integral"), replicates=8)
    ['infinite-variance']
    """
    estimator = sampler.estimator if isinstance(sampler, Contrast) else sampler
    if estimator.exact:
        return []
    holds = {
        "infinite-variance": not estimator.finite_variance,
        "biased": not estimator.unbiased,
        "few-hard-tokens": effective is not None and bool((effective < FEWEST_EFFECTIVE_POSITIONS).any()),
        "near-deterministic": full_mask_ratio is not None and bool((full_mask_ratio > LARGEST_FULL_MASK_RATIO).any()),
        "little-noise": isinstance(estimator, ScoreEntropy) and not estimator.steady,
        "few-replicates": replicates < FEWEST_REPLICATES,
        "few-passes": passes is not None and passes < FEWEST_PASSES,
    }
    return [key for key in CAUTIONS if holds.get(key)]  # others have to be computed, or go by the model

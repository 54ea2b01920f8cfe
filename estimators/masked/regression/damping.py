"""Subtract what is predicted, times a factor: how well the predictions have proved right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators.masked.regression.lags import distant_lags
from estimators.masked.regression.leave_one_out import Regressed, held_out

__all__ = ["Adjusted", "adjusted"]

LARGEST_GROUP = 256  # passes that are regressed together
FOLDS = 4
LEARNED_FROM = 64  # passes at most: more hardly change a factor, and the cost grows as their cube
TRUST = 4  # weight of the prior belief in the predictions, in passes
TOLERATED = 0.4  # share by which predictions may be farther off than a line before they count for nothing
LEARNING = 3.5  # passes: with few, predictions are far off even where they help


@dataclass(frozen=True, eq=False)
class Adjusted:
    """The estimate of one replicate, and the residual of each pass.

    Attributes
    ----------
    estimate : float
        Nats.
    residuals : array of float64, shape (passes,)
        The weighted loss of each pass less what the others predict of it, nats: how far the pass moves the estimate off
        its mean, if the prediction is taken as given.
    has_lags : bool
        Whether a prediction uses distant lags, whose coefficients all positions share.
    """

    estimate: float
    residuals: NDArray[np.float64]
    has_lags: bool


def adjusted(
    masks: NDArray[np.bool_],
    weights: NDArray[np.float64],
    losses: NDArray[np.float64],
    strata: NDArray[np.float64],
) -> Adjusted:
    """Return the regression-adjusted estimate of one replicate and its residuals.

    It is the weighted sum less the sum over passes ``k`` of ``f_k`` times the weighted ``b_k`` less its mean over the
    law of pass ``k``. The surrogate ``b_k`` is fitted to the other passes. The factor ``f_k``, between 0 and 1, is how
    well the passes of other folds predict one another, and these also decide which distant lags its prior includes.
    None of them depends on pass ``k``, so that its ``b_k`` cancel in the mean, whatever the prior and the losses.

    Where losses follow their neighbours, the factor is near 1: it is the slope of the held-out least squares of whole
    passes. Where they jump from 0, predictions overshoot. Where tokens depend on others far away (copies at a distance,
    checksums), the slope of a few passes is too noisy to show that predictions are worthless, but the many held-out
    tokens are not: the slope is multiplied by a factor that falls to 0 as their errors exceed those of a straight line
    in the masked share, which the strata account for anyway.

    Parameters
    ----------
    masks : array of bool, shape (passes, length)
        Independent, each uniformly random given its size.
    weights, losses : arrays of float64, shape (passes, length)
        0 where not masked.
    strata : array of float64, shape (passes, length)
        Probability of each size ``1 .. L`` in each pass. The weights are ``1 / (m * strata[:, m - 1].sum())``.

    """
    passes, length = masks.shape
    shares = strata / strata.sum(axis=0) / length
    groups = -(-passes // LARGEST_GROUP)
    total, has_lags = float((weights * losses).sum()), False
    residuals = np.zeros(passes)
    for group in (slice(first, None, groups) for first in range(groups)):
        predicted, residuals[group], found = _damped(masks[group], weights[group], losses[group], shares[group])
        total -= predicted
        has_lags |= found
    return Adjusted(total, residuals, has_lags)


def _damped(
    masks: NDArray[np.bool_], weights: NDArray[np.float64], losses: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], bool]:
    every = np.arange(len(masks))
    folds = every % FOLDS
    others = [np.flatnonzero(folds != fold) for fold in range(FOLDS)]
    others = [other[:: max(1, -(-len(other) // LEARNED_FROM))] for other in others]
    learned = [Regressed(other, distant_lags(masks[other], losses[other])) for other in others]
    priors = list(dict.fromkeys(subset.lags for subset in learned))  # nearly always one, without lags
    all_passes = [Regressed(every, lags) for lags in priors]
    predicted, residual, squares = held_out(masks, weights, losses, shares, [*learned, *all_passes])
    factors = np.array(
        [
            _slope(predicted[fold, other], residual[fold, other])
            * _reliability(masks[other], losses[other], squares[fold])
            for fold, (other, _) in enumerate(learned)
        ]
    )[folds]
    row = np.array([FOLDS + priors.index(subset.lags) for subset in learned])[folds]
    predicted, residual = predicted[row, every], residual[row, every]
    return float(factors @ predicted), residual + (1.0 - factors) * predicted, any(priors)


def _slope(predicted: NDArray[np.float64], residual: NDArray[np.float64]) -> float:
    square = float(predicted @ predicted)
    if square == 0.0:
        return 1.0
    belief = TRUST / len(predicted)
    slope = 1.0 + float(predicted @ residual) / square
    return min(max((slope + belief) / (1.0 + belief), 0.0), 1.0)


def _reliability(masks: NDArray[np.bool_], losses: NDArray[np.float64], squares: float) -> float:
    # Held-out errors against those of a line, which is fitted: 1 if they are no larger, 0 if they are much larger.
    passes, _ = tokens = np.nonzero(masks)
    if not passes.size:
        return 1.0
    masked, loss = masks.mean(axis=1)[passes], losses[tokens]
    masked, loss = masked - masked.mean(), loss - loss.mean()
    spread = float(masked @ masked)
    line = float(loss @ loss) - (float(masked @ loss) ** 2 / spread if spread > 0.0 else 0.0)
    worst = 1.0 + TOLERATED + (LEARNING / len(masks)) ** 2
    return min(max((worst * line - squares) / (TOLERATED * line), 0.0), 1.0) if line > 0.0 else 0.0

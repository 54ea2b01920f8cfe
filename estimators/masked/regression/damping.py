"""Subtract what is predicted, times a factor: how well the predictions have proved right."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators.masked.regression.cross_fitting import HeldOut, Passes, held_out
from estimators.masked.regression.lags import Lags, distant_lags
from estimators.masked.regression.settings import GROUPS, Settings, settings_for

__all__ = ["Adjusted", "adjusted"]

FloatArray = NDArray[np.float64]

LARGEST_GROUP = 256  # passes that are regressed together
FOLDS = 16  # of passes that are predicted together
TRUST = 4  # weight of the prior belief in the predictions, in passes
TOLERATED = 0.4  # share by which predictions may be farther off than a line before they count for nothing
ROUNDING = 1e-9  # relative: smaller predictions are none
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
    residuals: FloatArray
    has_lags: bool


def adjusted(masks: NDArray[np.bool_], weights: FloatArray, losses: FloatArray, strata: FloatArray) -> list[Adjusted]:
    """Return the regression-adjusted estimate of one replicate and its residuals, for each vector of losses.

    It is the weighted sum less the sum over passes ``k`` of ``f_k`` times the weighted ``b_k`` less its mean over the
    law of pass ``k``. The surrogate ``b_k`` is fitted to the passes outside the fold of pass ``k``. The factor ``f_k``,
    between 0 and 1, is how well the passes of other groups predict one another, and these also decide which distant
    lags the surrogate includes. None of them depends on pass ``k``, so that its ``b_k`` cancel in the mean, whatever
    the prior and the losses.

    Where losses follow their neighbours, the factor is near 1: it is the slope of the held-out least squares of whole
    passes. Where they jump from 0, predictions overshoot. Where tokens depend on others far away (copies at a distance,
    checksums), the slope of a few passes is too noisy to show that predictions are worthless, but the many held-out
    tokens are not: the slope is multiplied by a factor that falls to 0 as their errors exceed those of a straight line
    in the masked share, which the strata account for anyway.

    Parameters
    ----------
    masks : array of bool, shape (passes, length)
        Independent, each uniformly random given its size.
    weights : array of float64, shape (passes, length)
        0 where not masked.
    losses : array of float64, shape (vectors, passes, length)
        Losses of one or several targets or models under these masks; 0 where not masked.
    strata : array of float64, shape (passes, length)
        Probability of each size ``1 .. L`` in each pass. The weights are ``1 / (m * strata[:, m - 1].sum())``.

    """
    passes, length = masks.shape
    shares = strata / strata.sum(axis=0) / length
    groups = -(-passes // LARGEST_GROUP)
    totals = (weights * losses).sum(axis=(1, 2))
    residuals = np.zeros((len(losses), passes))
    has_lags = np.zeros(len(losses), dtype=bool)
    for part in (slice(first, None, groups) for first in range(groups)):
        predicted, residuals[:, part], found = _damped(
            Passes(masks[part], weights[part], losses[:, part], shares[part])
        )
        totals -= predicted
        has_lags |= found
    return [Adjusted(*of_vector) for of_vector in zip(totals.tolist(), residuals, has_lags.tolist(), strict=True)]


def _damped(passes: Passes) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    # Of each vector: what is subtracted, the residuals (vectors, passes), and whether there are lags.
    masks, losses = passes.masks, passes.losses
    settings = settings_for(len(masks))
    group = np.arange(len(masks)) % GROUPS
    lags = [
        [distant_lags(masks[group != number], vector[group != number]) for number in range(GROUPS)] for vector in losses
    ]
    predicted, residual = np.zeros((2, len(losses), len(masks)))
    for chosen in dict.fromkeys(itertools.chain.from_iterable(lags)):  # nearly always one: none
        fold_predicted, fold_residual, factors = _with_lags(passes, settings, group, chosen)
        applies = np.array([[of_group == chosen for of_group in of_vector] for of_vector in lags])[:, group]
        predicted += np.where(applies, factors * fold_predicted, 0.0)
        residual += np.where(applies, fold_residual + (1.0 - factors) * fold_predicted, 0.0)
    return predicted.sum(axis=1), residual, np.array([any(of_vector) for of_vector in lags])


def _with_lags(
    passes: Passes, settings: Settings, group: NDArray[np.int64], lags: Lags
) -> tuple[FloatArray, FloatArray, FloatArray]:
    # What is predicted, what is left, and the factors: each (vectors, passes).
    count = len(group)
    folds = np.arange(count) % FOLDS == np.arange(min(FOLDS, count))[:, None]
    pairs = np.array([(group == first) | (group == second) for first, second in settings.pairs])
    fits = held_out(passes, np.concatenate([folds, pairs]), settings.prior, lags)
    of_pairs = HeldOut(*(part[len(folds) :] for part in fits))
    factors = np.array(
        [
            [_factor(passes, of_pairs, settings.partners(number), group, vector) for number in range(GROUPS)]
            for vector in range(len(passes.losses))
        ]
    )
    of_folds = HeldOut(*(part[: len(folds)].sum(axis=0) for part in fits))
    return of_folds.predicted, of_folds.residual, factors[:, group]


def _factor(
    passes: Passes, of_pairs: HeldOut, partners: list[tuple[int, int]], group: NDArray[np.int64], vector: int
) -> float:
    # How well the passes of a group's partners are predicted by those of neither group.
    predicted, residual, squares = (
        np.concatenate([part[pair, vector, group == partner] for pair, partner in partners]) for part in of_pairs
    )
    others = np.isin(group, [partner for _, partner in partners])
    reliability = _reliability(passes.masks[others], passes.losses[vector, others], float(squares.sum()))
    return _slope(predicted, residual) * reliability


def _slope(predicted: FloatArray, residual: FloatArray) -> float:
    square = float(predicted @ predicted)
    if square <= ROUNDING**2 * float(residual @ residual):  # nothing is predicted, and the factor does not matter
        return 1.0
    belief = TRUST / len(predicted)
    slope = 1.0 + float(predicted @ residual) / square
    return min(max((slope + belief) / (1.0 + belief), 0.0), 1.0)


def _reliability(masks: NDArray[np.bool_], losses: FloatArray, squares: float) -> float:
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

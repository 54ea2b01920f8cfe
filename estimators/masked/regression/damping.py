"""Subtract what is predicted, times a factor: how well the predictions have proved right."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.masked.regression.cross_fitting import HeldOut, Passes, Run, held_out
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
    """The estimates of some replicates, and the residual of each pass.

    Attributes
    ----------
    estimates : array of float64, shape (replicates, vectors)
        Nats.
    residuals : array of float64, shape (replicates, vectors, passes, blocks)
        The weighted loss of each pass and block less what the others predict of it, nats: how far it moves the estimate
        off its mean, if the prediction is taken as given.
    has_lags : array of bool, shape (replicates, vectors)
        Whether a prediction uses distant lags, whose coefficients all positions share.
    """

    estimates: FloatArray
    residuals: FloatArray
    has_lags: NDArray[np.bool_]


def adjusted(
    masks: NDArray[np.bool_],
    weights: FloatArray,
    losses: FloatArray,
    lengths: Sequence[int],
    strata: Mapping[int, FloatArray],
) -> Adjusted:
    """Return the regression-adjusted estimates of some replicates and their residuals, for each vector of losses.

    An estimate is the weighted sum less the sum over passes ``k`` of ``f_k`` times the weighted ``b_k`` less its mean
    over the law of pass ``k``. The surrogate ``b_k`` is fitted to the passes outside the fold of pass ``k``. The factor
    ``f_k``, between 0 and 1, is how well the passes of other groups predict one another, and these also decide which
    distant lags the surrogate includes. None of them depends on pass ``k``, so that its ``b_k`` cancel in the mean,
    whatever the prior and the losses.

    Where losses follow their neighbours, the factor is near 1: it is the slope of the held-out least squares of whole
    passes. Where they jump from 0, predictions overshoot. Where tokens depend on others far away (copies at a distance,
    checksums), the slope of a few passes is too noisy to show that predictions are worthless, but the many held-out
    tokens are not: the slope is multiplied by a factor that falls to 0 as their errors exceed those of a straight line
    in the masked share, which the strata account for anyway.

    Parameters
    ----------
    masks : array of bool, shape (replicates, passes, length)
        Passes are independent; the mask of each block is uniformly random given its size.
    weights : array of float64, shape (replicates, passes, length)
        0 where not masked.
    losses : array of float64, shape (replicates, vectors, passes, length)
        Losses of one or several targets or models under these masks; 0 where not masked.
    lengths : sequence of int
        Number of positions of each block; one, unless the losses are those of a block-diffusion model. A loss depends
        on the masks of its block alone.
    strata : mapping of int to array of float64, shape (passes, length)
        By the length of a block: probability of each size ``1 .. length`` in each pass. The weights are
        ``1 / (m * strata[:, m - 1].sum())``.
    """
    replicates, vectors, passes, _ = losses.shape
    shares = {length: each / each.sum(axis=0) / length for length, each in strata.items()}
    alike = [(length, len(list(run))) for length, run in itertools.groupby(lengths)]
    groups = -(-passes // LARGEST_GROUP)
    # Losses near 1, by an exact power of two: squares of huge or tiny ones overflow.
    _, exponents = np.frexp(np.abs(losses).max(axis=(2, 3)))
    losses = np.ldexp(losses, -exponents[..., None, None])
    estimates = _summed(weights[:, None] * losses)
    residuals = np.zeros((replicates, vectors, passes, len(lengths)))
    has_lags = np.zeros((replicates, vectors), dtype=bool)
    for replicate in range(replicates):
        for part in (slice(first, None, groups) for first in range(groups)):
            runs = tuple(Run(length, count, shares[length][part]) for length, count in alike)
            data = Passes(masks[replicate, part], weights[replicate, part], losses[replicate, :, part], runs)
            predicted, residuals[replicate, :, part], found = _damped(data)
            estimates[replicate] -= predicted
            has_lags[replicate] |= found
    return Adjusted(np.ldexp(estimates, exponents), np.ldexp(residuals, exponents[..., None, None]), has_lags)


def _damped(passes: Passes) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    # Of each vector: what is subtracted, the residuals (vectors, passes, blocks), and whether there are lags.
    vectors, count, _ = passes.losses.shape
    settings = settings_for(count)
    group = np.arange(count) % GROUPS
    lags = [_lags_of_groups(passes, losses, group) for losses in passes.losses]
    predicted, residual = np.zeros((2, vectors, count, sum(run.count for run in passes.runs)))
    for chosen in dict.fromkeys(itertools.chain.from_iterable(lags)):  # nearly always one: none
        fold_predicted, fold_residual, factors = _with_lags(passes, settings, group, chosen)
        applies = np.array([[of_group == chosen for of_group in of_vector] for of_vector in lags])[:, group, None]
        factors = factors[..., None]
        predicted += np.where(applies, factors * fold_predicted, 0.0)
        residual += np.where(applies, fold_residual + (1.0 - factors) * fold_predicted, 0.0)
    return predicted.sum(axis=(1, 2)), residual, np.array([any(of_vector) for of_vector in lags])


def _lags_of_groups(passes: Passes, losses: FloatArray, group: NDArray[np.int64]) -> list[Lags]:
    # The lags that the passes of all other groups show; none in blocks, which are short.
    others = (group != np.unique(group)[:, None])[..., None]
    if passes.is_of_blocks:
        return [()] * len(others)
    return distant_lags(passes.masks & others, losses * others)


def _with_lags(
    passes: Passes, settings: Settings, group: NDArray[np.int64], lags: Lags
) -> tuple[FloatArray, FloatArray, FloatArray]:
    # What is predicted and what is left, each (vectors, passes, blocks), and the factors (vectors, passes).
    count = len(group)
    folds = np.arange(count) % FOLDS == np.arange(min(FOLDS, count))[:, None]
    pairs = np.array([(group == first) | (group == second) for first, second in settings.pairs], dtype=bool)
    fits = held_out(passes, np.concatenate([folds, pairs.reshape(-1, count)]), settings.prior, lags)
    of_pairs = HeldOut(*(part[len(folds) :].sum(axis=-1) for part in fits))
    factors = np.stack(
        [_factors(passes, of_pairs, settings.partners(number), group) for number in np.unique(group)], axis=-1
    )
    of_folds = HeldOut(*(part[: len(folds)].sum(axis=0) for part in fits))
    return of_folds.predicted, of_folds.residual, factors[:, group]


def _factors(
    passes: Passes, of_pairs: HeldOut, partners: list[tuple[int, int]], group: NDArray[np.int64]
) -> FloatArray:
    # How well the passes of a group's partners are predicted by those of neither group: (vectors,).
    if not partners:
        return np.ones(len(passes.losses))
    predicted, residual, squares = (
        np.concatenate([part[pair][:, group == partner] for pair, partner in partners], axis=1) for part in of_pairs
    )
    others = np.isin(group, [partner for _, partner in partners])
    reliability = _reliability(
        passes.masks[others], passes.masked_shares[others], passes.losses[:, others], squares.sum(axis=1)
    )
    return _slope(predicted, residual) * reliability


def _slope(predicted: FloatArray, residual: FloatArray) -> FloatArray:
    # Of held-out least squares: (vectors, passes) to (vectors,).
    if not predicted.shape[-1]:
        return np.ones(len(predicted))
    square = np.square(predicted).sum(axis=-1)
    # Where the predictions are rounding, any factor will do; their slope would depend on the pass itself.
    nothing = square <= ROUNDING**2 * np.square(residual).sum(axis=-1)
    belief = TRUST / predicted.shape[-1]
    slope = 1.0 + (predicted * residual).sum(axis=-1) / np.where(nothing, 1.0, square)
    return np.where(nothing, 1.0, np.clip((slope + belief) / (1.0 + belief), 0.0, 1.0))


def _reliability(masks: NDArray[np.bool_], masked: FloatArray, losses: FloatArray, squares: FloatArray) -> FloatArray:
    # Held-out errors against those of a line in the masked share (passes, length), which is fitted: 1 if they are no
    # larger, 0 if they are much larger. Losses (vectors, passes, length), squares (vectors,).
    tokens = _summed(masks)[..., None, None]
    masked = masks * (masked - _summed(masks * masked)[..., None, None] / np.maximum(tokens, 1))
    loss = masks * (losses - _summed(losses)[..., None, None] / np.maximum(tokens, 1))
    spread, crossed = _summed(np.square(masked)), _summed(masked * loss)
    line = _summed(np.square(loss)) - crossed**2 / np.where(spread > 0.0, spread, np.inf)
    worst = 1.0 + TOLERATED + (LEARNING / max(masks.shape[-2], 1)) ** 2
    reliable = np.clip((worst * line - squares) / (TOLERATED * np.where(line > 0.0, line, 1.0)), 0.0, 1.0)
    return np.where(tokens[..., 0, 0] == 0, 1.0, np.where(line > 0.0, reliable, 0.0))


def _summed(values: NDArray[Any]) -> NDArray[Any]:
    # Over the last two axes as one: the rounding of a sum over two depends on the axes before.
    total: NDArray[Any] = values.reshape(*values.shape[:-2], -1).sum(axis=-1)
    return total

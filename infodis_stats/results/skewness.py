"""Skewness of estimates, by construction: from the masks' sizes and the mean loss of each position.

The skewness of a sample says little, as bad samples are those that missed the large losses. The mean losses of the
positions are known much better, for each position is masked in many passes. Where a mask of ``m`` of ``L`` positions is
uniformly random, the sum of the mean losses under it has the central moments of a simple random sample.
"""

import numpy as np
from numpy.typing import NDArray

from estimators import Evaluation, MaskPlan
from estimators.estimator import Applied, estimator_of
from infodis_stats.results.sample import Sample, once_per_sample

__all__ = ["effective_losses", "effective_passes", "heavy_tailed", "position_moments", "position_skewness"]

FloatArray = NDArray[np.float64]

FEWEST_LOSSES = 10  # that carry the spread
LARGEST_KURTOSIS = 30.0
NEGLIGIBLE = 1e-9  # share of the losses: below it, their deviations are rounding


def position_skewness(sample: Sample, standard_error: FloatArray) -> FloatArray:
    """Return the skewness of each estimate that positions of unequal loss cause.

    Parameters
    ----------
    sample : Sample
    standard_error : array of float64, shape (interval,)
        Nats.

    Returns
    -------
    array of float64, shape (interval,)
        The third central moment over the variance to the power 1.5; 0 for estimators without independent masks.
    """
    skewness = np.zeros(len(standard_error))
    estimator = estimator_of(sample.draw.cell.sampler)
    if estimator is None or not estimator.independent_masks:
        return skewness
    second, third = _moments(sample)
    variance = np.maximum(second, standard_error**2)
    np.divide(third, variance**1.5, out=skewness, where=variance > 0)
    return skewness


@once_per_sample
def _moments(sample: Sample) -> tuple[FloatArray, FloatArray]:
    seconds, thirds = zip(*(position_moments(side, sample.size) for side in _sides(sample)), strict=True)
    # Of a difference, the first side is subtracted.
    return np.sum(seconds, axis=0), thirds[-1] - sum(thirds[:-1])


def position_moments(side: Evaluation, replicates: int) -> tuple[FloatArray, FloatArray]:
    """Return the variance and the third central moment of each estimate if a loss depended on its position alone.

    Parameters
    ----------
    side : Evaluation
        Of a plan of masks, each uniformly random given its size, with one weight per mask.
    replicates : int
        Replicates of an interval.

    Returns
    -------
    second, third : arrays of float64, shape (interval,)
        Nats to the power of 2 and 3.

    References
    ----------
    P. V. Sukhatme, *Moments and product moments of moment-statistics for samples of the finite and infinite
    populations*, Sankhya 6, 1944: the third moment of a simple random sample.
    """
    masks, weights, losses = _by_interval(side, replicates)
    assert isinstance(side.plan, MaskPlan)
    ends = np.cumsum(side.plan.block_lengths)
    blocks = [slice(end - length, end) for end, length in zip(ends, side.plan.block_lengths, strict=True)]
    moments = [
        _moments_of_block(masks[..., block], weights[..., block], losses[..., block], replicates) for block in blocks
    ]
    second, third = np.sum(moments, axis=0)  # blocks are independent, given the sizes
    return second, third


def _moments_of_block(
    masks: NDArray[np.bool_], weights: FloatArray, losses: FloatArray, replicates: int
) -> tuple[FloatArray, FloatArray]:
    length = masks.shape[-1]
    total = weights.sum(axis=1)
    means = np.divide((weights * losses).sum(axis=1), total, out=np.full(total.shape, np.nan), where=total > 0)
    known = np.isfinite(means)
    centre = np.where(known, means, 0.0).sum(axis=1, keepdims=True) / np.maximum(known.sum(axis=1, keepdims=True), 1)
    deviation = np.where(known, means - centre, 0.0)
    masked, weight = masks.sum(axis=-1), weights.max(axis=-1) / replicates
    revealed = length - masked
    second = (weight**2 * masked * revealed).sum(axis=1) / max(length - 1, 1)
    third = (weight**3 * masked * revealed * (revealed - masked)).sum(axis=1) / max((length - 1) * (length - 2), 1)
    return second * (deviation**2).mean(axis=1), third * (deviation**3).mean(axis=1)


@once_per_sample
def heavy_tailed(sample: Sample) -> NDArray[np.bool_]:
    """Return whether few token losses carry the spread of each estimate, or their tails say that few of all do.

    Token losses are compared with the mean of their position. On texts and Markov chains their kurtosis is 3 to 15,
    with lognormal tails of standard deviation 2 above 30; such samples may have missed the largest losses.

    Returns
    -------
    array of bool, shape (interval,)
        Of the worse of two sides; False for noise that masks nothing.
    """
    heavy = np.zeros(len(sample.estimates), dtype=bool)
    alone = len(sample.draw.evaluations) == 1
    for side in _sides(sample):
        if isinstance(side.plan, MaskPlan):
            effective, number = effective_losses(side, sample.size)
            # Most losses of near copies do not differ: the kurtosis of differences says nothing of their tails.
            fewest = np.maximum(FEWEST_LOSSES, number / LARGEST_KURTOSIS) if alone else FEWEST_LOSSES
            heavy |= effective < fewest
    return heavy


def effective_losses(side: Evaluation, replicates: int) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return how many token losses carry the spread, and how many there are.

    Parameters
    ----------
    side : Evaluation
        Of a plan of masks.
    replicates : int
        Replicates of an interval.

    Returns
    -------
    effective : array of float64, shape (interval,)
        With deviations ``r`` from the mean loss of their position, ``(sum r^2)^2 / sum r^4``: their number over their
        kurtosis. Infinite where losses depend on their position alone.
    number : array of int64, shape (interval,)
        Token losses that count.
    """
    deviations, weights = _deviations(side, replicates)
    used = weights > 0
    squares = deviations**2
    sums, fourth = squares.sum(axis=(1, 2)), (squares**2).sum(axis=(1, 2))
    lost = np.where(used, side.losses[: len(used) * replicates].reshape(used.shape) ** 2, 0.0).sum(axis=(1, 2))
    varied = sums > NEGLIGIBLE * lost
    effective = np.divide(sums**2, fourth, out=np.full(len(sums), np.inf), where=varied & (fourth > 0))
    return effective, used.sum(axis=(1, 2))


def effective_passes(sample: Sample) -> FloatArray:
    """Return how many passes carry the spread of each estimate.

    With the weighted sum ``e`` of a pass's deviations from the mean losses of its positions, ``(sum e^2)^2 / sum e^4``.

    Returns
    -------
    array of float64, shape (interval,)
        The smaller of two sides; all passes where losses depend on their position alone, and without masks.
    """
    every = float(sample.draw.cell.passes * sample.size)
    effective = np.full(len(sample.estimates), every)
    for side in _sides(sample):
        if isinstance(side.plan, MaskPlan):
            deviations, weights = _deviations(side, sample.size)
            squares = (weights * deviations).sum(axis=-1) ** 2
            sums, fourth = squares.sum(axis=1), (squares**2).sum(axis=1)
            of_side = np.divide(sums**2, fourth, out=np.full(len(sums), every), where=fourth > 0)
            effective = np.minimum(effective, of_side)
    return effective


def _deviations(side: Evaluation, replicates: int) -> tuple[FloatArray, FloatArray]:
    # Of losses from the mean of their position, 0 where they do not count, and weights: (interval, pass, position).
    _, weights, losses = _by_interval(side, replicates)
    total = weights.sum(axis=1)
    means = np.divide((weights * losses).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    return np.where(weights > 0, losses - means[:, None, :], 0.0), weights


def _sides(sample: Sample) -> tuple[Evaluation, ...]:
    draw = sample.draw
    sampler = draw.cell.sampler
    return sampler.merged(draw.evaluations) if isinstance(sampler, Applied) else draw.evaluations


def _by_interval(side: Evaluation, replicates: int) -> tuple[NDArray[np.bool_], FloatArray, FloatArray]:
    # Masks, weights and losses (interval, pass, position); a remainder is dropped.
    assert isinstance(side.plan, MaskPlan)
    count, length = side.plan.replicates // replicates, side.plan.length
    kept, shape = slice(count * replicates), (count, -1, length)
    return (
        side.plan.masks[kept].reshape(shape),
        side.plan.weights[kept].reshape(shape),
        side.losses[kept].reshape(shape),
    )

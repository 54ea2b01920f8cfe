"""What the passes of a sample may have missed, and its interval must allow for.

No finite sample can rule out losses that differ in masks it has not drawn. The interval allows for two kinds of them.
Each loss that was not seen is taken to be as far from those that were as a loss that vanishes, or one twice as large.

*Sizes that no pass has.* Where tokens determine one another, losses jump at the lower end of the size axis: a checksum
over all tokens shows only in masks of one position, and one over every ``r`` tokens below about ``L / r`` masked ones.
The sizes are therefore cut geometrically: 1, 2, 3-4, 5-8, ... masked positions. A band without a pass may hold as much
as its number of sizes times the mean token loss of the bands around it. One jump is allowed for: of several runs of
such bands, the one that may hold most. An interval that is narrower is widened by as much; its standard error, which
describes the spread, stays as it is. At the upper end, the loss of the fully masked input shows what may be missing:
that is the caution ``near-deterministic``.

*A share of the masks.* If all estimates agree, the losses may still differ in a share ``1 - alpha^(1/n)`` of the masks,
which ``n`` passes miss with probability ``alpha``: about ``3 / n`` at 95 % (the rule of three). This gives the standard
error that the spread does not.

The sizes of a block-diffusion model are those of its blocks, which share the bands: what no block has seen may be
missing from all of them.

A jump inside a band that has a pass, or losses that are more than twice as large in rare masks, cannot be seen.
"""

import numpy as np
from numpy.typing import NDArray

from estimators import Draw, Evaluation, MaskPlan
from estimators.estimator import estimator_of
from infodis_stats import analysis
from infodis_stats.results.sample import Sample, once_per_sample

__all__ = ["is_exact", "missed_half_widths", "rule_of_three", "size_bands", "unseen_sizes"]

FloatArray = NDArray[np.float64]

FARTHER = 0.25  # weight of a token loss one band farther away, in the mean that stands for an unseen band


def missed_half_widths(sample: Sample, standard_error: FloatArray, level: float) -> dict[str, FloatArray]:
    """Return how far each estimate may be off because of what its passes have missed, by the key of the caution.

    Parameters
    ----------
    sample : Sample
    standard_error : array of float64, shape (interval,)
        From the spread, nats.
    level : float
        Confidence level.

    Returns
    -------
    dict of str to array of float64, shape (interval,)
        Half-widths in nats, 0 where nothing is missed; empty for a draw that is exact.
    """
    draw = sample.draw
    if is_exact(draw):
        return {}
    rounding = analysis.rounding(sample.estimates.mean(axis=-1))
    lost, unseen = _lost_and_unseen(sample)
    share = rule_of_three(draw.cell.passes * sample.size, level)
    return {
        "no-spread": np.where(standard_error <= rounding, share * lost, 0.0),
        "unseen-sizes": unseen,
    }


@once_per_sample
def _lost_and_unseen(sample: Sample) -> tuple[float, FloatArray]:
    sides = sample.draw.evaluations
    lost = max(float(side.position_losses.sum()) for side in sides)
    return lost, np.max([unseen_sizes(side, sample.size) for side in sides], axis=0)


def size_bands(length: int) -> NDArray[np.int64]:
    """Return the band of each mask size ``1 .. length``, numbered from 0.

    Examples
    --------
    >>> size_bands(10)
    array([0, 1, 2, 2, 3, 3, 3, 3, 4, 4])
    """
    return np.ceil(np.log2(np.arange(1, length + 1))).astype(np.int64)


def unseen_sizes(side: Evaluation, replicates: int) -> FloatArray:
    """Return how much of the likelihood the bands of sizes without a pass may hold, for each interval.

    Parameters
    ----------
    side : Evaluation
    replicates : int
        Replicates of an interval.

    Returns
    -------
    array of float64, shape (interval,)
        Nats; 0 where every band has a pass, and for noise that masks nothing.
    """
    count = side.plan.replicates // replicates
    if not isinstance(side.plan, MaskPlan):
        return np.zeros(count)
    kept = slice(count * replicates)
    sizes = side.plan.block_sizes[kept].reshape(count, -1)
    totals = side.plan.by_block(side.losses[kept]).reshape(count, -1)
    bands = size_bands(max(side.plan.block_lengths))
    widths = np.bincount(bands, side.plan.blocks_by_size)
    band = np.where(sizes > 0, bands[sizes - 1], len(widths))  # an empty mask has no pass
    at = (np.arange(count)[:, None], band)
    masked, lost = np.zeros((2, count, len(widths) + 1))
    np.add.at(masked, at, sizes)
    np.add.at(lost, at, totals)
    masked, lost = masked[:, :-1], lost[:, :-1]
    number = np.arange(len(widths))
    nearby = FARTHER ** np.abs(number[:, None] - number)
    weight = masked @ nearby
    means = np.divide(lost @ nearby, weight, out=np.zeros_like(lost), where=weight > 0)
    held = np.where(masked > 0, 0.0, means * widths)
    run, largest = np.zeros((2, count))
    for of_band, unseen in zip(held.T, (masked == 0).T, strict=True):
        run = np.where(unseen, run + of_band, 0.0)
        largest = np.maximum(largest, run)
    return largest


def rule_of_three(passes: int, level: float) -> float:
    """Return the largest share of the masks that independent passes miss with probability ``1 - level``.

    Examples
    --------
    >>> round(rule_of_three(passes=100, level=0.95), 4)
    0.0295
    """
    return float(1.0 - (1.0 - level) ** (1.0 / passes))


def is_exact(draw: Draw) -> bool:
    """Return whether a draw has missed nothing if it has no spread: by its estimator, its only mask, or equal sides."""
    estimator = estimator_of(draw.cell.sampler)
    if estimator is not None and (estimator.deterministic or estimator.exact_when_consistent):
        return True
    if all(side.longest_block == 1 for side in draw.cell.item.sides):
        return True
    first, *others = draw.evaluations
    return bool(others) and all(
        np.array_equal(first.target.tokens, other.target.tokens)
        and np.array_equal(first.target.scored, other.target.scored)
        and np.array_equal(first.losses, other.losses)
        for other in others
    )

"""Predict each pass from the others, subtract, and add the exact mean of the prediction."""

import itertools

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.regression.prior import covariance, expected_covariance

__all__ = ["adjusted_sum"]

NOISE = 0.03  # variance that masks do not explain, in the units of the prior
LARGEST_GROUP = 256  # passes that are regressed together
BLOCK = 1024  # passes times positions that are regressed together, but
FEWEST_POSITIONS = 16  # of a block, or there is little to share
HALO = 8  # positions on either side of a block whose masks are looked at; farther ones tell less than 1/1000


def adjusted_sum(
    masks: NDArray[np.bool_],
    weights: NDArray[np.float64],
    losses: NDArray[np.float64],
    strata: NDArray[np.float64],
) -> float:
    """Return the regression-adjusted estimate of one replicate.

    It is the sum over passes ``k`` of the weighted ``c - b_k``, plus the mean of the weighted ``b_k`` over the law of
    pass ``k``. The surrogate ``b_k`` is the posterior mean of a Gaussian process given the losses of the other passes.
    As these are independent of pass ``k``, its ``b_k`` cancel in the mean, whatever the prior and whatever the losses.

    Parameters
    ----------
    masks : array of bool, shape (passes, length)
        Independent, each uniformly random given its size.
    weights, losses : arrays of float64, shape (passes, length)
        0 where not masked.
    strata : array of float64, shape (passes, length)
        Probability of each size ``1 .. L`` in each pass. The weights are ``1 / (m * strata[:, m - 1].sum())``.

    Returns
    -------
    float
        Nats. Linear in ``losses``.

    Notes
    -----
    A regression costs about ``(passes x positions / 2)^3``. Many passes are regressed in interleaved groups, and many
    positions in blocks, so that the cost grows in proportion to the plan.
    """
    passes, length = masks.shape
    shares = strata / strata.sum(axis=0) / length
    groups = -(-passes // LARGEST_GROUP)
    total = 0.0
    for group in (slice(first, None, groups) for first in range(groups)):
        size = len(range(passes)[group])
        blocks = -(-length // max(FEWEST_POSITIONS, BLOCK // size))
        ends = [length * block // blocks for block in range(blocks + 1)]
        for start, stop in itertools.pairwise(ends):
            total += _adjusted_block(masks[group], weights[group], losses[group], shares[group], slice(start, stop))
    return total


def _adjusted_block(
    masks: NDArray[np.bool_],
    weights: NDArray[np.float64],
    losses: NDArray[np.float64],
    shares: NDArray[np.float64],
    inside: slice,
) -> float:
    hidden = masks.T[inside]
    first = max(0, inside.start - HALO)
    signs = np.where(masks.T[first : inside.stop + HALO], 1.0, -1.0)
    inner = slice(inside.start - first, inside.stop - first)
    tokens = np.flatnonzero(hidden)
    prior = covariance(signs, inner).reshape(hidden.size, hidden.size)[tokens][:, tokens]
    prior[np.diag_indices_from(prior)] += NOISE
    expected = expected_covariance(signs, inner, shares)[hidden]
    precision = torch.cholesky_inverse(torch.linalg.cholesky(torch.from_numpy(prior))).numpy()
    observed, weight = losses.T[inside][hidden], weights.T[inside][hidden]
    gain, centre = precision @ observed, precision @ expected
    total = float(observed @ centre.sum(axis=1))
    owner = tokens % len(masks)
    for one in np.unique(owner):
        own = np.flatnonzero(owner == one)
        # The residual of a pass against the prediction from all others, without fitting again.
        residual = np.linalg.solve(precision[own[:, None], own], gain[own])
        total += float((weight[own] - centre[own, one]) @ residual)
    return total

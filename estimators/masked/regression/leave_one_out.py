"""Predict each pass from the others, with the exact mean of the prediction."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.masked.regression.lags import Lags, expected_terms, lag_terms
from estimators.masked.regression.prior import covariance, expected_covariance

__all__ = ["Regressed", "held_out"]

NOISE = 0.03  # variance that masks do not explain, in the units of the prior
BLOCK = 1024  # passes times positions that are regressed together
FEWEST_POSITIONS = 16  # of a block, whatever the passes
HALO = 8  # positions on either side of a block whose masks are used; farther ones change less than 1/1000


class Regressed(NamedTuple):
    """Passes that predict one another: their indices, and the distant lags that the prior includes."""

    passes: NDArray[np.int64]
    lags: Lags


def held_out(
    masks: NDArray[np.bool_],
    weights: NDArray[np.float64],
    losses: NDArray[np.float64],
    shares: NDArray[np.float64],
    subsets: Sequence[Regressed],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Predict each pass of a subset from the subset's other passes.

    The surrogate ``b_k`` of pass ``k`` is the posterior mean of a Gaussian process given the losses of the others.

    Parameters
    ----------
    masks : array of bool, shape (passes, length)
    weights, losses : arrays of float64, shape (passes, length)
        0 where not masked.
    shares : array of float64, shape (passes, length)
        Weight of each size ``1 .. L`` in the mean of a pass: the mean of its weighted ``b`` over its random mask is the
        sum over sizes of the share times the sum over positions of the mean of ``b(i, S)`` over masks of that size.
    subsets : sequence of Regressed

    Returns
    -------
    predicted, residual : arrays of float64, shape (subsets, passes)
        The sum over positions of the weighted ``b_k`` less its mean, and of the weighted ``c - b_k``; 0 outside the
        subset. Both linear in ``losses``.
    squares : array of float64, shape (subsets,)
        Sum over all masked tokens of ``(c - b_k)^2``.

    Notes
    -----
    A regression costs about ``(passes x positions / 2)^3``. Many positions are regressed in blocks, so that the cost
    grows in proportion to them.
    """
    passes, length = masks.shape
    blocks = -(-length // max(FEWEST_POSITIONS, BLOCK // passes))
    ends = [length * block // blocks for block in range(blocks + 1)]
    predicted, residual = np.zeros((2, len(subsets), passes))
    squares = np.zeros(len(subsets))
    all_signs = np.where(masks.T, 1.0, -1.0)
    for start, stop in itertools.pairwise(ends):
        inside = slice(start, stop)
        masked = masks.T[inside]
        first = max(0, start - HALO)
        signs = all_signs[first : stop + HALO]
        inner = slice(start - first, stop - first)
        tokens = np.flatnonzero(masked)
        prior = covariance(signs, inner).reshape(masked.size, masked.size)[tokens][:, tokens]
        prior[np.diag_indices_from(prior)] += NOISE
        expected = expected_covariance(signs, inner, shares)[masked]
        observed, weight = losses.T[inside][masked], weights.T[inside][masked]
        owner = tokens % passes
        for row, (subset, lags) in enumerate(subsets):
            kept = np.flatnonzero(np.isin(owner, subset))
            among, means = prior[kept[:, None], kept], expected[kept]
            if lags:
                terms = lag_terms(all_signs, lags)[inside][masked][kept]
                among += terms @ terms.T
                means += terms @ expected_terms(length, inside, lags, shares)
            part = _regress(among, means, observed[kept], weight[kept], owner[kept])
            predicted[row, subset] += part[0][subset]
            residual[row, subset] += part[1][subset]
            squares[row] += part[2]
    return predicted, residual, squares


def _regress(
    prior: NDArray[np.float64],
    expected: NDArray[np.float64],
    observed: NDArray[np.float64],
    weight: NDArray[np.float64],
    owner: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    precision = torch.cholesky_inverse(torch.linalg.cholesky(torch.from_numpy(prior))).numpy()
    gain, centre = precision @ observed, precision @ expected
    mean = observed @ centre
    residual = np.zeros(expected.shape[1])
    predicted = -mean
    squares = 0.0
    for pass_ in np.unique(owner):
        own = np.flatnonzero(owner == pass_)
        # The residual of a pass against the prediction from all others, without fitting again.
        left_out = np.linalg.solve(precision[own[:, None], own], gain[own])
        squares += float(left_out @ left_out)
        residual[pass_] = weight[own] @ left_out
        predicted[pass_] += weight[own] @ (observed[own] - left_out) + centre[own, pass_] @ left_out
    return predicted, residual, squares

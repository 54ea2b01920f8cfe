"""Sums over all masks (Sections 3.2 and 4 of the paper), by enumeration."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import ConditionalModel
from tests.support.noised_laws import sequences

Array = NDArray[np.float64]


def cross_entropies(model: ConditionalModel, tokens: NDArray[np.int64], masked: NDArray[np.bool_]) -> Array:
    """``DCE(x0, S) = sum_{i in S} c(i, S)`` of each sequence under each mask: (mask, sequence)."""
    rows = torch.from_numpy(tokens).repeat(len(masked), 1)
    masks = torch.from_numpy(masked).repeat_interleave(len(tokens), dim=0)
    return model.token_nll(rows, masks).sum(dim=1).reshape(len(masked), len(tokens)).numpy()


def sum_over_masks(
    model: ConditionalModel, tokens: NDArray[np.int64], weights: Sequence[float] | Array, given: int = 0
) -> Array:
    """Return ``sum_S w(|S|) DCE(x0, S)`` over all masks of the tokens after the given ones: (sequence,).

    Weights are those of sizes 1, 2, ...
    """
    hidden = sequences(2, tokens.shape[1] - given)[1:].astype(bool)
    masked = np.concatenate([np.zeros((len(hidden), given), dtype=bool), hidden], axis=1)
    size_weights = np.asarray(weights, dtype=np.float64)
    total: Array = size_weights[hidden.sum(axis=1) - 1] @ cross_entropies(model, tokens, masked)
    return total


def weights_at(length: int, rate: float) -> Array:
    """``P(S)/lam`` of a mask of each size if every position is masked with probability lam."""
    sizes = np.arange(1, length + 1)
    return rate ** (sizes - 1.0) * (1.0 - rate) ** (length - sizes)


def time_weights(length: int, end: float = 1.0) -> Array:
    """``int_0^end P(S)/lam dlam`` for each size: polynomials, for which Gauss-Legendre is exact."""
    nodes, node_weights = np.polynomial.legendre.leggauss(length)
    total = np.zeros(length)
    for node, weight in zip(nodes, node_weights, strict=True):
        total += end / 2 * weight * weights_at(length, end * (1 + node) / 2)
    return total

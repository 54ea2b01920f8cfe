"""Chains: the masks of an order, one position less in each, and the likelihood by the chain rule."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from estimators.masked.blocks import BlockPlan
from estimators.masked.plan import MaskPlan

__all__ = ["chain_plan", "ranks_of"]


def ranks_of(keys: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return when each position is revealed, ``0 .. length - 1``: by ascending keys (..., length)."""
    ranks: NDArray[np.int64] = np.argsort(np.argsort(keys, axis=-1, kind="stable"), axis=-1, kind="stable")
    return ranks


def chain_plan(ranks: Sequence[NDArray[np.int64]]) -> MaskPlan:
    """Return the plan of the chain rule in some orders, one replicate for each; blocks have orders of their own.

    Parameters
    ----------
    ranks : sequence of arrays of int64, shape (orders, length of the block)
        When each position of each block is revealed: 0 for the first one.

    Returns
    -------
    MaskPlan
        As many passes as the longest block has positions; the weighted sum over the passes is ``-log p(x | order)``,
        and its part in a block is that of the block.

    Examples
    --------
    >>> print(chain_plan([np.array([[1, 0, 2]])]))
    ###  1
    #.#  1
    ..#  1
    """
    passes = np.arange(max(block.shape[-1] for block in ranks))[:, None]
    masks = np.concatenate([block[:, None, :] >= passes for block in ranks], axis=-1)
    weights = np.concatenate([block[:, None, :] == passes for block in ranks], axis=-1).astype(np.float64)
    lengths = tuple(block.shape[-1] for block in ranks)
    return MaskPlan(masks, weights) if len(ranks) == 1 else BlockPlan(masks, weights, lengths, lengths)

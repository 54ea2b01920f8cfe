"""Steps of a finite-memory chain: the distribution of each symbol, or hidden state, given the preceding ones."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr
from torch import Tensor

from infodis_stats.laws.probabilities import cumulative, inverse

__all__ = ["chain_entropy", "conditionals", "walk"]


def conditionals(initial: NDArray[np.float64], transition: NDArray[np.float64]) -> list[Tensor]:
    """Return conditional probability tables: one for each of the first symbols, then one for all later symbols.

    Parameters
    ----------
    initial, transition : array of float64
        The parameters of a `MarkovChain`.

    Returns
    -------
    list of Tensor of float64, shape (dropped symbol, kept symbols, next symbol, 1)
        A context (dropped, kept) becomes (kept, next symbol).
    """
    size = transition.shape[-1]
    if not initial.ndim:  # treat order 0 as an order 1 that ignores its context
        initial, transition = transition, np.broadcast_to(transition, (size, size))
    steps = []
    joint = np.ones(())
    for known in range(initial.ndim):
        before, joint = joint, initial.sum(axis=tuple(range(known + 1, initial.ndim)))
        steps.append((joint / np.where(before > 0, before, 1.0)[..., None]).reshape(1, -1, size, 1))
    steps.append(transition.reshape(size, -1, size, 1))
    return [torch.from_numpy(np.array(step, order="C")) for step in steps]


def walk(steps: Sequence[Tensor], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Map uniforms (sequence, length) to sequences of a chain, of the same shape."""
    size = steps[-1].shape[2]
    tables = [cumulative(step.reshape(-1, size).numpy()) for step in steps]
    symbols = np.empty(uniform.shape, dtype=np.int64)
    context = np.zeros(len(uniform), dtype=np.int64)
    for position in range(uniform.shape[1]):
        table = tables[min(position, len(tables) - 1)]
        symbols[:, position] = inverse(table[context], uniform[:, position])
        context = (context * size + symbols[:, position]) % len(tables[-1])
    return symbols


def chain_entropy(steps: Sequence[Tensor], length: int) -> float:
    """Return the entropy of a chain's sequences in nats, by the chain rule."""
    context, total = np.ones(1), 0.0
    for position in range(length):
        step = steps[min(position, len(steps) - 1)][..., 0].numpy()
        law = context.reshape(step.shape[:2])
        total += float((law * entr(step).sum(axis=2)).sum())
        context = (law[..., None] * step).sum(axis=0).ravel()
    return total

"""Sums of independent tokens modulo the number of symbols, bitwise reproducible: a row does not depend on its batch."""

import torch
from torch import Tensor

__all__ = ["cyclic_sums"]


def cyclic_sums(laws: Tensor) -> tuple[Tensor, Tensor]:
    """Return the probability that independent tokens sum to 0, and for each token, that the others complete it to 0.

    Parameters
    ----------
    laws : Tensor of float64, shape (token, group, symbol, row)
        The distribution of each token; sums are over the first dimension, modulo the number of symbols.

    Returns
    -------
    total : Tensor of float64, shape (group, row)
        The probability that all tokens of a group sum to 0.
    others : Tensor of float64, shape (token, group, symbol, row)
        For token ``i`` and symbol ``a``, the probability that the other tokens of its group sum to ``-a``.
    """
    # A binary tree: upwards the distributions of partial sums, downwards those of what completes them. A convolution of
    # distributions is a distribution, so nothing needs to be rescaled.
    levels = [laws]
    while (count := len(levels[-1])) > 1:
        level = levels[-1]
        merged = _convolved(level[: count // 2 * 2 : 2], level[1::2], 1)
        levels.append(torch.cat([merged, level[-1:]]) if count % 2 else merged)
    total = levels.pop()[0, :, 0]
    others = torch.zeros_like(laws[:1])
    others[:, :, 0] = 1.0
    for level in reversed(levels):
        pairs, above = len(level) // 2, others
        others = torch.empty_like(level)
        others[: 2 * pairs : 2] = _convolved(above[:pairs], level[1::2], -1)
        others[1::2] = _convolved(above[:pairs], level[: 2 * pairs : 2], -1)
        if len(level) % 2:
            others[-1] = above[-1]
    return total, others


def _convolved(first: Tensor, second: Tensor, sign: int) -> Tensor:
    """Return ``sum_t first(s - sign * t) second(t)`` for each ``s``, added in a fixed order."""
    total = first * second[:, :, :1]
    for symbol in range(1, first.shape[2]):
        total += first.roll(sign * symbol, dims=2) * second[:, :, symbol, None]
    return total

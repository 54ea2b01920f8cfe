"""The forward-backward algorithm, bitwise reproducible: the result of a row does not depend on its batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from infodis_stats.laws.law import fold

__all__ = ["SMALLEST", "bytes_per_row", "contract", "forward_backward", "normalised"]

SMALLEST = torch.finfo(torch.float64).tiny  # a divisor whose inverse does not overflow


def forward_backward(steps: Sequence[Tensor], evidence: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log evidence and posterior marginals of a chain, as defined in `Law.posterior`.

    Parameters
    ----------
    steps : sequence of Tensor of float64
        The tables that `steps.conditionals` returns.
    evidence : Tensor of float64, shape (length, symbol, row)
        Values in [0, 1].

    Returns
    -------
    log_evidence : Tensor of float64, shape (row,)
    marginals : Tensor of float64, shape (length, symbol, row)
    """
    # A state is the last `memory` symbols, oldest first, and a step's table is (dropped, kept, next symbol, 1):
    # the state (dropped, kept) becomes (kept, next symbol). Messages are (state, row).
    length, size, batch = evidence.shape
    memory = len(steps) - 1
    tables = [step.to(evidence.device) for step in steps]
    tables = [tables[min(position, memory)] for position in range(length)]
    # The posterior of one state covers `memory` symbols, so only the messages at block ends are kept. They share one
    # allocation, which the allocator reuses for the next call.
    block_ends = range(length - 1, -1, -memory)
    kept = dict(zip(block_ends, evidence.new_empty(len(block_ends), size**memory, batch), strict=True))

    past = evidence.new_ones(1, batch)
    divisors = evidence.new_empty(length + 1, batch)
    for position, table in enumerate(tables):
        past = contract(past.view(*table.shape[:2], 1, batch), table, dim=0)
        past *= evidence[position]
        past = past.view(-1, batch)
        total = fold(past)
        divisors[position] = total.clamp(min=SMALLEST)
        past /= divisors[position]
        if position in kept:
            kept[position][: len(past)] = past
    divisors[length] = total / divisors[length - 1]  # 1, or 0 if the evidence is impossible

    marginals = torch.empty_like(evidence)
    future = torch.ones_like(past)
    for position in reversed(range(length)):
        if position in kept:
            joint = kept[position][: len(future)] * future
            for symbol in range(position, max(position - memory, -1), -1):
                by_symbol = joint.view(-1, size, batch)
                marginals[symbol] = fold(by_symbol)
                joint = fold(by_symbol.transpose(0, 1))
            if position < memory:
                break
        future = future.view(1, -1, size, batch) * (evidence[position] / fold(future).clamp(min=SMALLEST))
        future = contract(tables[position], future, dim=2).view(-1, batch)
    return fold(divisors.log()), normalised(marginals)


def bytes_per_row(steps: Sequence[Tensor], length: int) -> int:
    """Return the working memory of `forward_backward` in bytes per row."""
    memory, size = len(steps) - 1, steps[-1].shape[2]
    states = steps[-1].numel() // size
    return 8 * ((length // memory + 6) * states + 4 * length * size)


def contract(left: Tensor, right: Tensor, dim: int) -> Tensor:
    """Return ``(left * right).sum(dim)``, added in a fixed order so that the rounding does not depend on the batch."""
    first, *others = zip(left.unbind(dim), right.unbind(dim), strict=True)
    total = torch.mul(*first)
    for pair in others:
        total += torch.mul(*pair)
    return total


def normalised(weights: Tensor) -> Tensor:
    """Normalise weights (length, symbol, row) to sum to 1 over symbols; all-zero weights stay zero."""
    total = fold(weights.transpose(0, 1))[:, None]
    return weights / torch.where(total > 0, total, 1.0)

"""Equal rows of a batch: a network prices all tokens under a mask from one pass, so equal inputs need only one."""

import torch
from torch import Tensor

__all__ = ["distinct_rows"]


def distinct_rows(inputs: Tensor, *others: Tensor | None) -> tuple[Tensor, Tensor]:
    """Find the distinct rows of a batch.

    Parameters
    ----------
    inputs : Tensor of int64, shape (batch, length)
    *others : Tensor of bool or int64, shape (batch, ...), or None
        What else has to be equal.

    Returns
    -------
    first : Tensor of int64, shape (distinct,)
        The first row of each kind, ascending.
    kind : Tensor of int64, shape (batch,)
        The kind of each row: rows ``inputs[first][kind]`` are those of ``inputs``.

    Examples
    --------
    >>> distinct_rows(torch.tensor([[1, 2], [0, 2], [1, 2]]))
    (tensor([0, 1]), tensor([0, 1, 0]))
    """
    parts = [part.reshape(len(inputs), -1).to(inputs.dtype) for part in (inputs, *others) if part is not None]
    values, group = torch.unique(torch.cat(parts, dim=1), dim=0, return_inverse=True)
    rows = torch.arange(len(inputs), device=inputs.device)
    if len(values) == len(inputs):
        return rows, rows
    first = torch.full_like(rows[: len(values)], len(rows)).scatter_reduce(0, group, rows, "amin")
    first, order = first.sort()
    return first, order.argsort()[group]

"""Losses from logits that are computed in chunks of tokens, to bound the memory."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from estimators import ModelError

__all__ = ["HALF", "check_overflow", "kind_of", "token_losses"]

LOGITS_PER_CHUNK = 2**24  # 64 MB in float32
HALF = (torch.float16, torch.bfloat16)


def token_losses(
    logits_at: Callable[[slice], Tensor], targets: Tensor, vocabulary: int, excluded: int | None = None
) -> Tensor:
    """Return the negative log-likelihoods of tokens in nats, float32 of shape (count,).

    The log-sum-exp is computed in float32, whatever the dtype of the logits.

    Parameters
    ----------
    logits_at : callable
        Computes the logits (tokens, vocabulary) of a slice of the tokens.
    targets : Tensor of int64, shape (count,)
        The tokens.
    vocabulary : int
        Number of outputs of the network.
    excluded : int, optional
        A token with probability 0: its logit is replaced by minus infinity.
    """
    losses = torch.empty(len(targets), device=targets.device)
    step = max(1, LOGITS_PER_CHUNK // vocabulary)
    for start in range(0, len(losses), step):
        part = slice(start, start + step)
        logits = logits_at(part).float()
        if excluded is not None:
            logits[:, excluded] = -torch.inf
        losses[part] = functional.cross_entropy(logits, targets[part], reduction="none")
    return losses


def check_overflow(losses: Tensor, computed_in: torch.dtype, remedy: str) -> None:
    """Check that losses (batch, length) did not overflow in half precision.

    Raises
    ------
    ModelError
        For the first loss that is not finite; the message gives its row, position and dtype, and the remedy.
    """
    wrong = ~torch.isfinite(losses)
    if computed_in in HALF and wrong.any():
        row, position = wrong.nonzero()[0].tolist()
        raise ModelError(
            f"sequence {row} of the batch, position {position}: the network overflowed in {kind_of(computed_in)}; "
            f"use {remedy}"
        )


def kind_of(dtype: torch.dtype) -> str:
    """Return the name of a dtype without its module."""
    return str(dtype).removeprefix("torch.")

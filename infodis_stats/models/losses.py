"""Losses and distributions from logits that are computed in chunks of tokens, to bound the memory."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from estimators import ModelError

__all__ = ["HALF", "check_overflow", "check_undefined", "kind_of", "token_distributions", "token_losses"]

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
    for part, logits in _chunks(logits_at, len(targets), vocabulary, excluded):
        losses[part] = functional.cross_entropy(logits, targets[part], reduction="none")
    return losses


def token_distributions(
    logits_at: Callable[[slice], Tensor], targets: Tensor, vocabulary: int, excluded: int | None = None
) -> Tensor:
    """Return the log-probabilities of all tokens in nats, float32 of shape (count, vocabulary).

    Arguments as in `token_losses`; of the tokens only their number and their device matter.
    """
    distributions = torch.empty(len(targets), vocabulary, device=targets.device)
    for part, logits in _chunks(logits_at, len(targets), vocabulary, excluded):
        distributions[part] = functional.log_softmax(logits, dim=-1)
    return distributions


def _chunks(
    logits_at: Callable[[slice], Tensor], count: int, vocabulary: int, excluded: int | None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the logits of some tokens at a time in float32, with that of an excluded token at minus infinity."""
    step = max(1, LOGITS_PER_CHUNK // vocabulary)
    for start in range(0, count, step):
        part = slice(start, start + step)
        logits = logits_at(part).float()
        if excluded is not None:
            logits[:, excluded] = -torch.inf
        yield part, logits


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


def check_undefined(distributions: Tensor, masked: Tensor, computed_in: torch.dtype, remedy: str) -> None:
    """Check that distributions (number masked, vocabulary) have no NaN: their network did not overflow.

    Raises
    ------
    ModelError
        As `check_overflow`.
    """
    if computed_in in HALF:
        largest = torch.zeros(masked.shape, device=distributions.device)
        largest[masked.to(distributions.device)] = distributions.amax(dim=-1)  # NaN where there is one
        check_overflow(largest, computed_in, remedy)


def kind_of(dtype: torch.dtype) -> str:
    """Return the name of a dtype without its module."""
    return str(dtype).removeprefix("torch.")

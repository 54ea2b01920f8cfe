"""Losses from logits that are made a few tokens at a time: never all of them at once."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from estimators import ModelError

__all__ = ["HALF", "check_overflow", "kind_of", "token_losses"]

LOGITS_AT_A_TIME = 2**24  # numbers: 64 MB in float32
HALF = (torch.float16, torch.bfloat16)


def token_losses(
    logits_at: Callable[[slice], Tensor], targets: Tensor, vocabulary: int, excluded: int | None = None
) -> Tensor:
    """Price tokens, (count,) float32; the log-sum-exp is taken in float32 whatever the type of the logits.

    Parameters
    ----------
    logits_at : callable
        Makes the logits (some, vocabulary) of a slice of the tokens.
    targets : Tensor of int64, shape (count,)
        What stands there.
    vocabulary : int
    excluded : int, optional
        A token without probability: its logit counts as minus infinity.
    """
    losses = torch.empty(len(targets), device=targets.device)
    step = max(1, LOGITS_AT_A_TIME // vocabulary)
    for start in range(0, len(losses), step):
        part = slice(start, start + step)
        logits = logits_at(part).float()
        if excluded is not None:
            logits[:, excluded] = -torch.inf
        losses[part] = functional.cross_entropy(logits, targets[part], reduction="none")
    return losses


def check_overflow(losses: Tensor, computed_in: torch.dtype, remedy: str) -> None:
    """Refuse losses (batch, length) that are not finite because they were computed in half precision.

    Raises
    ------
    ModelError
        Says where, in which type and what mends it.
    """
    wrong = ~torch.isfinite(losses)
    if computed_in in HALF and wrong.any():
        row, position = wrong.nonzero()[0].tolist()
        raise ModelError(
            f"sequence {row} of the batch, position {position}: the network overflowed in {kind_of(computed_in)}; "
            f"{remedy} mends that"
        )


def kind_of(dtype: torch.dtype) -> str:
    """Return the name of a type without its module."""
    return str(dtype).removeprefix("torch.")

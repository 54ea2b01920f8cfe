"""The output head on chosen positions only: losses without a tensor of size batch x length x vocabulary."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from estimators import ModelError
from infodis_stats.models.losses import token_losses

__all__ = ["Wanted", "find_head", "full_losses", "lean_losses", "logits_of"]


@dataclass(frozen=True)
class Wanted:
    """The tokens to price.

    Attributes
    ----------
    rows, positions : Tensor of int64, shape (count,)
        Where their logits stand in the network's output.
    targets : Tensor of int64, shape (count,)
        What stands there.
    excluded : int, optional
        A token without probability: its logit counts as minus infinity.
    """

    rows: Tensor
    positions: Tensor
    targets: Tensor
    excluded: int | None


class _AtHead(BaseException):
    """Ends a forward pass at its output head; a BaseException, so that no ``except Exception`` on the way holds it."""

    def __init__(self, result: Tensor) -> None:
        super().__init__()
        self.result = result


def logits_of(output: object) -> Tensor:
    """Take the logits (batch, length, vocabulary) out of what a network returned; `ModelError` if there are none."""
    logits = getattr(output, "logits", output)
    if isinstance(logits, tuple | list) and logits:
        logits = logits[0]
    if not isinstance(logits, Tensor) or logits.ndim != 3:
        raise ModelError(f"the network returned {type(output).__name__} without logits (batch, length, vocabulary)")
    return logits


def full_losses(forward: Callable[[], object], wanted: Wanted) -> Tensor:
    """Price tokens from the network's own logits, (count,) float32."""
    logits = logits_of(forward())

    def logits_at(part: slice) -> Tensor:
        return logits[wanted.rows[part], wanted.positions[part]]

    return token_losses(logits_at, wanted.targets, logits.shape[-1], wanted.excluded)


def lean_losses(forward: Callable[[], object], head: nn.Linear, wanted: Wanted) -> Tensor:
    """Price tokens with the head on their positions alone, a few at a time, (count,) float32."""

    def price(hidden: Tensor) -> Tensor:
        def logits_at(part: slice) -> Tensor:
            return head.forward(hidden[wanted.rows[part], wanted.positions[part]])

        return token_losses(logits_at, wanted.targets, head.out_features, wanted.excluded)

    losses = _at_head(forward, head, price)
    if losses is None:
        raise ModelError("the network answered without its output head, which it used when it was loaded")
    return losses


def find_head(
    forward: Callable[[], object], network: nn.Module, compare: Tensor, excluded: int | None
) -> nn.Linear | None:
    """Find the linear layer that makes the logits, if its outputs alone give the probabilities.

    The network runs once in full and once to each candidate. What follows the head may add a constant to all logits of
    a position (RADD normalises, SEDD divides by the noise), but nothing else.

    Parameters
    ----------
    forward : callable
        Runs the network on a small input.
    network : Module
    compare : Tensor of bool, shape (batch, length)
        Positions of that input whose probabilities have to agree.
    excluded : int, optional
        See `Wanted`.

    Returns
    -------
    Linear or None
        None where the head cannot be separated.
    """
    logits = logits_of(forward())
    expected = _log_probabilities(logits[compare], excluded)
    tolerance = 16 * torch.finfo(logits.dtype).eps * max(1.0, logits[compare].float().abs().max().item())
    for head in reversed([module for module in network.modules() if isinstance(module, nn.Linear)]):
        if head.out_features == logits.shape[-1]:
            found = _at_head(forward, head, head.forward)
            if found is not None and found.shape == logits.shape:
                error = (_log_probabilities(found[compare], excluded) - expected).abs().max()
                if error <= tolerance:
                    return head
    return None


def _at_head(forward: Callable[[], object], head: nn.Linear, use: Callable[[Tensor], Tensor]) -> Tensor | None:
    def stop(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # Inside the pass, so that a network's own autocast holds for the head as well.
        raise _AtHead(use(inputs[0]))

    hook = head.register_forward_pre_hook(stop)
    try:
        forward()
    except _AtHead as reached:
        return reached.result
    finally:
        hook.remove()
    return None


def _log_probabilities(logits: Tensor, excluded: int | None) -> Tensor:
    logits = logits.float()
    if excluded is not None:
        keep = torch.arange(logits.shape[-1], device=logits.device) != excluded
        logits = logits[:, keep]
    return logits.log_softmax(dim=-1)

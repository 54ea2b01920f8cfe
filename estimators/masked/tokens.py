"""The question that masks ask: what the masked tokens cost, given those that are revealed."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.errors import InputError, ModelError
from estimators.model import Model, needs_context, prices_masks, takes_padding
from estimators.transfers import on_device

__all__ = ["MaskedTokens"]


def _takes_lengths(token_nll: Callable[..., Any]) -> bool:
    parameters = inspect.signature(token_nll).parameters
    return "lengths" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


@dataclass(frozen=True)
class MaskedTokens:
    """Asks a `ConditionalModel`. The columns are tokens, masks and context, all (rows, total length)."""

    def takes_padding(self, model: Model) -> bool:
        """Return whether the model does; see `Question.takes_padding`."""
        return takes_padding(model)

    def losses(
        self,
        model: Model,
        columns: Sequence[NDArray[Any]],
        lengths: NDArray[np.int64] | None,
        device: torch.device,
    ) -> torch.Tensor:
        """Price the masked tokens; see `Question.losses`."""
        if not prices_masks(model):
            raise InputError(
                f"{type(model).__name__} does not price masked tokens: it has no token_nll; "
                "score ratios give likelihoods by an estimator such as score-entropy(uniform), and all else needs masks"
            )
        tokens, masked, context = (on_device(column, device) for column in columns)
        arguments = (tokens, masked, context) if needs_context(model) else (tokens, masked)
        padding = {} if lengths is None else {"lengths": on_device(lengths, device)}
        if padding and not _takes_lengths(model.token_nll):
            raise InputError(
                f"{type(model).__name__} declares takes_padding, but its token_nll has no argument lengths; "
                "add it, or drop the declaration"
            )
        with torch.no_grad():
            returned = model.token_nll(*arguments, **padding)
        if not isinstance(returned, torch.Tensor) or returned.shape != masked.shape:
            got = f"shape {tuple(returned.shape)}" if isinstance(returned, torch.Tensor) else type(returned).__name__
            shape = tuple(masked.shape)
            raise ModelError(f"the model's token_nll must return a tensor of shape {shape}, it returned {got}")
        return torch.where(masked.to(returned.device), returned.detach(), 0)

    def problem(self, loss: float) -> str:
        """Say what is wrong with a loss; see `Question.problem`."""
        if np.isnan(loss):
            return "the model returned NaN as a loss"
        if loss < 0:
            return (
                f"the model returned a loss of {loss:g} nats, a positive log-probability; "
                "losses are -log p and at least 0"
            )
        return "the model gives this token probability 0, so the likelihood is 0 and has no estimate"

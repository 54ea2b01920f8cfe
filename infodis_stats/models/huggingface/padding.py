"""Padding: whether a network takes an attention mask, and prices a padded row as it prices the row alone."""

import inspect
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from infodis_stats.models.losses import HALF
from infodis_stats.models.probes import allowed_tokens

if TYPE_CHECKING:
    from infodis_stats.models.huggingface.masked_model import MaskedLanguageModel

__all__ = ["Padding", "measure_padding"]

LENGTHS = (48, 20, 8)  # of the longer sequence of each probe: some faults show at some lengths alone
ROUNDING = 1e-5  # nats, and of a loss


class Padding(NamedTuple):
    """What padding changes.

    Attributes
    ----------
    difference : float
        Largest change of a loss in nats.
    harmless : bool
        Whether that is rounding; False in half precision, whose own rounding is larger than what some networks add.
    """

    difference: float
    harmless: bool


def measure_padding(model: "MaskedLanguageModel") -> Padding | None:
    """Price sequences of different lengths alone and in padded calls of two; None if the network takes no padding.

    The losses may differ by rounding in float32: by 1e-5 nats + 1e-5 of the loss.
    """
    if model.longest < 2 or (model.blocks is None and not _takes_attention_mask(model)):
        return None
    try:
        probes = [_probe(model, min(length, model.longest), seed) for seed, length in enumerate(LENGTHS)]
    except Exception:  # third-party code may raise anything; it then gets rows of one length
        return None
    padded, alone = (torch.cat(losses) for losses in zip(*probes, strict=True))
    exact = next(model.network.parameters()).dtype not in HALF
    harmless = exact and torch.allclose(padded, alone, rtol=ROUNDING, atol=ROUNDING)
    return Padding((padded - alone).abs().max().item(), harmless)


def _takes_attention_mask(model: "MaskedLanguageModel") -> bool:
    other_arguments = model.family.noise is not None or model.family.arguments is not None
    return not other_arguments and "attention_mask" in inspect.signature(model.network.forward).parameters


def _probe(model: "MaskedLanguageModel", length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return the losses of two sequences in one padded call and alone; the shorter has two thirds of the length."""
    lengths = torch.tensor([length, (2 * length + 2) // 3])
    tokens = torch.from_numpy(np.random.default_rng(seed).choice(allowed_tokens(model), size=(2, length)))
    places = torch.arange(length)
    masked = (places % 2 == 1) & (places < lengths[:, None])
    if model.blocks is not None:  # their attention is put in, padding included
        rows = [(slice(row, row + 1), slice(0, end)) for row, end in enumerate(lengths.tolist())]
        losses = [model.token_nll(tokens[part], masked[part])[masked[part]] for part in rows]
        return model.token_nll(tokens, masked, lengths=lengths)[masked], torch.cat(losses)
    inputs = model.inputs(tokens, masked, lengths)
    logits = model.call(inputs, attention_mask=model.attended(inputs, lengths))
    alone = torch.cat([_alone(model, tokens[row, :end], masked[row, :end]) for row, end in enumerate(lengths)])
    return _losses(model, logits, tokens, masked), alone


def _alone(model: "MaskedLanguageModel", tokens: Tensor, masked: Tensor) -> Tensor:
    tokens, masked = tokens[None], masked[None]
    return _losses(model, model.call(model.inputs(tokens, masked)), tokens, masked)


def _losses(model: "MaskedLanguageModel", logits: Tensor, tokens: Tensor, masked: Tensor) -> Tensor:
    """Return the losses of the masked tokens in row order."""
    rows, positions = masked.nonzero(as_tuple=True)
    logs = logits.cpu()[rows, positions + len(model.before) - int(model.shifted)].log_softmax(dim=-1)
    return -logs.gather(1, tokens[masked][:, None])[:, 0]

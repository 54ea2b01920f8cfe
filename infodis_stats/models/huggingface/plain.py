"""The losses of a masked language model computed the plain way, as a reference: one row at a time, all logits."""

import torch
from torch import Tensor

from infodis_stats.models.huggingface.masked_model import MaskedLanguageModel

__all__ = ["plain_nll"]


def plain_nll(model: MaskedLanguageModel, tokens: Tensor, masked: Tensor) -> Tensor:
    """Return the losses of masked tokens as the published code of the family computes them.

    One row per call, logits at all positions, shifted by concatenation where the family shifts them, and a log-softmax
    in float64. A network of block diffusion is called once per block, as published samplers call it without a cache: on
    the earlier blocks with nothing masked, and the block itself. This shares with `MaskedLanguageModel.token_nll` only
    the call of the network.

    Parameters
    ----------
    model : MaskedLanguageModel
        Without guidance.
    tokens : Tensor of int64, shape (batch, length)
    masked : Tensor of bool, shape (batch, length)

    Returns
    -------
    Tensor of float64, shape (batch, length)
        Nats at masked positions, 0 elsewhere.
    """
    losses = torch.zeros(tokens.shape, dtype=torch.float64)
    for row in range(len(tokens)):
        if model.block_size is None:
            logits = model.outputs(tokens[row : row + 1], masked[row : row + 1])[0].cpu()
            if model.shifted:
                logits = torch.cat([logits[:1], logits[:-1]])
        else:
            logits = _by_blocks(model, tokens[row : row + 1], masked[row : row + 1], model.block_size)
        if model.exclude_mask and model.mask_id < logits.shape[-1]:
            logits[:, model.mask_id] = -torch.inf
        logs = logits.double().log_softmax(dim=-1)
        for position in masked[row].nonzero()[:, 0].tolist():
            losses[row, position] = -logs[position + len(model.before), tokens[row, position]]
    return losses


def _by_blocks(model: MaskedLanguageModel, tokens: Tensor, masked: Tensor, size: int) -> Tensor:
    """Return the logits by which each token of a row is predicted, (length with special tokens, vocabulary)."""
    clean, inputs = model.inputs(tokens, torch.zeros_like(masked)), model.inputs(tokens, masked)
    parts, last = [], None
    for start in range(0, inputs.shape[1], size):
        block = slice(start, start + size)
        seen = torch.cat([clean[:, :start], inputs[:, block]], dim=1)
        logits = _call(model, seen)[start:]
        if model.shifted:
            logits = torch.cat([logits[:1] if last is None else last, logits[:-1]])
            last = _call(model, clean[:, : start + size])[-1:]
        parts.append(logits)
    return torch.cat(parts)


def _call(model: MaskedLanguageModel, inputs: Tensor) -> Tensor:
    noise = None if model.family.noise is None else model.family.noise(inputs == model.mask_id)
    return model.call(inputs, noise)[0].cpu()

"""The losses of a masked language model computed the plain way, as a reference: one row at a time, all logits."""

import torch
from torch import Tensor

from infodis_stats.models.huggingface.masked_model import MaskedLanguageModel

__all__ = ["plain_nll"]


def plain_nll(model: MaskedLanguageModel, tokens: Tensor, masked: Tensor) -> Tensor:
    """Return the losses of masked tokens as the published code of the family computes them.

    One row per call, logits at all positions, shifted by concatenation where the family shifts them, and a log-softmax
    in float64. It shares with `MaskedLanguageModel.token_nll` only the call of the network.

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
        logits = model.outputs(tokens[row : row + 1], masked[row : row + 1])[0].cpu()
        if model.shifted:
            logits = torch.cat([logits[:1], logits[:-1]])
        if model.exclude_mask and model.mask_id < logits.shape[-1]:
            logits[:, model.mask_id] = -torch.inf
        logs = logits.double().log_softmax(dim=-1)
        for position in masked[row].nonzero()[:, 0].tolist():
            losses[row, position] = -logs[position + len(model.before), tokens[row, position]]
    return losses

"""A family of networks: the calling conventions that affect the likelihood."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = ["Family", "absorbing_noise", "full_attention", "mask_given", "no_noise", "sampling"]

MASK_RATES = (1e-3, 1 - 1e-3)  # range of the log-linear schedule in the training of SEDD and MDLM


def no_noise(masked: Tensor) -> Tensor:
    """Return zeros (batch,): the time input of a network that ignores it."""
    return torch.zeros(len(masked), device=masked.device)


def absorbing_noise(masked: Tensor) -> Tensor:
    """Return the total noise sigma whose expected masked fraction is that of each row, (batch,).

    An absorbing process masks a token with probability ``1 - exp(-sigma)``, so ``sigma = -log(1 - m/L)`` for ``m`` of
    ``L`` tokens masked. ``m/L`` is clipped to [0.001, 0.999], the range in training.

    Examples
    --------
    >>> import torch
    >>> absorbing_noise(torch.tensor([[True, False], [True, True]]))
    tensor([0.6931, 6.9078])
    """
    rate = masked.double().mean(dim=1).clamp(*MASK_RATES)
    return -torch.log1p(-rate).float()


def full_attention(inputs: Tensor, dtype: torch.dtype) -> dict[str, Any]:
    """Return an attention mask (batch, 1, length, length) of zeros, which lets a causal network see all positions."""
    batch, length = inputs.shape
    return {"attention_mask": torch.zeros(batch, 1, length, length, dtype=dtype, device=inputs.device)}


def mask_given(inputs: Tensor, dtype: torch.dtype) -> dict[str, Any]:
    """Return an attention mask (1, 1, length, length) without any True, for `CleanAttention` to replace.

    SDAR needs one, and computes attention elsewhere if it is True everywhere.
    """
    length = inputs.shape[1]
    return {"attention_mask": torch.zeros(1, 1, length, length, dtype=torch.bool, device=inputs.device)}


def sampling(inputs: Tensor, dtype: torch.dtype) -> dict[str, Any]:
    """Return the argument by which BD3-LM takes sequences of any length."""
    return {"sample_mode": True}


@dataclass(frozen=True, kw_only=True)
class Family:
    """How to recognise the networks of a family, how to call them, and how to interpret their outputs.

    Attributes
    ----------
    name : str
    about : str
        One-line description.
    source : str
        Where the conventions come from: a repository and its file.
    architectures : tuple of str
        Class names in ``architectures`` of ``config.json``, or of the network itself.
    model_types : tuple of str
        Lower-case values of ``model_type`` in ``config.json``, where no architecture of another family is named.
    exclude_mask : bool
        Whether the mask has probability 0, that is, its logit is excluded from the softmax.
    shifted : bool
        Whether the logits for position ``i`` are at output ``i - 1``.
    causal : bool
        Whether a network of transformers is built as a causal language model, which ``arguments`` gives full attention.
    noise : callable, optional
        Maps masks (batch, length) to the second argument of the network, (batch,), if it takes one.
    arguments : callable, optional
        Maps inputs (batch, length) and the dtype of the network to further arguments of the call, by name.
    specials : {"none", "bos", "tokenizer"}
        Special tokens around every sequence: none, the tokenizer's BOS before it, or all that the tokenizer adds.
    mask : {"named", "last"}
        The mask id: given by the configuration or the tokenizer, or always the last id.
    mask_words : tuple of str
        Tokens that are the mask in a tokenizer which declares no mask token.
    published_masks : mapping of str to (int, int)
        By architecture: the mask id and the vocabulary size of the published checkpoints, some of which name no mask.
    block_sizes : tuple of int
        Block sizes of the published checkpoints of a family trained by block diffusion; empty for all others.
    refused : str
        Why networks of this family are refused, and what to do instead; empty if they are supported.
    """

    name: str
    about: str
    source: str = ""
    architectures: tuple[str, ...] = ()
    model_types: tuple[str, ...] = ()
    exclude_mask: bool = False
    shifted: bool = False
    causal: bool = False
    noise: Callable[[Tensor], Tensor] | None = None
    arguments: Callable[[Tensor, torch.dtype], Mapping[str, Any]] | None = None
    specials: Literal["none", "bos", "tokenizer"] = "none"
    mask: Literal["named", "last"] = "named"
    mask_words: tuple[str, ...] = ()
    published_masks: Mapping[str, tuple[int, int]] = field(default_factory=lambda: MappingProxyType({}))
    block_sizes: tuple[int, ...] = ()
    refused: str = ""

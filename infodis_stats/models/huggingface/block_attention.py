"""The attention of block diffusion: a masked block sees itself and, with nothing masked, all earlier blocks.

Training code gets it from one pass over ``[masked copy ; clean copy]``, twice the length. Here a clean pass computes
the keys and values of each distinct sequence once, and every masked row is a pass of its own length that reads them.
Networks differ in their caches, and some ignore the attention mask that they are given, so both are put in at the one
function through which they all compute attention, `torch.nn.functional.scaled_dot_product_attention`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from estimators import ModelError
from infodis_stats.models.losses import HALF
from infodis_stats.models.probes import allowed_tokens

if TYPE_CHECKING:
    from infodis_stats.models.huggingface.masked_model import MaskedLanguageModel

__all__ = ["CleanAttention", "MaskedAttention", "refuse_other_attention"]

ROUNDING = {False: 1e-4, True: 0.05}  # nats, in float32 and in half precision


class _Attention(TorchFunctionMode):
    """Replaces the attention mask of a network while it is called within this context."""

    def __init__(self, allowed: Tensor) -> None:
        super().__init__()
        self.allowed = allowed
        self.layers: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is functional.scaled_dot_product_attention:
            return self.attend(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def attend(  # noqa: PLR0917 (the signature of torch)
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Return the attention under the mask of the blocks, whatever mask the network passes."""
        length = self.allowed.shape[-2]
        if query.shape[-2] != length or key.shape[-2] != length:
            raise ModelError(
                f"the network attends from {query.shape[-2]} to {key.shape[-2]} positions in a sequence of {length}, "
                "so it cannot be shown its blocks"
            )
        self.layers.append((key, value))
        key, value = self.seen(key, value)
        if enable_gqa:  # expanded, because fast kernels take either groups or a mask
            key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], dim=-3) for part in (key, value))
        allowed = self.allowed.to(query.device)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed, scale=scale)

    def seen(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of a layer that queries see, given those of the same pass."""
        return key, value


class CleanAttention(_Attention):
    """Each position sees its own block and all earlier ones; the keys and values of all layers are kept.

    Parameters
    ----------
    numbers : Tensor of int64, shape (length,)
        The number of the block of each position.

    Examples
    --------
    >>> tokens = torch.eye(4)[None, None]
    >>> with CleanAttention(torch.tensor([0, 0, 1, 1])):
    ...     functional.scaled_dot_product_attention(0 * tokens, 0 * tokens, tokens)[0, 0, [0, 2]]
    tensor([[0.5000, 0.5000, 0.0000, 0.0000],
            [0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def __init__(self, numbers: Tensor) -> None:
        super().__init__(numbers <= numbers[:, None])
        self.numbers = numbers


class MaskedAttention(_Attention):
    """Each position sees its own block in its own row, and the earlier ones in a clean row.

    Parameters
    ----------
    clean : CleanAttention
        Of a pass over clean rows.
    kind : Tensor of int64, shape (batch,)
        The clean row that belongs to each row.
    present : Tensor of bool, shape (batch, length), optional
        False at padding.

    Raises
    ------
    ModelError
        If the clean pass computed no attention by `scaled_dot_product_attention`.

    Examples
    --------
    >>> clean, masked = torch.eye(4)[None, None], -torch.eye(4)[None, None]
    >>> with CleanAttention(torch.tensor([0, 0, 1, 1])) as attention:
    ...     _ = functional.scaled_dot_product_attention(0 * clean, 0 * clean, clean)
    >>> with MaskedAttention(attention, torch.tensor([0])):
    ...     functional.scaled_dot_product_attention(0 * clean, 0 * clean, masked)[0, 0, [0, 2]]
    tensor([[-0.5000, -0.5000,  0.0000,  0.0000],
            [ 0.2500,  0.2500, -0.2500, -0.2500]])
    """

    def __init__(self, clean: CleanAttention, kind: Tensor, present: Tensor | None = None) -> None:
        numbers = clean.numbers
        own = (numbers == numbers[:, None])[None, None]
        if present is not None:
            own = own & present[:, None, None]
        super().__init__(torch.cat([(numbers < numbers[:, None]).expand_as(own), own], dim=-1))
        if not clean.layers:
            raise ModelError(
                "the network does not compute its attention by scaled_dot_product_attention, so it cannot be shown its "
                "blocks: build it with attn_implementation='sdpa' (attn_backend='sdpa' of BD3-LM)"
            )
        self.clean, self.kind = clean, kind

    def seen(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of the clean row, and after them those of the same pass."""
        if len(self.layers) > len(self.clean.layers):
            raise ModelError("the network does not call the same layers twice, so it cannot be shown its blocks")
        kind = self.kind.to(key.device)
        keys, values = self.clean.layers[len(self.layers) - 1]
        return torch.cat([keys[kind], key], dim=-2), torch.cat([values[kind], value], dim=-2)


def refuse_other_attention(model: "MaskedLanguageModel") -> None:
    """Refuse a network whose losses do not depend on its blocks as they should, measured on two of them.

    Raises
    ------
    ModelError
        If losses depend on a later block or on the masks of an earlier one, or do not depend on their own block or on
        an earlier one.
    """
    assert model.blocks is not None
    length = min(model.longest, 2 * model.blocks.size)
    numbers = torch.from_numpy(model.blocks.numbers(np.arange(length)))
    first, last = numbers == numbers[0], numbers == numbers[-1]
    symbols = torch.tensor(allowed_tokens(model))
    chosen = torch.from_numpy(np.random.default_rng(0).integers(len(symbols), size=length))
    row, other = symbols[chosen], symbols[(chosen + 1) % len(symbols)]
    masked = torch.arange(length) % 2 == 1
    tokens = torch.stack([row, torch.where(last & ~masked, other, row), torch.where(first, other, row), row])
    masks = masked.repeat(4, 1)
    masks[3, first] = False
    losses = model.token_nll(tokens, masks).cpu()
    moved = (losses[1:] - losses[0]).abs()
    rounding = ROUNDING[next(model.network.parameters()).dtype in HALF]
    # The first token of a block is predicted without the others where outputs are shifted.
    inner = masked & last & ~(torch.cat([torch.tensor([True]), numbers[1:] != numbers[:-1]]) & model.shifted)
    apart = masked & last & ~first
    problems = [
        (moved[0][masked & first & ~last].gt(rounding).any(), "losses depend on tokens of later blocks"),
        (moved[2][apart].gt(rounding).any(), "losses depend on the masks of earlier blocks"),
        (apart.any() and not moved[1][apart].any(), "losses do not depend on earlier blocks"),
        (
            inner.any() and (last & ~masked).any() and not moved[0][inner].any(),
            "losses do not depend on their own block",
        ),
    ]
    for found, problem in problems:
        if found:
            raise ModelError(
                f"the network does not keep to blocks of {model.blocks.size} tokens: {problem}, so they are not "
                "likelihoods; use the published code of its family"
            )

"""Random decoders of block diffusion with the calls of their families; also copied as model code.

Each has ``explicit``: its logits from tokens, positions and a mask of who sees whom, without torch's attention.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH, HEADS, GROUPS = 12, 4, 2


class Layer(nn.Module):
    """Attention with fewer keys than queries, and a nonlinear layer."""

    def __init__(self) -> None:
        super().__init__()
        width = WIDTH // HEADS
        self.query, self.key, self.value = (nn.Linear(WIDTH, many * width) for many in (HEADS, GROUPS, GROUPS))
        self.mix = nn.Linear(WIDTH, WIDTH)

    def parts(self, hidden: Tensor) -> list[Tensor]:
        """Return queries, keys and values, (batch, heads, length, width)."""
        linears: tuple[nn.Module, ...] = (self.query, self.key, self.value)
        split = [linear(hidden).unflatten(-1, (-1, WIDTH // HEADS)) for linear in linears]
        return [part.transpose(1, 2) for part in split]

    def after(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """Return the next hidden states."""
        return torch.tanh(hidden + self.mix(attended.transpose(1, 2).flatten(-2)))

    def explicit(self, hidden: Tensor, allowed: Tensor) -> Tensor:
        """Return the next hidden states, with attention by sums."""
        query, key, value = self.parts(hidden)
        key, value = (part.repeat_interleave(HEADS // GROUPS, dim=1) for part in (key, value))
        scores = query @ key.transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
        return self.after(hidden, scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1) @ value)


class Decoder(nn.Module):
    """Logits from two layers, whose attention sees everything."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.embedding, self.place = nn.Embedding(config.vocab_size, WIDTH), nn.Embedding(64, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(2))
        self.head = nn.Linear(WIDTH, config.vocab_size, bias=False)

    def explicit(self, tokens: Tensor, positions: Tensor, allowed: Tensor) -> Tensor:
        """Return logits under a mask of bool (length, length)."""
        hidden = self.embedding(tokens) + self.place(positions)
        layer: Any  # a Layer
        for layer in self.layers:
            hidden = layer.explicit(hidden, allowed)
        logits: Tensor = self.head(hidden)
        return logits

    def attend(self, layer: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Return the attention of a layer."""
        query, key, value = layer.parts(hidden)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=True)

    def logits(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Return logits."""
        hidden = self.embedding(tokens) + self.place(torch.arange(tokens.shape[1]))
        layer: Any  # a Layer
        for layer in self.layers:
            hidden = layer.after(hidden, self.attend(layer, hidden, mask))
        result: Tensor = self.head(hidden)
        return result


class LLaDA2(Decoder):
    """Without a mask it sees everything, and takes heads without groups."""

    def attend(self, layer: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Return the attention of a layer."""
        query, key, value = layer.parts(hidden)
        key, value = (part.repeat_interleave(HEADS // GROUPS, dim=1) for part in (key, value))
        return functional.scaled_dot_product_attention(query, key, value, mask)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """Return an object with logits."""
        return SimpleNamespace(logits=self.logits(input_ids, attention_mask))


class SDAR(Decoder):
    """It needs a mask, and computes attention elsewhere if this hides nothing."""

    def attend(self, layer: Any, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Return the attention of a layer."""
        assert mask is not None
        if not mask.bool().all():
            return super().attend(layer, hidden, mask.bool())
        query, key, value = layer.parts(hidden)
        key, value = (part.repeat_interleave(HEADS // GROUPS, dim=1) for part in (key, value))
        mixed: Tensor = (query @ key.transpose(-1, -2)).softmax(dim=-1) @ value
        return mixed

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """Return an object with logits."""
        return SimpleNamespace(logits=self.logits(input_ids, attention_mask))


class FastDLLM(Decoder):
    """It ignores the mask that it is given: its own has blocks of 32, whatever the configuration says."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """Return an object with logits."""
        block = torch.arange(input_ids.shape[1]) // 32
        return SimpleNamespace(logits=self.logits(input_ids, block <= block[:, None]))


class BD3LM(Decoder):
    """It needs a time, and takes two copies of its longest input unless it samples, which it does with sdpa only."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.config = config

    def forward(self, input_ids: Tensor, timesteps: Tensor, sample_mode: bool = False) -> Tensor:
        """Return logits."""
        assert timesteps.shape == (len(input_ids),)
        block = torch.arange(input_ids.shape[1]) // self.config.block_size
        if not self.config.cross_attn:
            return self.logits(input_ids, None)
        assert sample_mode, "two copies of the longest input are needed"
        assert self.config.attn_backend == "sdpa", "sampling needs sdpa"
        return self.logits(input_ids, block <= block[:, None])

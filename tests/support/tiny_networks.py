"""Random networks of a few hundred weights, each with the interface of its family; also copied as model code.

The configuration names ``vocab_size``; its last token is the mask.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

WIDTH = 12
HEADS = 2


class Body(nn.Module):
    """Hidden states that depend on every token and on its position.

    Positions are embedded, and turned by ``frequencies`` if there are any: a buffer that is not saved.
    """

    frequencies: Tensor | None

    def __init__(self, vocabulary: int, frequencies: Tensor | None = None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        self.place = nn.Embedding(64, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return hidden states, shape (batch, length, width)."""
        positions = torch.arange(tokens.shape[1])
        hidden = self.embedding(tokens) + self.place(positions)
        if self.frequencies is not None:
            turns = positions[:, None] * self.frequencies
            turned = torch.ones(len(positions), WIDTH)
            turned[:, : 2 * turns.shape[1]] = torch.cat([turns.cos(), turns.sin()], dim=1)
            hidden = hidden * turned
        weights = (hidden @ hidden.transpose(1, 2) / WIDTH**0.5).softmax(dim=-1)
        mixed: Tensor = self.mix(hidden)
        return torch.tanh(mixed + weights @ hidden)


class LLaDA(nn.Module):
    """Plain logits."""

    def __init__(self, config: Any, frequencies: Tensor | None = None) -> None:
        super().__init__()
        self.body = Body(config.vocab_size, frequencies)
        self.ff_out = nn.Linear(WIDTH, config.vocab_size, bias=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """Return an object with logits."""
        return SimpleNamespace(logits=self.ff_out(self.body(input_ids)))


class Dream(LLaDA):
    """Plain logits, shifted: those at one position predict the next token."""


class SMDM(nn.Module):
    """Plain logits without one for the mask, which only the embedding knows."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.body = Body(config.vocab_size)
        self.lm_head = nn.Linear(WIDTH, config.vocab_size - 1, bias=False)

    def forward(self, idx: Tensor) -> Tensor:
        """Return logits, shape (batch, length, vocabulary - 1)."""
        logits: Tensor = self.lm_head(self.body(idx))
        return logits


class MDLM(nn.Module):
    """A plain tensor from tokens and a time."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.body = Body(config.vocab_size)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.time = nn.Linear(1, WIDTH)
        self.linear = nn.Linear(WIDTH, config.vocab_size)

    def forward(self, input_ids: Tensor, timesteps: Tensor) -> Tensor:
        """Return logits."""
        hidden = self.body(input_ids)
        packed = self.qkv(hidden).unflatten(-1, (3, HEADS, WIDTH // HEADS))
        hidden = hidden + self.attend(packed).flatten(-2)
        logits: Tensor = self.linear(hidden + self.time(timesteps[:, None])[:, None])
        return logits

    def attend(self, packed: Tensor) -> Tensor:
        """Return rotary attention (batch, length, heads, width) of queries, keys and values (batch, length, 3, ...)."""
        query, key, value = packed.unbind(dim=2)
        cosines, sines = angles(packed.shape[1], packed.shape[-1])
        query, key = rotated(query, cosines, sines), rotated(key, cosines, sines)
        scores = torch.einsum("bihd,bjhd->bhij", query, key) / query.shape[-1] ** 0.5
        return torch.einsum("bhij,bjhd->bihd", scores.softmax(dim=-1), value)


def angles(length: int, width: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of rotary embeddings, shape (length, width / 2)."""
    turns = torch.arange(length)[:, None] * frequencies(width)
    return turns.cos(), turns.sin()


def frequencies(width: int, base: float = 10_000.0) -> Tensor:
    """Return the frequencies of rotary embeddings, shape (width / 2,): powers of the base."""
    return base ** (-torch.arange(0, width, 2) / width)


def rotated(states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate each pair of features (i, i + width / 2) of ``states`` (batch, length, heads, width) in its plane."""
    half = states.shape[-1] // 2
    result = torch.zeros_like(states)
    for feature in range(half):
        cosine, sine = cosines[:, feature, None], sines[:, feature, None]
        first, second = states[..., feature], states[..., feature + half]
        result[..., feature] = first * cosine - second * sine
        result[..., feature + half] = first * sine + second * cosine
    return result


class RADD(nn.Module):
    """Log-probabilities, except for the entry of the last token."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.body = Body(config.vocab_size)
        self.linear = nn.Linear(WIDTH, config.vocab_size)

    def forward(self, indices: Tensor) -> Tensor:
        """Return log-probabilities."""
        logits: Tensor = self.linear(self.body(indices))
        logits[:, :, :-1] = logits[:, :, :-1].log_softmax(dim=-1)
        return logits


class SEDD(nn.Module):
    """Log-scores at a noise level, 0 for staying."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.body = Body(config.vocab_size)
        self.noise = nn.Linear(1, WIDTH)
        self.linear = nn.Linear(WIDTH, config.vocab_size)

    def forward(self, indices: Tensor, sigma: Tensor) -> Tensor:
        """Return log-scores."""
        scores: Tensor = self.linear(self.body(indices) + self.noise(sigma[:, None])[:, None])
        scores = scores - torch.expm1(sigma).log()[:, None, None]
        return scores.scatter(-1, indices[..., None], 0.0)

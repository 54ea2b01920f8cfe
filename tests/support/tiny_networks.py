"""Random networks of a few hundred weights, each with the interface of its family; also copied as model code.

The configuration names ``vocab_size``; its last token is the mask.
"""

from types import SimpleNamespace

import torch
from torch import Tensor, nn

WIDTH = 12


class Body(nn.Module):
    """Hidden states that depend on every token and on its position."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        self.place = nn.Embedding(64, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return hidden states, shape (batch, length, width)."""
        hidden = self.embedding(tokens) + self.place(torch.arange(tokens.shape[1]))
        weights = (hidden @ hidden.transpose(1, 2) / WIDTH**0.5).softmax(dim=-1)
        mixed: Tensor = self.mix(hidden)
        return torch.tanh(mixed + weights @ hidden)


class LLaDA(nn.Module):
    """Plain logits."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.body = Body(config.vocab_size)
        self.ff_out = nn.Linear(WIDTH, config.vocab_size, bias=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """Return an object with logits."""
        return SimpleNamespace(logits=self.ff_out(self.body(input_ids)))


class Dream(LLaDA):
    """Plain logits, shifted: those at one position predict the next token."""


class MDLM(nn.Module):
    """A plain tensor from tokens and a time."""

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.body = Body(config.vocab_size)
        self.time = nn.Linear(1, WIDTH)
        self.linear = nn.Linear(WIDTH, config.vocab_size)

    def forward(self, input_ids: Tensor, timesteps: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.linear(self.body(input_ids) + self.time(timesteps[:, None])[:, None])
        return logits


class RADD(nn.Module):
    """Log-probabilities, except for the entry of the last token."""

    def __init__(self, config: SimpleNamespace) -> None:
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

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.body = Body(config.vocab_size)
        self.noise = nn.Linear(1, WIDTH)
        self.linear = nn.Linear(WIDTH, config.vocab_size)

    def forward(self, indices: Tensor, sigma: Tensor) -> Tensor:
        """Return log-scores."""
        scores: Tensor = self.linear(self.body(indices) + self.noise(sigma[:, None])[:, None])
        scores = scores - torch.expm1(sigma).log()[:, None, None]
        return scores.scatter(-1, indices[..., None], 0.0)

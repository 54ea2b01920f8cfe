"""Models for the tests of checks, and what a check says of them."""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

import infodis_stats as ids
from infodis_stats.models.huggingface import Family, MaskedLanguageModel
from infodis_stats.models.huggingface.masked_model import UncheckedModel
from tests.support.direct import MASK

VOCABULARY = 11


def wrapped(net: nn.Module, family: str | Family = "llada", **options: Any) -> MaskedLanguageModel:
    """Wrap a network whose last token is the mask."""
    return MaskedLanguageModel(net, family, mask_id=MASK, length=64, **options)


def unchecked(net: nn.Module, family: str | Family = "llada", **options: Any) -> MaskedLanguageModel:
    """Wrap a network of which nothing is refused."""
    return UncheckedModel(net, family, mask_id=MASK, length=64, **options)


def verdict_of(check: ids.ModelCheck, name: str) -> str:
    """Return the verdict of a check by its name."""
    return next(verdict.verdict for verdict in check.diagnosis.verdicts if verdict.check == name)


def names(check: ids.ModelCheck) -> list[str]:
    """Return the names of the checks."""
    return [verdict.check for verdict in check.diagnosis.verdicts]


class Attending(nn.Module):
    """A network whose attention is limited by a mask that depends on the length."""

    def __init__(self, pattern: str, block: int = 1, vocabulary: int = VOCABULARY) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding, self.place = nn.Embedding(vocabulary, 16), nn.Embedding(80, 16)
        self.head = nn.Linear(16, vocabulary)
        self.pattern, self.block = pattern, block

    def forward(self, tokens: Tensor) -> SimpleNamespace:
        """Return an object with logits."""
        positions = torch.arange(tokens.shape[1])
        hidden = self.embedding(tokens) + self.place(positions)
        scores = hidden @ hidden.transpose(1, 2) / 4
        row, column = positions[:, None], positions
        allowed = {
            "full": torch.ones(len(positions), len(positions), dtype=torch.bool),
            "causal": column <= row,
            "block": column // self.block <= row // self.block,
            "window": (column - row).abs() <= 3,
        }[self.pattern]
        weights = scores.masked_fill(~allowed, -torch.inf).softmax(dim=-1)
        return SimpleNamespace(logits=self.head(torch.tanh(hidden + weights @ hidden)))


class Letters:
    """A tokenizer of nine letters."""

    mask_token_id, unk_token, unk_token_id, bos_token_id = MASK, None, None, 9

    def __len__(self) -> int:
        return VOCABULARY

    def encode(self, text: str, **_: Any) -> list[int]:
        """Convert letters to tokens."""
        return ["abcdefghi".index(letter) for letter in text]

    def decode(self, tokens: list[int], **_: Any) -> str:
        """Convert tokens to letters."""
        return "".join("abcdefghi"[token] for token in tokens)

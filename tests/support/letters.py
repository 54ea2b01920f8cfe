"""A model of texts as a user would write it."""

import numpy as np
import torch
from numpy.typing import NDArray


class Letters:
    """Scores capital letters: losses depend on the visible letters, and on a scale."""

    longest = 20

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Return an arbitrary loss of each masked letter."""
        visible = torch.where(masked, 0, tokens).sum(dim=1, keepdim=True)
        return masked * self.scale * (1.0 + 0.1 * ((tokens + visible) % 5))

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the place of each letter in the alphabet."""
        return np.array([ord(letter) - ord("A") for letter in text], dtype=np.int64)

    def decode(self, tokens: NDArray[np.int64]) -> str:
        """Return the letters."""
        return "".join(chr(token + ord("A")) for token in tokens)

    def describe(self) -> str:
        """Return a short description."""
        return "letters"

    def fingerprint(self) -> str:
        """Return what the numbers depend on."""
        return f"{self.scale:g}"

"""A block-diffusion model that does not declare its blocks: estimators mask the whole sequence."""

import hashlib
from dataclasses import dataclass
from typing import Any

from torch import Tensor

__all__ = ["WithoutBlocks"]

UNCHANGED = ("forward_passes_per_row", "needs_context", "takes_padding")
"""Attributes that a model may declare and that do not concern its blocks."""


@dataclass(frozen=True)
class WithoutBlocks:
    """A block-diffusion model whose blocks estimators do not know.

    Likelihoods are the same: a random order of the whole sequence is a random order of each block. Their estimates are
    unbiased, and vary more. It gives no distributions (``token_log_probs``): a decoder of the whole sequence would look
    at tokens that it has not revealed.

    Parameters
    ----------
    model : BlockModel

    Examples
    --------
    >>> import torch
    >>> from estimators import estimator
    >>> class Pairs:  # the second token of a pair repeats the first
    ...     block_size = 2
    ...     def token_nll(self, tokens, masked):
    ...         second = torch.arange(tokens.shape[1]) % 2 == 1
    ...         known = second & ~masked.roll(1, dims=1) | ~second & ~masked.roll(-1, dims=1)
    ...         return (masked & ~known) * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> exhaustive, tokens = estimator("exhaustive"), [[0, 0, 1, 1]]
    >>> exhaustive.sample(Pairs(), tokens, passes=3, replicates=1, rng=0).round(4)
    array([[1.3863]])
    >>> exhaustive.sample(WithoutBlocks(Pairs()), tokens, passes=15, replicates=1, rng=0).round(4)
    array([[1.3863]])
    """

    model: Any

    def __getattr__(self, name: str) -> Any:
        if name not in UNCHANGED:
            raise AttributeError(name)
        return getattr(self.model, name)

    def token_nll(self, tokens: Tensor, masked: Tensor, *context: Tensor, **lengths: Tensor) -> Tensor:
        """Price the masked tokens as the model does."""
        losses: Tensor = self.model.token_nll(tokens, masked, *context, **lengths)
        return losses

    def fingerprint(self) -> str:
        """Return a digest of the model's own fingerprint, or of its type if it has none, in hexadecimal."""
        own = self.model.fingerprint() if hasattr(self.model, "fingerprint") else type(self.model).__qualname__
        return hashlib.sha256(f"{own} without blocks".encode()).hexdigest()

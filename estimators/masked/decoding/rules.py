"""Rules that choose positions by their distributions: the larger the score, the sooner a position is revealed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import Tensor

__all__ = ["SCORES", "Score", "confidence", "margin", "negative_entropy"]

Score = Callable[[Tensor], Tensor]
"""Maps log-probabilities (count, vocabulary) to scores (count,)."""


def confidence(log_probs: Tensor) -> Tensor:
    """Return the largest log-probability of each distribution, in nats.

    Examples
    --------
    >>> import torch
    >>> confidence(torch.tensor([[0.5, 0.25, 0.25]]).log())
    tensor([-0.6931])
    """
    return log_probs.amax(dim=-1)


def negative_entropy(log_probs: Tensor) -> Tensor:
    """Return minus the entropy of each distribution, in nats.

    Examples
    --------
    >>> import torch
    >>> negative_entropy(torch.tensor([[0.5, 0.5, 0.0]]).log())
    tensor([-0.6931])
    """
    return (log_probs.exp() * log_probs).nan_to_num(0.0, posinf=0.0, neginf=0.0).sum(dim=-1)  # 0 log 0 = 0


def margin(log_probs: Tensor) -> Tensor:
    """Return the difference of the two largest probabilities of each distribution.

    Examples
    --------
    >>> import torch
    >>> margin(torch.tensor([[0.5, 0.25, 0.25]]).log())
    tensor([0.2500])
    """
    largest = log_probs.topk(min(2, log_probs.shape[-1]), dim=-1).values.exp()
    return largest[:, 0] - largest[:, 1:].sum(dim=-1)


SCORES: Mapping[str, Score] = MappingProxyType(
    {"confidence": confidence, "entropy": negative_entropy, "margin": margin}
)
"""The rules by their names."""

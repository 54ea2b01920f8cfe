"""Decoders step by step, one sequence and one position at a time, as a reader of the definition would write them."""

import math
from collections.abc import Callable, Sequence

import torch

from tests.support.toys import ArbitraryDistributions

__all__ = ["SCORES", "slow_replay", "true_token_probability"]

TIE = 1e-4

Score = Callable[[torch.Tensor, int], float]
"""Maps log-probabilities (symbols,) and the true token to a score; decoders do not know the token."""


def _entropy(log_probs: torch.Tensor, _: int) -> float:
    total = 0.0
    for value in map(float, log_probs):
        total += math.exp(value) * value if value > -math.inf else 0.0
    return total


def _margin(log_probs: torch.Tensor, _: int) -> float:
    probabilities = sorted(math.exp(float(value)) for value in log_probs)
    return probabilities[-1] - probabilities[-2]


SCORES: dict[str, Score] = {
    "confidence": lambda log_probs, _: max(log_probs.tolist()),
    "entropy": _entropy,
    "margin": _margin,
    "left-to-right": lambda log_probs, _: 0.0,
}


def true_token_probability(log_probs: torch.Tensor, token: int) -> float:
    """Return what no decoder can know: the probability of the token that it is about to draw."""
    return float(log_probs[token])


def slow_replay(
    model: ArbitraryDistributions,
    tokens: Sequence[int],
    scored: Sequence[int],
    score: Score,
    *,
    tokens_per_step: int = 1,
    blocks: Sequence[Sequence[int]] | None = None,
) -> float:
    """Return minus the log-probability that a decoder writes the scored tokens, by its definition."""
    masked = [place in scored for place in range(len(tokens))]
    nll = 0.0
    for block in blocks or [scored]:
        left = [place for place in block if masked[place]]
        while left:
            given = {place: model.distribution(tokens, masked, place) for place in left}
            scores = {place: score(given[place], tokens[place]) for place in left}
            deciding = sorted(scores.values(), reverse=True)[min(tokens_per_step, len(left)) - 1]
            above = [place for place in left if scores[place] > deciding + TIE]
            equal = [place for place in left if abs(scores[place] - deciding) <= TIE]
            for place in (above + equal)[:tokens_per_step]:
                nll -= float(given[place][tokens[place]])
                masked[place] = False
                left.remove(place)
    return nll

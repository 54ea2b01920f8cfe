"""References for the laws: definitions in plain loops, and enumerations of every sequence."""

import itertools
import math

import numpy as np
import torch
from numpy.typing import NDArray

from infodis_stats.laws import HiddenMarkov, MarkovChain

Array = NDArray[np.float64]


def strings(size: int, length: int) -> NDArray[np.int64]:
    """Return every token sequence: (size ** length, length)."""
    return np.array(list(itertools.product(range(size), repeat=length)), dtype=np.int64)


def next_symbol(chain: MarkovChain, context: tuple[int, ...]) -> Array:
    """Return the law of a symbol given all previous symbols, or the last ``order`` of them."""
    known = len(context)
    if known == chain.order:
        exact: Array = chain.transition[context]
        return exact
    later = tuple(range(known + 1, chain.order))
    joint: Array = chain.initial.sum(axis=later)[context]
    return joint / joint.sum() if joint.sum() else joint


def chain_probabilities(chain: MarkovChain, sequences: NDArray[np.int64]) -> Array:
    """Return the probability of each sequence, symbol by symbol."""
    result = np.ones(len(sequences))
    for row, sequence in enumerate(sequences.tolist()):
        for position, symbol in enumerate(sequence):
            context = tuple(sequence[max(position - chain.order, 0) : position])
            result[row] *= next_symbol(chain, context)[symbol]
    return result


def hidden_markov_probabilities(law: HiddenMarkov, sequences: NDArray[np.int64]) -> Array:
    """Return the probability of each sequence, summed over every path of hidden states."""
    result = np.zeros(len(sequences))
    for path in itertools.product(range(law.states), repeat=sequences.shape[1]):
        moves = [law.transition[before, after] for before, after in itertools.pairwise(path)]
        result += law.initial[path[0]] * math.prod(moves) * law.emission[path, sequences].prod(axis=1)
    return result


def enumerated(law: MarkovChain | HiddenMarkov, length: int) -> tuple[NDArray[np.int64], Array]:
    """Return every sequence of a length and its probability."""
    sequences = strings(law.vocabulary_size, length)
    if isinstance(law, MarkovChain):
        return sequences, chain_probabilities(law, sequences)
    return sequences, hidden_markov_probabilities(law, sequences)


def enumerated_posterior(sequences: NDArray[np.int64], probabilities: Array, evidence: Array) -> tuple[Array, Array]:
    """Return log evidence (batch,) and marginals (batch, length, size), summed over all sequences."""
    batch, length, size = evidence.shape
    joint = np.array([probabilities * row[np.arange(length), sequences].prod(axis=1) for row in evidence])
    total = joint.sum(axis=1)
    marginals = np.zeros(evidence.shape)
    for position, symbol in itertools.product(range(length), range(size)):
        marginals[:, position, symbol] = joint[:, sequences[:, position] == symbol].sum(axis=1)
    with np.errstate(divide="ignore"):
        return np.log(total), marginals / np.where(total > 0, total, 1).reshape(batch, 1, 1)


def enumerated_log_probability(
    sequences: NDArray[np.int64],
    probabilities: Array,
    tokens: NDArray[np.int64],
    given: NDArray[np.bool_],
) -> Array:
    """Return the log-probability (batch,) of the given tokens of each row."""
    agree = ((sequences[None] == tokens[:, None]) | ~given[:, None]).all(axis=2)
    with np.errstate(divide="ignore"):
        logs: Array = np.log(agree @ probabilities)
        return logs


def plain_log_probability(chain: MarkovChain, known: list[int | None]) -> float:
    """Return the log-probability of the known tokens by one pass over the possible contexts, in plain Python."""
    weights: dict[tuple[int, ...], float] = {(): 1.0}
    for token in known:
        after: dict[tuple[int, ...], float] = {}
        for context, weight in weights.items():
            probabilities = next_symbol(chain, context)
            for symbol in range(chain.vocabulary_size) if token is None else (token,):
                longer = (*context, symbol)
                kept = longer[max(len(longer) - chain.order, 0) :]
                after[kept] = after.get(kept, 0.0) + weight * float(probabilities[symbol])
        weights = after
    total = sum(weights.values())
    return math.log(total) if total else -math.inf


def plain_token_nll(chain: MarkovChain, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
    """Compute `Law.token_nll` naively: a loop over masks and a loop over their positions."""
    losses = torch.zeros(tokens.shape, dtype=torch.float64)
    for row, (sequence, hidden) in enumerate(zip(tokens.tolist(), masked.tolist(), strict=True)):
        known = [None if hide else token for token, hide in zip(sequence, hidden, strict=True)]
        base = plain_log_probability(chain, known)
        for position, hide in enumerate(hidden):
            if hide:
                one_more = [*known[:position], sequence[position], *known[position + 1 :]]
                losses[row, position] = base - plain_log_probability(chain, one_more)
    return losses


def random_evidence(shape: tuple[int, int, int], seed: int) -> Array:
    """Return evidence of every kind: about a third of the positions each are soft, one-hot and missing."""
    rng = np.random.default_rng(seed)
    batch, length, size = shape
    soft = rng.gamma(0.5, size=shape)
    hard = np.eye(size)[rng.integers(size, size=(batch, length))]
    kind = rng.integers(3, size=(batch, length, 1))
    return np.select([kind == 0, kind == 1], [soft, hard], 1.0)

"""Reference code for noise: plain loops, enumerated laws of noised sequences, and integrals by quadrature."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import expm

from estimators import (
    Absorbing,
    Job,
    Noise,
    RateMatrix,
    ScoreEntropy,
    ScoreModel,
    Target,
    Uniform,
    evaluate,
    score_entropy,
)
from infodis_stats.laws.law import Law

Array = NDArray[np.float64]


def random_rates(states: int, seed: int = 0, *, share: float = 1.0) -> Array:
    """Return a rate matrix without symmetries; about the given share of its rates is not zero."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(1.0, size=(states, states)) * (rng.random((states, states)) < share)
    rates[np.arange(1, states), np.arange(states - 1)] += 0.5  # a ring keeps all states connected
    rates[0, -1] += 0.5
    np.fill_diagonal(rates, 0.0)
    return rates - np.diag(rates.sum(axis=0))


NOISES = {
    "absorbing": Absorbing(),
    "uniform": Uniform(),
    "dense": RateMatrix(random_rates(4, 1)),
    "sparse, more states": RateMatrix(random_rates(5, 2, share=0.4)),
}
"""For up to four symbols."""


def exact_kernel(noise: Noise, total_noise: float, symbols: int) -> Array:
    """Return the probability of each state given each symbol: a matrix exponential."""
    return np.asarray(expm(noise.rates(symbols).numpy() * total_noise)[:, :symbols], dtype=np.float64)


def noised_probability(
    sequences: NDArray[np.int64],
    probabilities: Array,
    noised: NDArray[np.int64],
    acts: NDArray[np.bool_],
    kernel: Array,
) -> float:
    """Return ``p_t`` of one row: the sum over all clean sequences."""
    factors = np.where(acts, kernel[noised, sequences], noised == sequences)
    return float(probabilities @ factors.prod(axis=1))


def enumerated_log_ratios(
    sequences: NDArray[np.int64],
    probabilities: Array,
    noised: NDArray[np.int64],
    acts: NDArray[np.bool_],
    *,
    kernel: Array,
    rates: Array,
) -> Array:
    """Return the log score ratios of one row by definition, one neighbour under the noise at a time."""
    own = noised_probability(sequences, probabilities, noised, acts, kernel)
    result = np.full((len(noised), len(kernel)), np.nan)
    for position, state in itertools.product(range(len(noised)), range(len(kernel))):
        if state == noised[position]:
            result[position, state] = 0.0
        elif acts[position] and rates[noised[position], state] > 0:
            neighbour = noised.copy()
            neighbour[position] = state
            found = noised_probability(sequences, probabilities, neighbour, acts, kernel)
            result[position, state] = math.log(found / own) if found else -math.inf
    return result


def plain_score_entropy(ratios: Sequence[float] | Array, token: int, noised: int, kernel: Array, rates: Array) -> float:
    """Return ``l_DSE`` of one position, summed over states."""
    total = 0.0
    for state, ratio in enumerate(ratios):
        if state != noised and rates[noised, state] > 0:
            true = kernel[state, token] / kernel[noised, token]
            logs = true * (math.log(true) - 1.0 - math.log(ratio)) if true else 0.0
            total += rates[noised, state] * (ratio + logs)
    return total


TOTAL_NOISE = np.exp(np.arange(-40.0, 6.0, 0.1))
"""Nodes of the trapezoidal rule in the log total noise: it converges exponentially for noise that is complete."""


def mean_score_entropy(
    model: ScoreModel, noise: Noise, tokens: NDArray[np.int64], scored: NDArray[np.int64], total_noise: Array
) -> Array:
    """Return the mean score entropy of a sequence at each total noise, summed over all noised sequences: (times,)."""
    symbols = model.vocabulary_size
    states = np.array(list(itertools.product(range(noise.states(symbols)), repeat=len(scored))))
    rows = np.tile(tokens, (len(states), 1))
    rows[:, scored] = states
    acts = np.zeros(len(tokens), dtype=bool)
    acts[scored] = True
    clean, noised, where = (
        torch.from_numpy(np.tile(one, (len(total_noise), 1)))
        for one in (np.tile(tokens, (len(states), 1)), rows, np.tile(acts, (len(states), 1)))
    )
    amounts = torch.from_numpy(np.repeat(total_noise, len(states)))
    logs = noise.log_kernel(clean, amounts, symbols).gather(2, noised[..., None])[..., 0]
    chance = torch.where(where, logs, 0.0).sum(dim=1).exp()
    ratios = model.log_ratios(noised, where, amounts, noise)
    losses = score_entropy(ratios, clean, noised, amounts, noise=noise, symbols=symbols)
    terms = torch.where(chance > 0, chance * torch.where(where, losses, 0.0).sum(dim=1), 0.0)
    return np.asarray(terms.reshape(len(total_noise), -1).sum(dim=1).numpy(), dtype=np.float64)


def score_integral(model: ScoreModel, noise: Noise, tokens: ArrayLike, scored: ArrayLike) -> float:
    """Integrate the mean score entropy over all noise, by quadrature."""
    clean, places = np.asarray(tokens, dtype=np.int64), np.asarray(scored, dtype=np.int64)
    means = mean_score_entropy(model, noise, clean, places, TOTAL_NOISE)
    return float(means @ TOTAL_NOISE * 0.1)


def remainder(law: Law, noise: Noise, target: Target, total_noise: float) -> float:
    """Return ``KL(p_{T|0}(. | x) || p_T)`` by enumeration: the part missing from an integral up to this noise."""
    kernel, states = exact_kernel(noise, total_noise, law.vocabulary_size), range(noise.states(law.vocabulary_size))
    sequences = np.array(list(itertools.product(range(law.vocabulary_size), repeat=len(target.tokens))))
    acts = np.isin(np.arange(len(target.tokens)), target.scored)
    logs = np.array([-law.nll([one])[0] for one in sequences])
    agree = (sequences[:, ~acts] == target.tokens[~acts]).all(axis=1)
    given = np.where(agree, np.exp(logs), 0.0)
    total = 0.0
    for reached in itertools.product(states, repeat=target.length):
        noised = target.tokens.copy()
        noised[acts] = reached
        chance = kernel[noised[acts], target.tokens[acts]].prod()
        if chance:
            total += chance * math.log(
                chance / noised_probability(sequences, given / given.sum(), noised, acts, kernel)
            )
    return total


def uniforms() -> tuple[Array, Array]:
    """Return double exponential nodes and weights on (0, 1), accurate for singularities at the ends."""
    at = np.arange(-3.5, 3.55, 0.05)
    node, left = (1.0 / (1.0 + np.exp(sign * np.pi * np.sinh(at))) for sign in (-1, 1))
    return node, np.pi * np.cosh(at) * node * left * 0.05


def key_cells(noise: Noise, token: int, amount: float, symbols: int) -> Array:
    """Return the lengths of the intervals of the key on which the drawn state is constant."""
    if isinstance(noise, RateMatrix):
        chances = noise.kernel(torch.tensor([amount], dtype=torch.float64), symbols)[0, :, token].numpy()
        others = np.where(np.arange(len(chances)) == token, 0.0, chances)
        return np.array([*others, chances[token]])
    redrawn, kept = -math.expm1(-amount), math.exp(-amount)
    parts = [redrawn] if isinstance(noise, Absorbing) else [redrawn / symbols] * symbols
    return np.array([*parts, kept])


def expected_estimate(estimator: ScoreEntropy, model: ScoreModel, target: Target, power: int = 1) -> float:
    """Return the mean of one pass, or of a power of it: over the level by quadrature, over the keys by enumeration."""
    edges = [0.0, 1.0] if estimator.time_law is None else [0.0, *np.cumsum(estimator.time_law.probability)]
    node, weight = uniforms()
    levels = np.concatenate([low + (high - low) * node for low, high in itertools.pairwise(edges)])
    widths = np.concatenate([(high - low) * weight for low, high in itertools.pairwise(edges)])
    return weighted_mean(estimator, model, target, np.clip(levels, 0.0, 1.0), widths, power=power)


def weighted_mean(
    estimator: ScoreEntropy, model: ScoreModel, target: Target, levels: Array, widths: Array, *, power: int
) -> float:
    """Return the weighted sum over levels of the mean power of one pass, all cells of its keys enumerated."""
    blank = np.full((len(levels), 1, target.length), 0.5)
    amounts = estimator.plan_of(np.concatenate([levels[:, None, None], blank], axis=2)).total_noise[:, 0]
    points, chances = [], []
    for level, width, amount in zip(levels.tolist(), widths.tolist(), amounts.tolist(), strict=True):
        cells = [
            key_cells(estimator.noise, token, amount, model.vocabulary_size)
            for token in target.tokens[target.scored].tolist()
        ]
        middles = [np.cumsum(one) - one / 2 for one in cells]
        points += [[level, *keys] for keys in itertools.product(*middles)]
        chances += [width * math.prod(one) for one in itertools.product(*cells)]
    kept = np.array(chances) > 0
    plan = estimator.plan_of(np.array(points)[kept][:, None])
    (found,) = evaluate(model, [Job(target, plan)], batch_size=4096)
    return float(estimator.reduce(plan, found.losses) ** power @ np.array(chances)[kept])

"""Small laws under noise, with every noised sequence enumerated (Section 3 of the paper).

Transition probabilities come from the matrix exponential of the rates, not from the kernel of the noise, and ``p_t``
from the probabilities of clean sequences, not from posteriors: nothing here shares code with the scores under test.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import expm
from scipy.special import entr, rel_entr

from estimators import (
    Absorbing,
    Noise,
    RateMatrix,
    Schedule,
    ScoreModel,
    Uniform,
    marginal_score_entropy,
    score_entropy,
)
from infodis_stats.laws import HiddenMarkov, MarkovChain, TableLaw
from infodis_stats.laws.law import Law

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NoisedLaw:
    """A law of sequences of one length under a noise; arrays have axes for times, noised and clean sequences."""

    law: Law
    length: int
    noise: Noise

    @property
    def symbols(self) -> int:
        """Size of the alphabet."""
        return self.law.vocabulary_size

    @property
    def states(self) -> int:
        """States of a noised position."""
        return self.noise.states(self.symbols)

    @cached_property
    def clean(self) -> NDArray[np.int64]:
        """Every possible clean sequence: (clean, length)."""
        every = sequences(self.symbols, self.length)
        return every[np.isfinite(self.law.nll(every))]

    @cached_property
    def noised(self) -> NDArray[np.int64]:
        """Every sequence of states: (noised, length)."""
        return sequences(self.states, self.length)

    @cached_property
    def nll(self) -> Array:
        """``-log p(x0)``: (clean,)."""
        return self.law.nll(self.clean)

    def transition(self, total_noise: ArrayLike) -> Array:
        """``p_{t|0}(x | x0)``: (time, noised, clean)."""
        exponent = np.asarray(total_noise, dtype=np.float64)[:, None, None] * self.noise.rates(self.symbols).numpy()
        kernel = expm(exponent)
        factors = [kernel[:, self.noised[:, i]][:, :, self.clean[:, i]] for i in range(self.length)]
        return np.asarray(np.prod(factors, axis=0), dtype=np.float64)

    def kl(self, total_noise: ArrayLike) -> Array:
        """``KL(p_{t|0}(. | x0) || p_t)``: (time, clean)."""
        transition = self.transition(total_noise)
        marginal = transition @ np.exp(-self.nll)
        return np.asarray(rel_entr(transition, marginal[..., None]).sum(axis=1), dtype=np.float64)

    def mutual_information(self, total_noise: ArrayLike) -> Array:
        """``I(x0; x_t)``, the entropy of ``x_t`` less that of ``x_t`` given ``x0``: (time,)."""
        transition, probability = self.transition(total_noise), np.exp(-self.nll)
        information = entr(transition @ probability).sum(axis=1) - entr(transition).sum(axis=1) @ probability
        return np.asarray(information, dtype=np.float64)

    def score_entropies(self, model: ScoreModel, total_noise: ArrayLike, *, marginal: bool = False) -> Array:
        """``l_DSE(x0, x, t, s)`` for each unit of total noise: (time, noised, clean); NaN where x0 cannot become x."""
        noise = torch.as_tensor(total_noise, dtype=torch.float64)
        states = torch.from_numpy(self.noised).repeat(len(noise), 1)
        everywhere = torch.ones_like(states, dtype=torch.bool)
        ratios = model.log_ratios(states, everywhere, noise.repeat_interleave(len(self.noised)), self.noise)
        losses = [self._losses(ratios, states, noise, torch.from_numpy(tokens), marginal) for tokens in self.clean]
        return torch.stack(losses, dim=-1).reshape(len(noise), len(self.noised), len(self.clean)).numpy()

    def expected_score_entropy(self, model: ScoreModel, total_noise: ArrayLike, *, marginal: bool = False) -> Array:
        """``E_{x ~ p_{t|0}(. | x0)}`` of the score entropy for each unit of total noise: (time, clean)."""
        transition = self.transition(total_noise)
        losses = self.score_entropies(model, total_noise, marginal=marginal)
        expected: Array = (transition * np.where(transition > 0, losses, 0.0)).sum(axis=1)
        return expected

    def integrated_score_entropy(self, model: ScoreModel, schedule: Schedule, end: float = 1.0) -> Array:
        """``int_0^end E[l_DSE] dt`` under a schedule: (clean,)."""
        times, weights = tanh_sinh(end)
        losses = self.expected_score_entropy(model, schedule.total_noise(times))
        integral: Array = (weights * schedule.rate(times)) @ losses
        return integral

    def _losses(
        self, ratios: torch.Tensor, states: torch.Tensor, noise: torch.Tensor, clean: torch.Tensor, marginal: bool
    ) -> torch.Tensor:
        tokens, total_noise = clean.expand(states.shape), noise.repeat_interleave(len(self.noised))
        noise_of, symbols = self.noise, self.symbols
        if marginal:
            return marginal_score_entropy(ratios, tokens, total_noise, noise=noise_of, symbols=symbols).sum(dim=1)
        return score_entropy(ratios, tokens, states, total_noise, noise=noise_of, symbols=symbols).sum(dim=1)


class Tilted:
    """The ratios of a law, each multiplied by a random factor, so that no law has them."""

    def __init__(self, noised: NoisedLaw, seed: int = 0) -> None:
        shape = (len(noised.noised), noised.length, noised.states)
        self.law, self.vocabulary_size = noised.law, noised.symbols
        self.tilt = torch.from_numpy(np.random.default_rng(seed).normal(scale=0.5, size=shape))

    def log_ratios(
        self, noised: torch.Tensor, acts: torch.Tensor, total_noise: torch.Tensor, noise: Noise
    ) -> torch.Tensor:
        """Return the log-ratios of the law plus the logarithms of the factors."""
        return self.law.log_ratios(noised, acts, total_noise, noise) + self.tilt[_rank(noised, self.tilt.shape[2])]


class MaskedModel:
    """A masked model and a score model with random logits for each masked sequence: no law has its conditionals.

    Its ratios are ``(1 - lam)/lam`` times its conditionals, which are optionally not normalised.
    """

    def __init__(self, length: int, symbols: int, *, normalised: bool = True) -> None:
        shape = ((symbols + 1) ** length, length, symbols)
        logits = torch.from_numpy(np.random.default_rng(2).normal(size=shape))
        self.vocabulary_size = symbols
        self.conditionals = logits.log_softmax(dim=2) if normalised else logits

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Return the losses of the masked tokens, zero elsewhere."""
        seen = torch.where(masked, self.vocabulary_size, tokens)
        losses = -self.conditionals[_rank(seen, self.vocabulary_size + 1)].gather(2, tokens[..., None])[..., 0]
        return torch.where(masked, losses, 0.0)

    def log_ratios(
        self, noised: torch.Tensor, acts: torch.Tensor, total_noise: torch.Tensor, noise: Noise
    ) -> torch.Tensor:
        """Return the log-ratios under absorbing noise."""
        factor = -torch.log(torch.expm1(total_noise))[:, None, None]  # (1 - lam)/lam
        of_symbols = factor + self.conditionals[_rank(noised, self.vocabulary_size + 1)]
        return torch.cat([of_symbols, torch.zeros_like(of_symbols[..., :1])], dim=2)


def sequences(size: int, length: int) -> NDArray[np.int64]:
    """Return every sequence over this many states; the last position changes fastest."""
    return np.array(list(itertools.product(range(size), repeat=length)), dtype=np.int64)


def derivative(function: Callable[[Array], Array], time: float, step: float = 0.01) -> Array:
    """Return extrapolated central differences of three steps: the error is of sixth order in the step."""
    steps = step / 2.0 ** np.arange(3)
    values = function(np.concatenate([time + steps, time - steps]))
    coarse, middle, fine = ((values[k] - values[k + 3]) / (2 * steps[k]) for k in range(3))
    extrapolated: Array = (64 * fine - 20 * middle + coarse) / 45
    return extrapolated


def tanh_sinh(end: float, step: float = 1 / 16) -> tuple[Array, Array]:
    """Return tanh-sinh nodes and weights on (0, end), accurate for integrable singularities at the ends."""
    place = np.arange(-3.0, 3.0 + step / 2, step)
    nodes = end / (1.0 + np.exp(-np.pi * np.sinh(place)))
    weights = end * step * np.pi / 4 * np.cosh(place) / np.cosh(np.pi / 2 * np.sinh(place)) ** 2
    return nodes, weights


def random_rates(states: int) -> RateMatrix:
    """Return positive rates between all states, without symmetry."""
    rates = np.random.default_rng(0).gamma(2.0, 0.25, size=(states, states))
    np.fill_diagonal(rates, 0.0)
    return RateMatrix(rates - np.diag(rates.sum(axis=0)))


def _rank(states: torch.Tensor, size: int) -> torch.Tensor:
    return (states * size ** torch.arange(states.shape[1]).flip(0)).sum(dim=1)


WORDS = ["AAB", "ABB", "BAA", "BBB"]
TABLE, OTHER_TABLE = TableLaw(WORDS, [0.4, 0.3, 0.2, 0.1]), TableLaw(WORDS, [0.1, 0.2, 0.3, 0.4])
MARKOV, OTHER_MARKOV = (MarkovChain.random(order=1, alphabet="ABC", seed=seed) for seed in (0, 1))
HIDDEN, OTHER_HIDDEN = (HiddenMarkov.random(states=2, alphabet="AB", seed=seed) for seed in (0, 1))

CASES = {  # noised laws, each with a different law as a control
    "table-absorbing": (NoisedLaw(TABLE, 3, Absorbing()), OTHER_TABLE),
    "table-uniform": (NoisedLaw(TABLE, 3, Uniform()), OTHER_TABLE),
    "table-rate-matrix": (NoisedLaw(TABLE, 3, random_rates(3)), OTHER_TABLE),
    "markov-absorbing": (NoisedLaw(MARKOV, 2, Absorbing()), OTHER_MARKOV),
    "markov-uniform": (NoisedLaw(MARKOV, 2, Uniform()), OTHER_MARKOV),
    "markov-rate-matrix": (NoisedLaw(MARKOV, 2, random_rates(6)), OTHER_MARKOV),
    "hidden-markov-absorbing": (NoisedLaw(HIDDEN, 3, Absorbing()), OTHER_HIDDEN),
    "hidden-markov-uniform": (NoisedLaw(HIDDEN, 3, Uniform()), OTHER_HIDDEN),
    "hidden-markov-rate-matrix": (NoisedLaw(HIDDEN, 2, random_rates(6)), OTHER_HIDDEN),
}

"""Markov chains of any order, with exact posteriors by the forward-backward algorithm."""

import math
from typing import ClassVar, Final, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from estimators.errors import InputError
from infodis_stats.oracles.alphabet import check_alphabet
from infodis_stats.oracles.law import Law, Seed, fold
from infodis_stats.oracles.probabilities import checked_probabilities, numbers

__all__ = ["MarkovChain"]

SMALLEST = torch.finfo(torch.float64).tiny  # a divisor whose inverse does not overflow
MOST_STATES = 4096  # of a random chain: its stationary law costs the cube of them


class MarkovChain(Law):
    """A Markov chain of order ``k >= 0``: each symbol depends on the ``k`` before it.

    It is a law for sequences of every length; those shorter than the order follow the marginals of ``initial``.

    Parameters
    ----------
    initial : array of float, shape (vocabulary_size,) * order
        ``initial[s1, ..., sk] = P(x_1 = s1, ..., x_k = sk)``; the number 1 at order 0.
    transition : array of float, shape (vocabulary_size,) * (order + 1)
        ``transition[s1, ..., sk, b] = P(x_i = b | the k symbols before it)``, oldest symbol first.
    alphabet : str
        Distinct symbols.

    Attributes
    ----------
    order : int
    initial, transition : array of float64
        As given, read-only.

    Raises
    ------
    InputError
        If shapes do not fit, or probabilities are negative or do not sum to one within 1e-9; it says where.

    Notes
    -----
    Scaled forward-backward over the ``vocabulary_size ** order`` contexts: exact but for rounding, about 1e-15 per
    position. What is less probable than 1e-300 relative to the alternatives at its position underflows to impossible.

    References
    ----------
    L. R. Rabiner, "A tutorial on hidden Markov models", Proc. IEEE 77 (1989), sections III.A and V.A.

    Examples
    --------
    >>> chain = MarkovChain([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], alphabet="AB")
    >>> chain
    <Markov chain of order 1 over AB>
    >>> chain.nll([[0, 0, 1]]).round(4)
    array([3.1011])
    """

    name: ClassVar[str] = "markov-chain"

    def __init__(self, initial: ArrayLike, transition: ArrayLike, alphabet: str) -> None:
        super().__init__(alphabet)
        first, then = numbers(initial, "initial"), numbers(transition, "transition")
        size, order = self.vocabulary_size, max(then.ndim - 1, 0)
        if then.shape != (size,) * (order + 1):
            raise InputError(
                f"transition needs one axis of length {size} per symbol of context and one for the next symbol, "
                f"over {alphabet}; got shape {then.shape}"
            )
        if first.shape != (size,) * order:
            raise InputError(f"initial needs shape {(size,) * order} for order {order}, got {first.shape}")
        self.order: Final = order
        self.initial: Final = checked_probabilities(first, "initial")
        self.transition: Final = checked_probabilities(then, "transition", conditions=order)
        self.initial.setflags(write=False)
        self.transition.setflags(write=False)
        self._steps: Final = _conditionals(self.initial, self.transition)

    @classmethod
    def random(cls, order: int = 4, alphabet: str = "ACGT", seed: Seed = 0, concentration: float = 1.0) -> Self:
        """Draw a chain: independent Dirichlet rows, started from its stationary law.

        Parameters
        ----------
        order : int
        alphabet : str
            Distinct symbols.
        seed : int, SeedSequence or Generator
        concentration : float
            Of the Dirichlet law: 1 is uniform over all rows, small is nearly deterministic, large nearly uniform.

        Raises
        ------
        InputError
            If an argument is out of range, or there would be more than 4096 contexts.

        Examples
        --------
        >>> MarkovChain.random(order=2, alphabet="ACGT", seed=0).transition.shape
        (4, 4, 4)
        """
        check_alphabet(alphabet)
        size = len(alphabet)
        if order < 0:
            raise InputError(f"order needs to be at least 0, got {order}")
        if not 0 < concentration < math.inf:
            raise InputError(f"concentration needs to be positive and finite, got {concentration}")
        if size**order > MOST_STATES:
            raise InputError(
                f"a random chain may have {MOST_STATES} contexts, but order {order} over {alphabet} has {size**order}"
            )
        transition = _dirichlet(np.random.default_rng(seed), concentration, (size**order, size))
        initial = _stationary(transition)
        return cls(initial.reshape((size,) * order), transition.reshape((size,) * (order + 1)), alphabet)

    def describe(self) -> str:
        """Say in a few words what law this is."""
        return f"Markov chain of order {self.order} over {self.alphabet}"

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return self.initial, self.transition

    def _posterior(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        # A state is the last `memory` symbols, oldest first, and a step's table is (dropped, kept, next symbol, 1):
        # the state (dropped, kept) becomes (kept, next symbol). Messages are (state, row).
        length, size, batch = evidence.shape
        memory = len(self._steps) - 1
        tables = [step.to(evidence.device) for step in self._steps]
        steps = [tables[min(position, memory)] for position in range(length)]
        # The posterior of one state prices a block of `memory` symbols, so only the messages at block ends are kept,
        # in one piece of memory: it is reused by the next call, where many small pieces would be fetched anew.
        block_ends = range(length - 1, -1, -memory)
        kept = dict(zip(block_ends, evidence.new_empty(len(block_ends), size**memory, batch), strict=True))

        past = evidence.new_ones(1, batch)
        divisors = evidence.new_empty(length + 1, batch)
        for position, step in enumerate(steps):
            past = _contract(past.view(*step.shape[:2], 1, batch), step, dim=0)
            past *= evidence[position]
            past = past.view(-1, batch)
            total = fold(past)
            divisors[position] = total.clamp(min=SMALLEST)
            past /= divisors[position]
            if position in kept:
                kept[position][: len(past)] = past
        divisors[length] = total / divisors[length - 1]  # 1, or 0 if the evidence is impossible

        marginals = torch.empty_like(evidence)
        future = torch.ones_like(past)
        for position in reversed(range(length)):
            if position in kept:
                joint = kept[position][: len(future)] * future
                for symbol in range(position, max(position - memory, -1), -1):
                    by_symbol = joint.view(-1, size, batch)
                    marginals[symbol] = fold(by_symbol)
                    joint = fold(by_symbol.transpose(0, 1))
                if position < memory:
                    break
            future = future.view(1, -1, size, batch) * (evidence[position] / fold(future).clamp(min=SMALLEST))
            future = _contract(steps[position], future, dim=2).view(-1, batch)

        total = fold(marginals.transpose(0, 1))[:, None]
        return fold(divisors.log()), marginals / torch.where(total > 0, total, 1.0)

    def _bytes_per_row(self, length: int) -> int:
        memory = len(self._steps) - 1
        states = self._steps[-1].numel() // self.vocabulary_size
        return 8 * ((length // memory + 6) * states + 4 * length * self.vocabulary_size)

    def _draw(self, rng: np.random.Generator, size: int, length: int) -> NDArray[np.int64]:
        tables = [step.reshape(-1, self.vocabulary_size).numpy().cumsum(axis=1) for step in self._steps]
        # The last entry is exactly one, so that a symbol of probability zero is never drawn.
        tables = [table / np.where(table[:, -1:] > 0, table[:, -1:], 1.0) for table in tables]
        uniform = rng.random((size, length))
        tokens = np.empty((size, length), dtype=np.int64)
        state = np.zeros(size, dtype=np.int64)
        for position in range(length):
            table = tables[min(position, len(tables) - 1)]
            tokens[:, position] = (table[state] <= uniform[:, position, None]).sum(axis=1)
            state = (state * self.vocabulary_size + tokens[:, position]) % len(tables[-1])
        return tokens


def _contract(left: Tensor, right: Tensor, dim: int) -> Tensor:
    """Return ``(left * right).sum(dim)`` with additions in order: a matrix product whose bits ignore the batch."""
    first, *others = zip(left.unbind(dim), right.unbind(dim), strict=True)
    total = torch.mul(*first)
    for pair in others:
        total += torch.mul(*pair)
    return total


def _conditionals(initial: NDArray[np.float64], transition: NDArray[np.float64]) -> list[Tensor]:
    """Return the law of each symbol given those before it, for the first symbols and, last, for all others.

    Shapes are (dropped symbol, kept symbols, next symbol, 1), see `MarkovChain._posterior`.
    """
    size = transition.shape[-1]
    if not initial.ndim:  # order 0 is an order 1 that does not look back
        initial, transition = transition, np.broadcast_to(transition, (size, size))
    steps = []
    joint = np.ones(())
    for known in range(initial.ndim):
        before, joint = joint, initial.sum(axis=tuple(range(known + 1, initial.ndim)))
        steps.append((joint / np.where(before > 0, before, 1.0)[..., None]).reshape(1, -1, size, 1))
    steps.append(transition.reshape(size, -1, size, 1))
    return [torch.from_numpy(np.array(step, order="C")) for step in steps]


def _dirichlet(rng: np.random.Generator, concentration: float, shape: tuple[int, int]) -> NDArray[np.float64]:
    # Gamma(a) is Gamma(a + 1) U^(1/a): in logarithms, because numpy's own rounds small probabilities to zero.
    log_gamma = np.log(rng.standard_gamma(concentration + 1, shape)) - rng.standard_exponential(shape) / concentration
    weights: NDArray[np.float64] = np.exp(log_gamma - log_gamma.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _stationary(transition: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a stationary law of the contexts (states, next symbol) -> (states,).

    State reduction without subtractions (Grassmann, Taksar and Heyman, Operations Research 33, 1985): each entry has
    full relative accuracy, even if the chain almost falls apart. If it does, the law of one closed part is returned.
    """
    states, size = transition.shape
    flow = np.zeros((states, states))
    state, symbol = np.indices(transition.shape)
    flow[state, (state * size + symbol) % states] += transition
    start = 0
    for last in range(states - 1, 0, -1):
        leaving = flow[last, :last].sum()
        if leaving < SMALLEST:
            start = last
            break
        flow[:last, :last] += flow[:last, last, None] * (flow[last, :last] / leaving)
        flow[:last, last] /= leaving
    law: NDArray[np.float64] = np.zeros(states)
    law[start] = 1
    for index in range(start + 1, states):
        law[index] = law[:index] @ flow[:index, index]
        law /= law.sum()
    return law

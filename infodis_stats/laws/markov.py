"""Markov chains of any order, with exact posteriors by the forward-backward algorithm."""

from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from estimators.errors import InputError
from infodis_stats.laws.alphabet import check_alphabet
from infodis_stats.laws.forward_backward import bytes_per_row, forward_backward
from infodis_stats.laws.law import Law, Seed
from infodis_stats.laws.probabilities import checked_probabilities, dirichlet, numbers
from infodis_stats.laws.stationary import MOST_STATES, stationary
from infodis_stats.laws.steps import chain_entropy, conditionals, walk

__all__ = ["MarkovChain"]

MOST_ORDER = 32  # an axis of an array each


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
        self._steps: Final = conditionals(self.initial, self.transition)

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
        if order > MOST_ORDER or size**order > MOST_STATES:
            raise InputError(
                f"a random chain may have {MOST_STATES} contexts, but order {order} over {alphabet} has {size}^{order}"
            )
        transition = dirichlet(np.random.default_rng(seed), concentration, (size**order, size))
        initial = stationary(transition)
        return cls(initial.reshape((size,) * order), transition.reshape((size,) * (order + 1)), alphabet)

    def describe(self) -> str:
        """Say in a few words what law this is."""
        return f"Markov chain of order {self.order} over {self.alphabet}"

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return self.initial, self.transition

    def _posterior(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        return forward_backward(self._steps, evidence)

    def _bytes_per_row(self, length: int) -> int:
        return bytes_per_row(self._steps, length)

    def _draw(self, rng: np.random.Generator, size: int, length: int) -> NDArray[np.int64]:
        return walk(self._steps, rng.random((size, length)))

    def _entropy(self, length: int) -> float:
        return chain_entropy(self._steps, length)

"""Markov chains of any order, with exact posteriors by the forward-backward algorithm."""

from __future__ import annotations

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

MOST_ORDER = 32  # one array axis per symbol of context


class MarkovChain(Law):
    """A Markov chain of order ``k >= 0``: each symbol depends on the ``k`` symbols before it.

    It defines a law for sequences of every length; sequences shorter than the order follow the marginals of
    ``initial``.

    Parameters
    ----------
    initial : array of float, shape (vocabulary_size,) * order
        ``initial[s1, ..., sk] = P(x_1 = s1, ..., x_k = sk)``; the scalar 1 at order 0.
    transition : array of float, shape (vocabulary_size,) * (order + 1)
        ``transition[s1, ..., sk, b] = P(x_i = b | x_{i-k} = s1, ..., x_{i-1} = sk)``.
    alphabet : str
        Distinct symbols.

    Attributes
    ----------
    order : int
    initial, transition : array of float64
        The parameters, read-only.

    Raises
    ------
    InputError
        If shapes do not match, or probabilities are negative or do not sum to 1 within 1e-9; the message gives the
        index.

    Notes
    -----
    The scaled forward-backward algorithm [1]_ over the ``vocabulary_size ** order`` contexts computes posteriors. They
    are exact up to rounding, about 1e-15 per position. Probabilities below 1e-300 relative to the alternatives at the
    same position underflow to 0.

    References
    ----------
    .. [1] L. R. Rabiner (1989), A tutorial on hidden Markov models and selected applications in speech recognition,
       Proceedings of the IEEE 77, sections III.A and V.A.

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
        initial, transition = numbers(initial, "initial"), numbers(transition, "transition")
        size, order = self.vocabulary_size, max(transition.ndim - 1, 0)
        if transition.shape != (size,) * (order + 1):
            raise InputError(
                f"transition must have one axis of length {size} per symbol of context and one for the next symbol, "
                f"over {alphabet}; got shape {transition.shape}"
            )
        if initial.shape != (size,) * order:
            raise InputError(f"initial must have shape {(size,) * order} for order {order}, got {initial.shape}")
        self.order: Final = order
        self.initial: Final = checked_probabilities(initial, "initial")
        self.transition: Final = checked_probabilities(transition, "transition", conditions=order)
        self.initial.setflags(write=False)
        self.transition.setflags(write=False)
        self._steps: Final = conditionals(self.initial, self.transition)

    @classmethod
    def random(cls, order: int = 4, alphabet: str = "ACGT", seed: Seed = 0, concentration: float = 1.0) -> Self:
        """Draw a stationary chain whose transition probabilities are independent Dirichlet rows.

        Parameters
        ----------
        order : int
            Number of preceding symbols on which a symbol depends.
        alphabet : str
            Distinct symbols.
        seed : int, SeedSequence or Generator
        concentration : float
            Concentration of the symmetric Dirichlet distribution: 1 is uniform, small values give nearly deterministic
            rows and large values nearly uniform rows.

        Raises
        ------
        InputError
            If an argument is out of range, or there are more than 4096 contexts.

        Examples
        --------
        >>> MarkovChain.random(order=2, alphabet="ACGT", seed=0).transition.shape
        (4, 4, 4)
        """
        check_alphabet(alphabet)
        size = len(alphabet)
        if order < 0:
            raise InputError(f"order must be at least 0, got {order}")
        if order > MOST_ORDER or size**order > MOST_STATES:
            raise InputError(
                f"a random chain must have at most {MOST_STATES} contexts, but order {order} over {alphabet} has "
                f"{size}^{order}"
            )
        transition = dirichlet(np.random.default_rng(seed), concentration, (size**order, size))
        initial = stationary(transition)
        return cls(initial.reshape((size,) * order), transition.reshape((size,) * (order + 1)), alphabet)

    def describe(self) -> str:
        """Return a short description."""
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

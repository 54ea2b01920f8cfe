"""Hidden Markov laws: symbols emitted by a latent Markov chain of states."""

from __future__ import annotations

from typing import ClassVar, Final, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from estimators.errors import InputError
from infodis_stats.laws.alphabet import check_alphabet
from infodis_stats.laws.forward_backward import SMALLEST, bytes_per_row, contract, forward_backward, normalised
from infodis_stats.laws.law import Law, Seed
from infodis_stats.laws.probabilities import checked_probabilities, cumulative, dirichlet, inverse, numbers
from infodis_stats.laws.stationary import MOST_STATES, stationary
from infodis_stats.laws.steps import conditionals, walk

__all__ = ["HiddenMarkov"]


class HiddenMarkov(Law):
    """A hidden Markov law: a latent Markov chain of states, each of which emits one symbol.

    It defines a law for sequences of every length. Unlike in a `MarkovChain`, a symbol depends on all other symbols,
    not only on the ``order`` symbols before it.

    Parameters
    ----------
    initial : array of float, shape (state,)
        ``initial[k] = P(z_1 = k)``.
    transition : array of float, shape (state, state)
        ``transition[j, k] = P(z_i = k | z_{i-1} = j)``.
    emission : array of float, shape (state, vocabulary_size)
        ``emission[k, a] = P(x_i = a | z_i = k)``.
    alphabet : str
        Distinct symbols.

    Attributes
    ----------
    states : int
        Number of states.
    initial, transition, emission : array of float64
        The parameters, read-only.

    Raises
    ------
    InputError
        If shapes do not match, or probabilities are negative or do not sum to 1 within 1e-9; the message gives the
        index.

    Notes
    -----
    Evidence ``e_i(a)`` about a symbol is evidence ``b_i(k) = sum_a emission[k, a] e_i(a)`` about its state. The scaled
    forward-backward algorithm [1]_ over the states gives ``P(z_i = k | e)``, and
    ``P(x_i = a | e) = sum_k P(z_i = k | e) emission[k, a] e_i(a) / b_i(k)``. The result is exact up to rounding, about
    1e-15 per position. Probabilities below 1e-300 relative to the alternatives at the same position underflow to 0.

    References
    ----------
    .. [1] L. R. Rabiner (1989), A tutorial on hidden Markov models and selected applications in speech recognition,
       Proceedings of the IEEE 77, sections III.A and V.A.

    Examples
    --------
    >>> law = HiddenMarkov([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [[0.8, 0.2], [0.2, 0.8]], alphabet="AB")
    >>> law
    <hidden Markov law of 2 states over AB>
    >>> law.nll([[0, 0, 1]]).round(4)
    array([2.3413])
    """

    name: ClassVar[str] = "hidden-markov"

    def __init__(self, initial: ArrayLike, transition: ArrayLike, emission: ArrayLike, alphabet: str) -> None:
        super().__init__(alphabet)
        initial, transition = numbers(initial, "initial"), numbers(transition, "transition")
        emission = numbers(emission, "emission")
        if initial.ndim != 1 or not len(initial):
            raise InputError(f"initial must have shape (states,) with at least 1 state, got shape {initial.shape}")
        states = len(initial)
        if transition.shape != (states, states):
            raise InputError(
                f"transition must have shape {(states, states)} for {states} states, got {transition.shape}"
            )
        if emission.shape != (states, self.vocabulary_size):
            raise InputError(
                f"emission must have shape {(states, self.vocabulary_size)} for {states} states over {alphabet}, "
                f"got {emission.shape}"
            )
        self.states: Final = states
        self.initial: Final = checked_probabilities(initial, "initial")
        self.transition: Final = checked_probabilities(transition, "transition", conditions=1)
        self.emission: Final = checked_probabilities(emission, "emission", conditions=1)
        for array in self._arrays():
            array.setflags(write=False)
        self._steps: Final = conditionals(self.initial, self.transition)
        self._emission: Final = torch.from_numpy(np.array(self.emission, order="C")[None, :, :, None])

    @classmethod
    def random(
        cls,
        states: int = 4,
        alphabet: str = "ACGT",
        seed: Seed = 0,
        *,
        concentration: float = 1.0,
        stay: float = 0.95,
    ) -> Self:
        """Draw a stationary law with persistent states, hence long-range dependence.

        Parameters
        ----------
        states : int
            Number of states, from 2 to 4096.
        alphabet : str
            Distinct symbols.
        seed : int, SeedSequence or Generator
        concentration : float
            Concentration of the symmetric Dirichlet distributions from which the rows of ``emission`` and the
            off-diagonal rows of ``transition`` are drawn: 1 is uniform, small values give nearly deterministic rows and
            large values nearly uniform rows.
        stay : float
            Probability that the state stays the same from one symbol to the next. A state lasts ``1 / (1 - stay)``
            symbols on average, 20 by default.

        Raises
        ------
        InputError
            If an argument is out of range.

        Examples
        --------
        >>> law = HiddenMarkov.random(states=3, alphabet="ACGT", seed=0)
        >>> law.emission.shape, law.transition.diagonal()
        ((3, 4), array([0.95, 0.95, 0.95]))
        """
        check_alphabet(alphabet)
        if not 2 <= states <= MOST_STATES:
            raise InputError(f"states must be from 2 to {MOST_STATES}, got {states}")
        if not 0 <= stay < 1:
            raise InputError(f"stay must be in [0, 1), got {stay}")
        rng = np.random.default_rng(seed)
        transition = np.diag(np.full(states, stay))
        others = ~np.eye(states, dtype=bool)
        transition[others] = (1 - stay) * dirichlet(rng, concentration, (states, states - 1)).ravel()
        emission = dirichlet(rng, concentration, (states, len(alphabet)))
        return cls(stationary(transition), transition, emission, alphabet)

    def describe(self) -> str:
        """Return a short description."""
        return f"hidden Markov law of {self.states} states over {self.alphabet}"

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return self.initial, self.transition, self.emission

    def _posterior(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        emission = self._emission.to(evidence.device)
        by_state = contract(evidence[:, :, None], emission.transpose(1, 2), dim=1)
        log_evidence, states = forward_backward(self._steps, by_state)
        states /= by_state.clamp(min=SMALLEST)
        return log_evidence, normalised(contract(states[:, :, None], emission, dim=1) * evidence)

    def _bytes_per_row(self, length: int) -> int:
        return bytes_per_row(self._steps, length) + 8 * 4 * length * self.vocabulary_size

    def _draw(self, rng: np.random.Generator, size: int, length: int) -> NDArray[np.int64]:
        uniform = rng.random((size, length, 2))
        states = walk(self._steps, uniform[..., 0])
        emission = cumulative(self.emission)
        tokens = np.empty_like(states)
        for position in range(length):
            tokens[:, position] = inverse(emission[states[:, position]], uniform[:, position, 1])
        return tokens

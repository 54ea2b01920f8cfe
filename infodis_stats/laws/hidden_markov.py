"""Hidden Markov laws: symbols emitted by a Markov chain of states that nobody sees."""

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
    """A hidden Markov law: a Markov chain of states, each of which emits one symbol.

    It is a law for sequences of every length. A symbol depends on all others, however far away, not only on the few
    before it as in a `MarkovChain`.

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
    initial, transition, emission : array of float64
        As given, read-only.

    Raises
    ------
    InputError
        If shapes do not fit, or probabilities are negative or do not sum to one within 1e-9; it says where.

    Notes
    -----
    Evidence about a symbol is evidence ``b_i(k) = sum_a emission[k, a] e_i(a)`` about its state. Scaled
    forward-backward over the states then gives ``P(z_i = k | e)``, and
    ``P(x_i = a | e) = sum_k P(z_i = k | e) emission[k, a] e_i(a) / b_i(k)``: exact but for rounding, about 1e-15 per
    position. What is less probable than 1e-300 relative to the alternatives at its position underflows to impossible.

    References
    ----------
    L. R. Rabiner, "A tutorial on hidden Markov models", Proc. IEEE 77 (1989), sections III.A and V.A.

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
        first, then = numbers(initial, "initial"), numbers(transition, "transition")
        seen = numbers(emission, "emission")
        if first.ndim != 1 or not len(first):
            raise InputError(f"initial needs one probability for each state, at least one, got shape {first.shape}")
        states = len(first)
        if then.shape != (states, states):
            raise InputError(f"transition needs shape {(states, states)} for {states} states, got {then.shape}")
        if seen.shape != (states, self.vocabulary_size):
            raise InputError(
                f"emission needs shape {(states, self.vocabulary_size)} for {states} states over {alphabet}, "
                f"got {seen.shape}"
            )
        self.states: Final = states
        self.initial: Final = checked_probabilities(first, "initial")
        self.transition: Final = checked_probabilities(then, "transition", conditions=1)
        self.emission: Final = checked_probabilities(seen, "emission", conditions=1)
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
        """Draw a law with a long memory: states that last, started from their stationary law.

        Parameters
        ----------
        states : int
        alphabet : str
            Distinct symbols.
        seed : int, SeedSequence or Generator
        concentration : float
            Of the Dirichlet laws of what a state emits and of which other state follows: 1 is uniform over all laws,
            small is nearly deterministic, large nearly uniform.
        stay : float
            Probability that a state stays for another symbol. It lasts ``1 / (1 - stay)`` symbols on average: 20.

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
            raise InputError(f"a random hidden Markov law has 2 to {MOST_STATES} states, got {states}")
        if not 0 <= stay < 1:
            raise InputError(f"stay needs to be at least 0 and less than 1, got {stay}")
        rng = np.random.default_rng(seed)
        transition = np.diag(np.full(states, stay))
        others = ~np.eye(states, dtype=bool)
        transition[others] = (1 - stay) * dirichlet(rng, concentration, (states, states - 1)).ravel()
        emission = dirichlet(rng, concentration, (states, len(alphabet)))
        return cls(stationary(transition), transition, emission, alphabet)

    def describe(self) -> str:
        """Say in a few words what law this is."""
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

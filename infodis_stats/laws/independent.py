"""Laws of independent tokens: every position has its own distribution."""

from __future__ import annotations

import math
from typing import ClassVar, Final, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr
from torch import Tensor

from estimators.errors import InputError
from infodis_stats.laws.alphabet import check_alphabet
from infodis_stats.laws.forward_backward import fold, normalised
from infodis_stats.laws.law import Law, Seed
from infodis_stats.laws.probabilities import checked_probabilities, cumulative, inverse, numbers

__all__ = ["IndependentLaw"]

MOST_ENTRIES = 2**20  # of the table
MOST_COST = 690.0  # nats of a first symbol: its probability is about 1e-300


class IndependentLaw(Law):
    """Independent tokens, each position with its own distribution.

    The loss of a token does not depend on the mask, so an estimate varies only with which tokens are masked. If a few
    positions cost far more than the others, that variation is skewed: an adversarial case for confidence intervals.

    Parameters
    ----------
    probabilities : array of float, shape (length, vocabulary_size)
        ``probabilities[i, a] = P(x_i = a)``.
    alphabet : str
        Distinct symbols.

    Attributes
    ----------
    probabilities : array of float64, shape (length, vocabulary_size)
        The parameter, read-only.

    Raises
    ------
    InputError
        If the shape does not match, or probabilities are negative or do not sum to 1 within 1e-9; the message gives the
        index.

    Examples
    --------
    >>> law = IndependentLaw([[0.9, 0.1], [0.5, 0.5]], alphabet="AB")
    >>> law
    <independent tokens of length 2 over AB>
    >>> law.nll(law.encode(["AA", "BA"])).round(4)
    array([0.7985, 2.9957])
    """

    name: ClassVar[str] = "independent"

    def __init__(self, probabilities: ArrayLike, alphabet: str) -> None:
        super().__init__(alphabet)
        values = numbers(probabilities, "probabilities")
        if values.ndim != 2 or not len(values) or values.shape[1] != self.vocabulary_size:
            raise InputError(
                f"probabilities must have shape (length, {self.vocabulary_size}) over {alphabet} with at least 1 "
                f"position, got shape {values.shape}"
            )
        _check_size(len(values), self.vocabulary_size)
        self.probabilities: Final = checked_probabilities(values, "probabilities", conditions=1)
        self.probabilities.setflags(write=False)
        self._prior: Final = torch.from_numpy(np.array(self.probabilities, order="C"))[:, :, None]

    @classmethod
    def random(cls, length: int, alphabet: str = "AB", spread: float = 2.0, seed: Seed = 0) -> Self:
        """Draw a law of skewed difficulty, to be tried on the sequence of first symbols only.

        The first symbol at position ``i`` costs ``exp(spread * z_i)`` nats, with independent standard normal ``z_i``;
        the other symbols share the remaining probability equally.

        Parameters
        ----------
        length : int
        alphabet : str
            Distinct symbols, at least 2.
        spread : float
            Standard deviation of the logarithm of the cost, at least 0. Costs above 690 nats, whose probabilities
            underflow, are replaced by 690.
        seed : int, SeedSequence or Generator

        Raises
        ------
        InputError
            If an argument is out of range.

        Examples
        --------
        >>> law = IndependentLaw.random(length=64, spread=2.0, seed=0)
        >>> law.nll(law.encode(["A" * 64])).round(2)
        array([316.29])
        """
        check_alphabet(alphabet)
        others = len(alphabet) - 1
        if length < 1:
            raise InputError(f"length must be at least 1, got {length}")
        if not others:
            raise InputError(f"alphabet must have at least 2 symbols, got {alphabet!r}")
        _check_size(length, len(alphabet))
        if not 0 <= spread < math.inf:
            raise InputError(f"spread must be at least 0 and finite, got {spread}")
        with np.errstate(over="ignore"):
            costs = np.exp(spread * np.random.default_rng(seed).standard_normal(length))
        costs = np.minimum(costs, MOST_COST)[:, None]
        rest = np.broadcast_to(-np.expm1(-costs) / others, (length, others))
        return cls(np.concatenate([np.exp(-costs), rest], axis=1), alphabet)

    @property
    def length(self) -> int:
        """Length of every sequence."""
        return len(self.probabilities)

    def describe(self) -> str:
        """Return a short description."""
        return f"independent tokens of length {self.length} over {self.alphabet}"

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return (self.probabilities,)

    def _posterior(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        joint = evidence * self._prior.to(evidence.device)
        log_evidence = fold(fold(joint.transpose(0, 1)).log())
        return log_evidence, normalised(joint).masked_fill(log_evidence.isneginf(), 0.0)

    def _bytes_per_row(self, length: int) -> int:
        return 8 * 4 * length * self.vocabulary_size

    def _draw(self, rng: np.random.Generator, size: int, length: int) -> NDArray[np.int64]:
        uniform = rng.random((size, length))
        tokens = np.empty((size, length), dtype=np.int64)
        for position, function in enumerate(cumulative(self.probabilities)):
            tokens[:, position] = inverse(function[None], uniform[:, position])
        return tokens

    def _entropy(self, length: int) -> float:
        return float(entr(self.probabilities).sum())


def _check_size(length: int, size: int) -> None:
    if length * size > MOST_ENTRIES:
        raise InputError(
            f"probabilities must have at most {MOST_ENTRIES} entries, but {length} positions x {size} symbols have more"
        )

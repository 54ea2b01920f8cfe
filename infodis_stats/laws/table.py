"""A law given by a table of sequences and their probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr
from torch import Tensor

from estimators.errors import InputError
from infodis_stats.laws.alphabet import check_alphabet, encode, token_rows
from infodis_stats.laws.forward_backward import fold
from infodis_stats.laws.law import Law, Seed
from infodis_stats.laws.probabilities import checked_probabilities, numbers

__all__ = ["TableLaw"]

MOST_TOKENS = 2**20  # in all sequences


class TableLaw(Law):
    """A law with finitely many possible sequences of equal length, each with its probability.

    Parameters
    ----------
    sequences : sequence of str, or array of integers, shape (count, length)
        Distinct sequences.
    probabilities : array of float, shape (count,)
        Their sum is 1 within 1e-9.
    alphabet : str, optional
        Distinct symbols. The default for strings is their distinct symbols, sorted; it is required for integers.

    Attributes
    ----------
    sequences : array of int64, shape (count, length)
    probabilities : array of float64, shape (count,)
        The parameters in the given order, read-only.

    Raises
    ------
    TokenError
        If a token is outside the alphabet; the message gives the sequence and the position.
    InputError
        If sequences repeat, or probabilities are negative or do not sum to 1; the message gives the index or the sum.

    Examples
    --------
    >>> law = TableLaw(["ACGT", "CCGT", "ACGG"], [0.5, 0.25, 0.25])
    >>> law
    <table of 3 sequences of length 4 over ACGT>
    >>> law.nll(law.encode(["CCGT"])).round(4)
    array([1.3863])
    """

    name: ClassVar[str] = "table"

    def __init__(
        self, sequences: Sequence[str] | ArrayLike, probabilities: ArrayLike, alphabet: str | None = None
    ) -> None:
        strings = _strings(sequences)
        if alphabet is None:
            if strings is None:
                raise InputError("sequences of integers need an alphabet; it is optional only for strings")
            alphabet = "".join(sorted(set("".join(strings))))
        check_alphabet(alphabet)
        rows = token_rows(sequences, alphabet) if strings is None else encode(strings, alphabet)
        super().__init__(alphabet)
        if rows.size == 0:
            raise InputError(f"sequences must have at least one row and one token, got shape {rows.shape}")
        _check_size(*rows.shape)
        values = numbers(probabilities, "probabilities")
        if values.shape != (len(rows),):
            raise InputError(
                f"probabilities must have shape ({len(rows)},) for {len(rows)} sequences, got {values.shape}"
            )
        self._check_distinct(rows)
        self.sequences: Final = rows
        self.probabilities: Final = checked_probabilities(values, "probabilities")
        self._log_prior = torch.from_numpy(self.probabilities).log()
        self._rows_with = [
            {token: torch.from_numpy(np.flatnonzero(column == token)) for token in np.unique(column).tolist()}
            for column in rows.T
        ]
        self.sequences.setflags(write=False)
        self.probabilities.setflags(write=False)

    @classmethod
    def random(cls, count: int = 128, length: int = 8, alphabet: str = "ACGT", seed: Seed = 0) -> Self:
        """Draw a law: distinct uniformly random sequences with Dirichlet(1) probabilities.

        The defaults are the DNA example of *Information-Theoretic Discrete Diffusion* (arXiv 2510.24088).

        Parameters
        ----------
        count, length : int
            Number of sequences, and number of tokens in each.
        alphabet : str
            Distinct symbols.
        seed : int, SeedSequence or Generator

        Raises
        ------
        InputError
            If there are fewer than ``count`` distinct strings of that length.

        Examples
        --------
        >>> TableLaw.random(count=5, length=3, seed=1)
        <table of 5 sequences of length 3 over ACGT>
        """
        check_alphabet(alphabet)
        if count < 1 or length < 1:
            raise InputError(f"count and length must be at least 1, got {count} and {length}")
        _check_size(count, length)
        if (strings := len(alphabet) ** min(length, MOST_TOKENS.bit_length())) < count:
            raise InputError(f"there are {strings} strings of length {length} over {alphabet}, fewer than {count}")
        rng = np.random.default_rng(seed)
        sequences = np.empty((0, length), dtype=np.int64)
        while len(sequences) < count:
            more = rng.integers(len(alphabet), size=(count, length))
            sequences = np.concatenate([sequences, more])
            sequences = sequences[list(_first_rows(sequences).values())]
        return cls(sequences[:count], rng.dirichlet(np.ones(count)), alphabet)

    @property
    def length(self) -> int:
        """Length of every sequence."""
        return int(self.sequences.shape[1])

    def describe(self) -> str:
        """Return a short description."""
        return f"table of {len(self.sequences)} sequences of length {self.length} over {self.alphabet}"

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return self.sequences, self.probabilities

    def _posterior(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        device = evidence.device
        log_evidence = evidence.log()
        sequences = torch.from_numpy(self.sequences.T.copy()).to(device)
        log_joint = self._log_prior.to(device)[:, None].expand(-1, evidence.shape[2])
        for position, tokens in enumerate(sequences):
            log_joint = log_joint + log_evidence[position][tokens]
        peak = log_joint.amax(dim=0)
        peak = torch.where(peak.isneginf(), 0.0, peak)
        weights = (log_joint - peak).exp()
        total = fold(weights)
        marginals = torch.zeros_like(evidence)
        for position, choices in enumerate(self._rows_with):
            for token, rows in choices.items():
                marginals[position, token] = fold(weights[rows.to(device)])
        return peak + total.log(), marginals / torch.where(total > 0, total, 1.0)

    def _bytes_per_row(self, length: int) -> int:
        return 8 * (4 * len(self.sequences) + 4 * length * self.vocabulary_size)

    def _draw(self, rng: np.random.Generator, size: int, length: int) -> NDArray[np.int64]:
        cumulative = np.cumsum(self.probabilities)
        return self.sequences[np.searchsorted(cumulative / cumulative[-1], rng.random(size), side="right")]

    def _entropy(self, length: int) -> float:
        return float(entr(self.probabilities).sum())

    def _check_distinct(self, rows: NDArray[np.int64]) -> None:
        first = _first_rows(rows)
        if len(first) < len(rows):
            row = next(index for index, tokens in enumerate(rows) if first[tokens.tobytes()] != index)
            string = "".join(self.alphabet[token] for token in rows[row])
            raise InputError(
                f"sequences must be distinct, but sequence {row} repeats sequence "
                f"{first[rows[row].tobytes()]}: {string}"
            )


def _first_rows(rows: NDArray[np.int64]) -> dict[bytes, int]:
    """Return the index of the first occurrence of each distinct row, in order."""
    first: dict[bytes, int] = {}
    for index, row in enumerate(rows):
        first.setdefault(row.tobytes(), index)
    return first


def _check_size(count: int, length: int) -> None:
    if count * length > MOST_TOKENS:
        raise InputError(
            f"a table must have at most {MOST_TOKENS} tokens, but {count} sequences of length {length} have more"
        )


def _strings(sequences: Sequence[str] | ArrayLike) -> list[str] | None:
    """Return the sequences if all entries are strings, otherwise None."""
    if isinstance(sequences, str) or not isinstance(sequences, Sequence | np.ndarray):
        return None
    strings = [entry for entry in sequences if isinstance(entry, str)]
    return strings if strings and len(strings) == len(sequences) else None

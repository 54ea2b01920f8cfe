"""Texts as sequences of a law: encoded with its alphabet, of unequal lengths, with their exact values."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.io.records import Record, TextPair
from infodis_stats.laws import Law

__all__ = ["Sequences", "law_pairs", "law_sequences"]


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences of a law.

    Attributes
    ----------
    law : Law
    labels : sequence of str
        Where each is from, in messages.
    rows : list of array of int64
    context : list of array of bool
        The positions that are given.
    """

    law: Law
    labels: Sequence[str]
    rows: list[NDArray[np.int64]]
    context: list[NDArray[np.bool_]]

    @classmethod
    def encoded(cls, law: Law, texts: Sequence[tuple[str, str, str, str]], context: int = 0) -> "Sequences":
        """Encode texts: the label, what is given before, what is scored, what is given after.

        Raises
        ------
        InputError
            If a symbol is outside the alphabet of the law; the message names the position.
        """
        rows, given = [], []
        for label, before, scored, after in texts:
            rows.append(_encoded(law, label, before + scored + after))
            mask = np.ones(len(rows[-1]), dtype=bool)
            mask[len(before) + context : len(before) + len(scored)] = False
            if mask.all():
                raise InputError(f"{label} has {len(scored)} symbols, of which {context} are given: none is scored")
            given.append(mask)
        return cls(law, [label for label, *_ in texts], rows, given)

    def nll(self) -> NDArray[np.float64]:
        """Return the exact negative log-likelihoods in nats, length by length.

        Raises
        ------
        InputError
            If the law has no sequences of such a length, or a context is impossible; the message names the sequence.
        """
        values = np.empty(len(self.rows))
        lengths = np.array([len(row) for row in self.rows])
        for length in np.unique(lengths):
            members = np.flatnonzero(lengths == length).tolist()
            rows = np.stack([self.rows[member] for member in members])
            context = np.stack([self.context[member] for member in members])
            try:
                values[members] = self.law.nll(rows, context=context)
            except InputError:
                for member in members:
                    self._check(member)
                raise
        return values

    def _check(self, member: int) -> None:
        """Raise the error of one sequence with its label."""
        try:
            self.law.nll(self.rows[member][None], context=self.context[member])
        except InputError as error:
            problem = str(error).removeprefix("sequence 0: ")
            raise InputError(f"{self.labels[member]}: {problem}") from error


def law_sequences(law: Law, file: Path, records: Sequence[Record]) -> Sequences:
    """Encode the records of a file with the alphabet of a law."""
    texts = [(_label(file, record), record.prompt, record.response, record.suffix) for record in records]
    return Sequences.encoded(law, texts)


def law_pairs(law: Law, file: Path, pairs: Sequence[TextPair]) -> tuple[Sequences, Sequences]:
    """Encode both sides of the pairs of a file with the alphabet of a law."""
    first = [(_label(file, pair), pair.prompt, pair.first, "") for pair in pairs]
    second = [(_label(file, pair), pair.prompt, pair.second, "") for pair in pairs]
    return Sequences.encoded(law, first), Sequences.encoded(law, second)


def _label(file: Path, record: Record | TextPair) -> str:
    return f"{file}, record {record.name!r}"


def _encoded(law: Law, label: str, text: str) -> NDArray[np.int64]:
    if not text:
        raise InputError(f"{label} is empty; there is nothing to score")
    for position, symbol in enumerate(text):
        if symbol not in law.alphabet:
            raise InputError(f"{label}, position {position}: symbol {symbol!r} is outside the alphabet {law.alphabet}")
    row: NDArray[np.int64] = law.encode([text])[0]
    return row

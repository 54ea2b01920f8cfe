"""Records as sequences of a law: encoded with its alphabet, with what is given before and after the response."""

import string
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.io.records import Record
from infodis_stats.laws.law import Law

__all__ = ["encode_records"]


def encode_records(
    law: Law, records: Sequence[Record], context: int = 0
) -> tuple[list[NDArray[np.int64]], int | list[NDArray[np.bool_]]]:
    """Convert records to the tokens of a law.

    Parameters
    ----------
    law : Law
    records : sequence of Record
        Blanks at the ends of their texts are dropped, unless the alphabet has them.
    context : int, default 0
        Number of leading symbols that are given; only for records without prompt and suffix.

    Returns
    -------
    tokens : list of array of int64
        The prompt, the response and the suffix of each record.
    context : int or list of array of bool
        The given number of symbols, or the positions of prompts and suffixes if a record has one.

    Raises
    ------
    InputError
        If a symbol is outside the alphabet, or there is nothing to score; the message names the record.

    Examples
    --------
    >>> from infodis_stats.laws import MarkovChain
    >>> law = MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> tokens, context = encode_records(law, [Record("a", "AC", "GT")])
    >>> tokens[0].tolist(), context[0].tolist()
    ([0, 1, 2, 3], [True, True, False, False])
    """
    blanks = "".join(set(string.whitespace) - set(law.alphabet))
    rows, given = [], []
    for record in records:
        if context and (record.prompt or record.suffix):
            raise InputError(f"{record.label} has a prompt or a suffix: context= is for sequences without them")
        parts = [text.strip(blanks) for text in (record.prompt, record.response, record.suffix)]
        encoded = [_encoded(law, record, *part) for part in zip(("prompt", "response", "suffix"), parts, strict=True)]
        before, scored, _ = map(len, encoded)
        row = np.concatenate(encoded)
        if not scored or context >= len(row):
            raise InputError(f"{record.label}: all {len(row)} tokens are context; there is nothing to score")
        positions = np.arange(len(row))
        rows.append(row)
        given.append((positions < before) | (positions >= before + scored))
    _check_lengths(law, records, rows)
    return rows, given if any(mask.any() for mask in given) else context


def _check_lengths(law: Law, records: Sequence[Record], rows: Sequence[NDArray[np.int64]]) -> None:
    # Some laws have sequences of one length only: one record of each length is enough to see.
    longest = {len(row): (record, row) for record, row in zip(records, rows, strict=True)}
    for record, row in longest.values():
        try:
            law.nll(row[None])
        except InputError as error:
            raise InputError(f"{record.label}: {error}") from error


def _encoded(law: Law, record: Record, part: str, text: str) -> NDArray[np.int64]:
    outside = next((position for position, symbol in enumerate(text) if symbol not in law.alphabet), None)
    if outside is not None:
        symbol = text[outside]
        place = "" if part == "response" else f"{part}, "
        problem = f"{record.label}: {place}position {outside}: symbol {symbol!r} is outside the alphabet {law.alphabet}"
        upper = symbol.upper() in law.alphabet and symbol != symbol.upper()
        option = "upper=True" if upper else "strip_stop=True" if symbol == "*" and outside == len(text) - 1 else ""
        raise InputError(f"{problem}; for FASTA, see {option}" if option else problem)
    row: NDArray[np.int64] = law.encode([text])[0] if text else np.empty(0, dtype=np.int64)
    return row

"""How the command line reads a file, names its records in messages, and encodes its sequences."""

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.commands.models import as_prompted
from infodis_stats.estimates.labelled_errors import labelled_errors
from infodis_stats.io.records import Record
from infodis_stats.laws import Law
from infodis_stats.laws.records import encode_records
from infodis_stats.models import TextModel, conditioned
from infodis_stats.models.vocabulary import encode_sequence

__all__ = ["check_context", "naming", "reading", "scored_tokens", "sequence_tokens"]

FASTA = ("upper", "strip_stop")


def reading(options: argparse.Namespace, *, fasta: bool = True) -> dict[str, Any]:
    """Return the options of `read_records`, or without FASTA those of `read_pairs` and `read_questions`."""
    names = ("file_format", "fields", *(FASTA if fasta else ()))
    return {name: getattr(options, name) for name in names}


def naming(records: Sequence[Record], others: Sequence[Record] = ()) -> AbstractContextManager[None]:
    """Let errors name the file and the line of a record, or of the two records of a pair."""
    labels = [record.label for record in records]
    for index, other in enumerate(others):
        labels[index] += "" if other.label == labels[index] else f" with {other.label}"
    return labelled_errors(labels, [record.name for record in records])


def sequence_tokens(model: Law | TextModel, record: Record) -> NDArray[np.int64]:
    """Encode a sequence whose symbols are to be substituted. Raises `InputError` if it has a prompt or a suffix."""
    if record.prompt or record.suffix:
        raise InputError(
            "a scan needs sequences without a prompt: put the prompt in front of the sequence and give its length with "
            "--context"
        )
    return encode_sequence(model, record.response.strip() if isinstance(model, Law) else record.response)


def check_context(options: argparse.Namespace) -> None:
    """Refuse a number of given tokens for a network, whose records have prompts. Raises `InputError`."""
    if options.context:
        raise InputError("--context is for laws; for a network, give the prompts in a JSON file")


def scored_tokens(
    model: Law | TextModel, texts: Sequence[Record], options: argparse.Namespace
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.bool_]] | int]:
    """Return the tokens of records and their given positions, or the number of given tokens."""
    with naming(texts):
        if isinstance(model, Law):
            return encode_records(model, texts, options.context)
        check_context(options)
        records = as_prompted(texts, model, options)
        rows = [conditioned(model, record.name, record.prompt, record.response, record.suffix) for record in records]
        return [row.tokens for row in rows], [row.given for row in rows]

"""How the command line reads a file, names its records in messages, and encodes its sequences."""

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.estimates.labelled_errors import labelled_errors
from infodis_stats.io.records import Record
from infodis_stats.laws import Law
from infodis_stats.models import TextModel
from infodis_stats.models.vocabulary import encode_sequence

__all__ = ["naming", "reading", "sequence_tokens"]

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

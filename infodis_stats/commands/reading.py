"""How the command line reads a file, and names its records in messages."""

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from infodis_stats.estimates.labelled_errors import labelled_errors
from infodis_stats.io.records import Record

__all__ = ["naming", "reading"]

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

"""Options of the command line that say how a file is read."""

import argparse
from typing import Any

__all__ = ["reading"]

FASTA = ("upper", "strip_stop")


def reading(options: argparse.Namespace, *, fasta: bool = True) -> dict[str, Any]:
    """Return the options of `read_records`, or without FASTA those of `read_pairs` and `read_questions`."""
    names = ("file_format", "fields", *(FASTA if fasta else ()))
    return {name: getattr(options, name) for name in names}

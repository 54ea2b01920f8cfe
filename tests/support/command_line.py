"""Run the command line in the process of the test."""

import pytest

from infodis_stats.cli import main

TINY = ["--length", 8, "--layers", 1, "--width", 8, "--heads", 2, "--steps", 12, "--batch", 4]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Run the command; return its exit status, its standard output and its standard error."""
    status = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err

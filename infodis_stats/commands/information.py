"""The commands that list estimators and intervals."""

import argparse
import json

import pandas as pd

from estimators import estimator, estimator_names
from infodis_stats.io.tables import terminal_table
from infodis_stats.results.error_bars import interval_kind, interval_names

__all__ = ["estimators", "intervals"]


def estimators(options: argparse.Namespace) -> None:
    """List the estimators."""
    rows: list[dict[str, object]] = [
        {
            "name": name,
            "unbiased": estimator(name).unbiased,
            "finite variance": estimator(name).finite_variance,
            "description": estimator(name).summary,
        }
        for name in estimator_names()
    ]
    _print(rows, options)


def intervals(options: argparse.Namespace) -> None:
    """List the kinds of confidence intervals."""
    _print([{"name": name, "description": interval_kind(name).summary} for name in interval_names()], options)


def _print(rows: list[dict[str, object]], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print(terminal_table(pd.DataFrame(rows)))

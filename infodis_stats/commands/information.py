"""The commands that say what there is and whether it works."""

import argparse
import json

import pandas as pd
import torch

from estimators import InfodisError, estimator, estimator_names
from infodis_stats.laws import MarkovChain
from infodis_stats.results.error_bars import interval_kind, interval_names
from infodis_stats.results.provenance import versions

__all__ = ["doctor", "estimators", "intervals"]


def estimators(options: argparse.Namespace) -> None:
    """List the estimators."""
    rows: list[dict[str, object]] = [
        {
            "name": name,
            "unbiased": estimator(name).unbiased,
            "finite variance": estimator(name).finite_variance,
            "what it draws": estimator(name).summary,
        }
        for name in estimator_names()
    ]
    _print(rows, options)


def intervals(options: argparse.Namespace) -> None:
    """List the kinds of intervals."""
    _print([{"name": name, "what it is": interval_kind(name).summary} for name in interval_names()], options)


def _print(rows: list[dict[str, object]], options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print(pd.DataFrame(rows).to_markdown(index=False, tablefmt="simple"))


def doctor(options: argparse.Namespace) -> None:
    """Say what is installed and check one number end to end."""
    law = MarkovChain.random(order=2, alphabet="ACGT", seed=0)
    tokens = law.sample(1, length=6, seed=0)
    estimate = estimator("exhaustive").sample(law, tokens, passes=63, replicates=1, rng=0)
    error = abs(float(estimate[0, 0] - law.nll(tokens)[0]))
    findings = versions() | {
        "torch threads": str(torch.get_num_threads()),
        "cuda": "yes" if torch.cuda.is_available() else "no",
        "check": f"all masks miss the exact likelihood by {error:.1e} nats: {'fine' if error < 1e-9 else 'WRONG'}",
    }
    if options.json:
        print(json.dumps(findings, indent=1))
    else:
        width = max(map(len, findings))
        for name, value in findings.items():
            print(f"{name:<{width}}  {value}")
    if error >= 1e-9:
        raise InfodisError(
            "this installation computes wrong numbers: exhaustive enumeration misses the exact likelihood"
        )

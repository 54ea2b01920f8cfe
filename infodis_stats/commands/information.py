"""The commands that list estimators and intervals, and check the installation."""

import argparse
import json

import pandas as pd
import torch

from estimators import InfodisError, estimator, estimator_names
from infodis_stats.io.tables import terminal_table
from infodis_stats.laws import MarkovChain
from infodis_stats.results.error_bars import interval_kind, interval_names
from infodis_stats.results.provenance import installed_version, versions

__all__ = ["doctor", "estimators", "intervals"]

OPTIONAL = ("transformers", "tokenizers", "safetensors", "einops", "accelerate", "sentencepiece", "distributed")
"""Packages that Hugging Face models and clusters need."""


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


def doctor(options: argparse.Namespace) -> None:
    """Print installed versions and check an estimate against its exact value."""
    law = MarkovChain.random(order=2, alphabet="ACGT", seed=0)
    tokens = law.sample(1, length=6, seed=0)
    estimate = estimator("exhaustive").sample(law, tokens, passes=63, replicates=1, rng=0)
    error = abs(float(estimate[0, 0] - law.nll(tokens)[0]))
    findings = versions() | {package: installed_version(package) for package in OPTIONAL}
    findings |= {
        "torch threads": str(torch.get_num_threads()),
        "cuda": "yes" if torch.cuda.is_available() else "no",
        "check": f"exhaustive enumeration differs from the exact NLL by {error:.1e} nats: "
        f"{'fine' if error < 1e-9 else 'WRONG'}",
    }
    if options.json:
        print(json.dumps(findings, indent=1))
    else:
        width = max(map(len, findings))
        for name, value in findings.items():
            print(f"{name:<{width}}  {value}")
    if error >= 1e-9:
        raise InfodisError(
            f"this installation computes wrong numbers: exhaustive enumeration differs from the exact NLL by "
            f"{error:.1e} nats"
        )

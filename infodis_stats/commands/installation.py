"""The command that checks the installation."""

import argparse
import json

import torch

from estimators import InfodisError, estimator
from infodis_stats.laws import MarkovChain
from infodis_stats.results.provenance import installed_version, versions

__all__ = ["doctor"]

OPTIONAL = ("transformers", "tokenizers", "safetensors", "einops", "accelerate", "sentencepiece", "distributed")
"""Packages that Hugging Face models and clusters need."""


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

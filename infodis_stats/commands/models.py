"""Loading of the model that a command line specifies."""

import argparse
from pathlib import Path

import torch

from infodis_stats.laws import Law
from infodis_stats.models import TextModel, accelerated, load_model
from infodis_stats.studies.design.laws import read_law

__all__ = ["read_model"]


def read_model(options: argparse.Namespace) -> Law | TextModel:
    """Read an exact law from a TOML file, or load a network."""
    if Path(options.model).suffix == ".toml":
        return read_law(options.model)
    model = load_model(
        options.model,
        device=options.device,
        family=options.family,
        tokenizer=options.tokenizer,
        trust_remote_code=options.trust_remote_code,
    )
    if options.autocast is None and not options.compile:
        return model
    precision = None if options.autocast is None else getattr(torch, options.autocast)
    return accelerated(model, autocast=precision, compile=options.compile)

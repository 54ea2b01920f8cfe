"""The command that trains a denoiser."""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.analysis.population import population_mean
from infodis_stats.commands.corpora import read_corpus
from infodis_stats.estimates import estimate_nll
from infodis_stats.io.files import writable_folder
from infodis_stats.models import Denoiser, UniformDenoiser
from infodis_stats.models.denoisers.training import TrainingPlan
from infodis_stats.models.denoisers.training import train as train_denoiser
from infodis_stats.progress import progress_bar

__all__ = ["train"]

FEWEST_FOR_INTERVAL = 6
MASKED_PASSES, UNIFORM_PASSES = 16, 64
STORED = torch.bfloat16


def train(options: argparse.Namespace) -> None:
    """Train a denoiser, evaluate it on held-out data, and write it."""
    if options.out.suffix != ".safetensors":
        raise InputError(f"--out must be a .safetensors file, got {options.out}")
    writable_folder(options.out.parent)
    corpus = read_corpus(options)
    torch.manual_seed(options.seed)
    config = replace(
        corpus.config,
        layers=options.layers,
        width=options.width,
        heads=options.heads,
        block_size=options.block_size,
        noise=options.noise or "",
        time=options.time,
    )
    plan = TrainingPlan(options.steps, options.batch, options.rate, min(100, options.steps), options.seed)
    model = (UniformDenoiser if config.noise else Denoiser)(config).to(options.device)
    with progress_bar("step", total=plan.steps) as bar:

        def show(done: int, loss: float) -> None:
            bar.update(done - bar.n)
            bar.set_postfix_str(f"loss {loss / math.log(2):.2f} bits per symbol", refresh=False)

        checkpoint = options.out.with_suffix(".partial")
        train_denoiser(model, corpus.windows, plan, checkpoint=checkpoint, corpus=corpus.digest, progress=show)
    model.to(STORED).float()  # evaluated as it is stored
    evaluation = _evaluation(model, corpus.held_out, options)
    files = " ".join(path.name for path in options.corpus)
    model.to(STORED).save(options.out, {"corpus": files, "plan": json.dumps(asdict(plan)), "held_out": evaluation})
    print(f"Held out: {evaluation}")
    print(f"The model is {options.out}")


def _evaluation(
    model: Denoiser | UniformDenoiser, sequences: Sequence[NDArray[np.int64]], options: argparse.Namespace
) -> str:
    """Return the bits per symbol of held-out sequences in words; of enough, with an interval for the population."""
    passes = UNIFORM_PASSES if model.config.noise else MASKED_PASSES
    nll = estimate_nll(model, sequences, passes=passes, replicates=2, seed=options.seed, device=options.device)
    bits = nll["nll"].values / math.log(2)
    sizes = np.array([len(tokens) for tokens in sequences], dtype=np.float64)
    interval = ""
    if len(sizes) >= FEWEST_FOR_INTERVAL:
        found = population_mean(bits, sizes, level=0.95).interval
        interval = f", 95 % confidence interval {found.lower:.3f} to {found.upper:.3f}"
    count = f"{len(sizes)} sequence{'s' * (len(sizes) > 1)} of {sizes.mean():.0f} symbols"
    return f"{bits.sum() / sizes.sum():.3f} bits per symbol{interval} ({count})"

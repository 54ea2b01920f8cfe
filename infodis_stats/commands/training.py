"""The command that trains a denoiser."""

import argparse
import json
import math
from dataclasses import asdict

import torch
from tqdm import tqdm

from estimators import InputError
from infodis_stats.analysis import student_t
from infodis_stats.estimates import estimate_nll
from infodis_stats.io.files import read_text, writable_folder
from infodis_stats.models import Denoiser, DenoiserConfig
from infodis_stats.models.training import TrainingPlan, Windows, law_windows, text_windows
from infodis_stats.models.training import train as train_denoiser
from infodis_stats.studies.design.laws import read_law

__all__ = ["train"]

HELD_OUT_WINDOWS = 200
STORED = torch.bfloat16


def train(options: argparse.Namespace) -> None:
    """Train a denoiser, evaluate it on held-out text, and write it."""
    if options.out.suffix != ".safetensors":
        raise InputError(f"--out must be a .safetensors file, got {options.out}")
    writable_folder(options.out.parent)
    source, alphabet, held_out = _corpus(options)
    torch.manual_seed(options.seed)
    config = DenoiserConfig(alphabet, options.length, options.layers, options.width, options.heads, options.block_size)
    plan = TrainingPlan(options.steps, options.batch, options.rate, min(100, options.steps), options.seed)
    model = Denoiser(config).to(options.device)
    with tqdm(total=plan.steps, unit="step", disable=None) as bar:

        def show(done: int, loss: float) -> None:
            bar.update(done - bar.n)
            bar.set_postfix_str(f"{loss / math.log(2):.2f} bits per symbol", refresh=False)

        train_denoiser(model, source, plan, checkpoint=options.out.with_suffix(".partial"), progress=show)
    model.to(STORED).float()  # evaluated as it is stored
    tokens = held_out(HELD_OUT_WINDOWS, torch.Generator().manual_seed(options.seed)).numpy()
    nll = estimate_nll(model, tokens, passes=16, replicates=2, seed=options.seed, device=options.device)
    bits = nll["nll"].values / options.length / math.log(2)
    interval = student_t(bits)
    evaluation = (
        f"{bits.mean():.3f} bits per symbol, 95 % confidence interval {interval.lower:.3f} to {interval.upper:.3f}"
    )
    corpus = " ".join(path.name for path in options.corpus)
    model.to(STORED).save(options.out, {"corpus": corpus, "plan": json.dumps(asdict(plan)), "held_out": evaluation})
    print(f"Held out: {evaluation} ({HELD_OUT_WINDOWS} windows of {options.length})")
    print(f"The model is {options.out}")


def _corpus(options: argparse.Namespace) -> tuple[Windows, str, Windows]:
    """Read the training data: training windows, alphabet, held-out windows."""
    if options.corpus[0].suffix == ".toml":
        law = read_law(options.corpus[0])
        return law_windows(law, options.length), law.alphabet, law_windows(law, options.length)
    text = "\n".join(read_text(path) for path in options.corpus)
    if options.held_out is not None:
        unseen = read_text(options.held_out)
    else:
        cut = len(text) - max(len(text) // 20, options.length)
        text, unseen = text[: max(cut, 0)], text[max(cut, 0) :]
    # Always with printable ASCII, so that the model can score any English text.
    alphabet = "".join(sorted({"\n", *map(chr, range(32, 127)), *text, *unseen}))
    code = {character: token for token, character in enumerate(alphabet)}
    seen, new = (torch.tensor([code[character] for character in part]) for part in (text, unseen))
    return text_windows(seen, options.length), alphabet, text_windows(new, options.length)

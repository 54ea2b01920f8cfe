"""The command that trains a denoiser."""

import argparse
import json
import math
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from estimators import InputError
from infodis_stats.analysis.population import population_mean
from infodis_stats.estimates import estimate_nll
from infodis_stats.io.files import read_text, writable_folder
from infodis_stats.models import Denoiser, DenoiserConfig, UniformDenoiser
from infodis_stats.models.denoisers.symbols import BytePairs
from infodis_stats.models.denoisers.training import TrainingPlan, Windows, law_windows, sequence_windows, text_windows
from infodis_stats.models.denoisers.training import train as train_denoiser
from infodis_stats.studies.design.laws import read_law

__all__ = ["train"]

HELD_OUT_SEQUENCES = 200
MASKED_PASSES, UNIFORM_PASSES = 16, 64
STORED = torch.bfloat16


@dataclass(frozen=True)
class _Corpus:
    """What a denoiser is trained on: its symbols and length, training batches, and batches of held-out data."""

    config: DenoiserConfig
    windows: Windows
    held_out: Windows


def train(options: argparse.Namespace) -> None:
    """Train a denoiser, evaluate it on held-out data, and write it."""
    if options.out.suffix != ".safetensors":
        raise InputError(f"--out must be a .safetensors file, got {options.out}")
    writable_folder(options.out.parent)
    corpus = _corpus(options)
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
    with tqdm(total=plan.steps, unit="step", disable=None) as bar:

        def show(done: int, loss: float) -> None:
            bar.update(done - bar.n)
            bar.set_postfix_str(f"loss {loss / math.log(2):.2f} bits per symbol", refresh=False)

        train_denoiser(model, corpus.windows, plan, checkpoint=options.out.with_suffix(".partial"), progress=show)
    model.to(STORED).float()  # evaluated as it is stored
    evaluation = _evaluation(model, corpus.held_out, options)
    files = " ".join(path.name for path in options.corpus)
    model.to(STORED).save(options.out, {"corpus": files, "plan": json.dumps(asdict(plan)), "held_out": evaluation})
    print(f"Held out: {evaluation}")
    print(f"The model is {options.out}")


def _evaluation(model: Denoiser | UniformDenoiser, held_out: Windows, options: argparse.Namespace) -> str:
    """Return the bits per symbol of held-out sequences in words, with an interval for the population."""
    batch = held_out(HELD_OUT_SEQUENCES, torch.Generator().manual_seed(options.seed))
    sequences = [row[:length] for row, length in zip(batch.tokens.numpy(), batch.ends.tolist(), strict=True)]
    passes = UNIFORM_PASSES if model.config.noise else MASKED_PASSES
    nll = estimate_nll(model, sequences, passes=passes, replicates=2, seed=options.seed, device=options.device)
    bits, sizes = nll["nll"].values / math.log(2), batch.ends.numpy().astype(np.float64)
    interval = population_mean(bits, sizes, level=0.95).interval
    return (
        f"{bits.sum() / sizes.sum():.3f} bits per symbol, 95 % confidence interval {interval.lower:.3f} to "
        f"{interval.upper:.3f} ({len(sizes)} sequences of {sizes.mean():.0f} symbols)"
    )


def _corpus(options: argparse.Namespace) -> _Corpus:
    """Read the training data."""
    if options.corpus[0].suffix == ".toml":
        if options.bpe is not None or options.lines:
            raise InputError("--bpe and --lines are for text, but the corpus is an exact law")
        law = read_law(options.corpus[0])
        windows = law_windows(law, options.length)
        return _Corpus(DenoiserConfig(law.alphabet, options.length), windows, windows)
    parts = _lines(options) if options.lines else _running_text(options)
    config = _symbols(parts, options)
    encoded = [[torch.from_numpy(config.symbols.encode(text)) for text in part] for part in parts]
    if options.lines:
        seen, unseen = (sequence_windows(part, options.length) for part in encoded)
    else:
        seen, unseen = (text_windows(part[0], options.length) for part in encoded)
    return _Corpus(config, seen, unseen)


def _running_text(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the text to train on and that held out, each a single one."""
    text = "\n".join(read_text(path) for path in options.corpus)
    if options.held_out is not None:
        return [text], [read_text(options.held_out)]
    cut = len(text) - max(len(text) // 20, options.length)
    return [text[: max(cut, 0)]], [text[max(cut, 0) :]]


def _lines(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Return the lines to train on and those held out."""
    lines = [line for path in options.corpus for line in read_text(path).splitlines() if line]
    if options.held_out is not None:
        return lines, [line for line in read_text(options.held_out).splitlines() if line]
    cut = len(lines) - max(len(lines) // 20, 1)
    return lines[:cut], lines[cut:]


def _symbols(parts: tuple[list[str], list[str]], options: argparse.Namespace) -> DenoiserConfig:
    """Return the symbols of a corpus: its characters, or the subwords learned from what is trained on."""
    seen, unseen = parts
    if options.bpe is not None:
        return DenoiserConfig(tokenizer=BytePairs.learned(seen, options.bpe).definition, length=options.length)
    used = set().union(*seen, *unseen)
    # With printable ASCII in running text, so that the model can score any English text.
    english = set() if options.lines else {"\n", *map(chr, range(32, 127))}
    return DenoiserConfig("".join(sorted(english | used)), options.length)

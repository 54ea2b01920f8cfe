"""What a denoiser is trained on: the files of a corpus, or an exact law."""

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from estimators import InputError
from infodis_stats.io.files import read_text
from infodis_stats.io.records.content import numbered
from infodis_stats.models import DenoiserConfig
from infodis_stats.models.denoisers.symbols import BytePairs
from infodis_stats.models.denoisers.training import Windows, law_windows, sequence_windows, text_windows
from infodis_stats.studies.design.laws import read_law

__all__ = ["Corpus", "read_corpus"]

HELD_OUT_SEQUENCES = 200


@dataclass(frozen=True)
class Corpus:
    """What a denoiser is trained on and evaluated with.

    Attributes
    ----------
    config : DenoiserConfig
        Symbols and length.
    windows : callable
        Source of training sequences.
    held_out : sequence of array of int64
        Distinct held-out sequences.
    digest : str
        SHA-256 of the training data and of how it is divided into sequences, in hexadecimal.
    """

    config: DenoiserConfig
    windows: Windows
    held_out: Sequence[NDArray[np.int64]]
    digest: str


def read_corpus(options: argparse.Namespace) -> Corpus:
    """Read the training data that a command line names.

    Raises
    ------
    InputError
        If a part is empty or too short, or an option does not apply to it.
    StoreError
        If a file cannot be read.
    """
    files: list[Path] = options.corpus
    laws = [path for path in files if path.suffix == ".toml"]
    if laws:
        if len(files) > 1:
            raise InputError(f"{laws[0]} is an exact law, which is a corpus by itself: leave out the other files")
        for option in ("bpe", "lines", "held_out"):
            if getattr(options, option):
                raise InputError(f"--{option.replace('_', '-')} is for text, but {laws[0]} is an exact law")
        return _of_law(laws[0], options)
    return _of_lines(options) if options.lines else _of_running_text(options)


def _of_law(path: Path, options: argparse.Namespace) -> Corpus:
    law = read_law(path)
    held_out = law.sample(HELD_OUT_SEQUENCES, length=options.length, seed=options.seed)
    windows = law_windows(law, options.length)
    return Corpus(DenoiserConfig(law.alphabet, options.length), windows, list(held_out), _digest(law.fingerprint()))


def _of_lines(options: argparse.Namespace) -> Corpus:
    """Take each line as a sequence."""
    lines = [line for path in options.corpus for _, line in numbered(read_text(path)) if line]
    cut = len(lines)
    if options.held_out is None:
        cut -= max(len(lines) // 20, 1)
        unseen = lines[cut:]
    else:
        unseen = [line for _, line in numbered(read_text(options.held_out)) if line]
    seen = lines[: max(cut, 0)]
    _check_parts(seen, unseen)
    config = _symbols(seen, unseen, options)
    windows = sequence_windows([_encoded(config, line) for line in seen], options.length)
    distinct = list(dict.fromkeys(unseen))
    chosen = np.random.default_rng(options.seed).permutation(len(distinct))[:HELD_OUT_SEQUENCES]
    held_out = [_encoded(config, distinct[index]) for index in np.sort(chosen)]
    longest = max(len(tokens) for tokens in held_out)
    if longest > options.length:
        raise InputError(f"a held-out line has {longest} tokens; the model takes at most {options.length}")
    return Corpus(config, windows, [tokens.numpy() for tokens in held_out], _digest("lines", *seen))


def _of_running_text(options: argparse.Namespace) -> Corpus:
    """Take windows of the text."""
    text = "\n".join(read_text(path) for path in options.corpus)
    if options.held_out is None:
        cut = max(len(text) - max(len(text) // 20, options.length), 0)
        if text and not cut:
            raise InputError(
                f"a text of {len(text)} characters is too short for a model of length {options.length}: its last part "
                "is held out"
            )
        text, unseen = text[:cut], text[cut:]
    else:
        unseen = read_text(options.held_out)
    _check_parts([text], [unseen])
    config = _symbols([text], [unseen], options)
    windows = text_windows(_encoded(config, text), options.length)
    tokens = _encoded(config, unseen)
    count = len(tokens) // options.length
    if not count:
        raise InputError(
            f"the held-out text has {len(tokens)} tokens, fewer than the length of the model, {options.length}: choose "
            "a smaller --length or give more with --held-out"
        )
    starts = options.length * np.unique(np.linspace(0, count - 1, min(count, HELD_OUT_SEQUENCES)).astype(int))
    held_out = [tokens[start : start + options.length].numpy() for start in starts]
    return Corpus(config, windows, held_out, _digest("text", text))


def _check_parts(seen: Sequence[str], unseen: Sequence[str]) -> None:
    if not any(seen):
        raise InputError("the corpus has no text to train on")
    if not any(unseen):
        raise InputError("there is no held-out text to evaluate with: give more with --held-out")


def _symbols(seen: Sequence[str], unseen: Sequence[str], options: argparse.Namespace) -> DenoiserConfig:
    """Return the symbols of a corpus: its characters, or the subwords learned from what is trained on."""
    if options.bpe is not None:
        return DenoiserConfig(tokenizer=BytePairs.learned(seen, options.bpe).definition, length=options.length)
    used = set().union(*seen, *unseen)
    # With printable ASCII in running text, so that the model can score any English text.
    english = set() if options.lines else {"\n", *map(chr, range(32, 127))}
    return DenoiserConfig("".join(sorted(english | used)), options.length)


def _encoded(config: DenoiserConfig, text: str) -> Tensor:
    return torch.from_numpy(config.symbols.encode(text))


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\n")
    return digest.hexdigest()

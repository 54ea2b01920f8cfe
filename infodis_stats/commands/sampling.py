"""The command that computes likelihoods of deterministic decoders."""

import argparse

import numpy as np
import pandas as pd
import xarray as xr

from infodis_stats.commands.likelihoods import check_out, show
from infodis_stats.commands.models import chat_attributes, read_masked_model
from infodis_stats.commands.reading import naming, reading, scored_tokens
from infodis_stats.estimates.sampler import sampler_nll
from infodis_stats.io.records import read_records
from infodis_stats.io.tables import terminal_table
from infodis_stats.plots.numbers import significant
from infodis_stats.progress import progress_bar
from infodis_stats.results.validity import caution_keys, caution_sentences

__all__ = ["sampler"]

COLUMNS = {
    "length": "tokens",
    "nll": "NLL",
    "bits_per_token": "bits per token",
    "forward_passes": "passes run",
    "closest_choice": "closest choice",
    "failed": "failed",
}


def sampler(options: argparse.Namespace) -> None:
    """Compute the negative log-likelihoods of the records in a file under a deterministic decoder."""
    check_out(options.out)
    model = read_masked_model(options.model, options)
    texts = read_records(options.file, **reading(options))
    tokens, given = scored_tokens(model, texts, options)
    with naming(texts), progress_bar() as bar:
        result = sampler_nll(
            model,
            tokens,
            options.rule,
            tokens_per_step=options.tokens_per_step,
            block=options.block,
            context=given,
            batch_size=options.batch_size,
            device=options.device,
            progress=bar.update,
        )
    result = result.assign_coords(sequence=[record.name for record in texts])
    result = result.assign_attrs(chat_attributes(options, model))
    show(result, _frame(result), lambda: _text(result), options)


def _text(result: xr.Dataset) -> str:
    """Return the table, the estimand with the average over all tokens, and the cautions."""
    shown = _frame(result).map(lambda value: significant(value, 4) if isinstance(value, float) else value)
    cautions = [f"Caution ({key}): {sentence}." for key, sentence in caution_sentences(result).items()]
    return "\n".join([terminal_table(shown), f"\nnats; {_answer(result)}", *cautions])


def _frame(result: xr.Dataset) -> pd.DataFrame:
    """Return one row per sequence, in full precision."""
    known = {name: result[name].values for name in COLUMNS if name in result}
    known["bits_per_token"] = known["nll"] / known["length"] / np.log(2)
    columns = {heading: known[name] for name, heading in COLUMNS.items() if name in known}
    cautions = {"cautions": caution_keys(result["cautions"]).values} if result["cautions"].any() else {}
    return pd.DataFrame({"sequence": result["sequence"].values, **columns, **cautions})


def _answer(result: xr.Dataset) -> str:
    """Return the estimand and the average over all tokens in a sentence."""
    total, tokens = float(result["nll"].sum()), int(result["length"].where(result["nll"].notnull()).sum())
    return (
        f"exact likelihoods of {result.estimand}, {significant(total / tokens / np.log(2), 4)} bits per token over "
        f"{tokens} tokens."
    )

"""The commands that estimate likelihoods and likelihood ratios, as a table, JSON, CSV or NetCDF."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from estimators import InputError
from infodis_stats import inference, report
from infodis_stats.commands.models import as_prompted, chat_attributes, read_model, with_default_loading
from infodis_stats.commands.reading import check_context, naming, reading, scored_tokens
from infodis_stats.estimates import estimate_log_ratio, estimate_nll
from infodis_stats.estimates.model_log_ratio import estimate_model_log_ratio
from infodis_stats.estimates.texts import estimate_text_ratios, estimate_texts
from infodis_stats.io.files import StoreError, atomic_path, writable_folder
from infodis_stats.io.records import Record, TextPair, read_pairs, read_records
from infodis_stats.io.store import netcdf
from infodis_stats.io.tables import csv_table, terminal_table
from infodis_stats.laws import Law
from infodis_stats.laws.records import encode_records
from infodis_stats.models import TextModel
from infodis_stats.plots.numbers import band
from infodis_stats.progress import progress_bar
from infodis_stats.report.summary_table import AVERAGES
from infodis_stats.results.validity import caution_sentences

__all__ = ["attributes_of", "averages_of", "check_out", "nll", "ratio", "show"]


def nll(options: argparse.Namespace) -> None:
    """Estimate the negative log-likelihoods of the sequences or records in a file, under a law or a network."""
    _check_out(options)
    model = read_model(options.model, options)
    texts = read_records(options.file, **reading(options))
    if isinstance(model, Law):
        tokens, context = encode_records(model, texts, options.context)
        with naming(texts):
            result = estimate_nll(model, tokens, options.estimator, context=context, **_sampling(options))
        _show(result.assign_coords(sequence=[record.name for record in texts]), options)
        return
    check_context(options)
    records = as_prompted(texts, model, options)
    with naming(texts), progress_bar() as bar:
        result = estimate_texts(
            model,
            records,
            options.estimator,
            overlap=options.overlap,
            progress=bar.update,
            **_sampling(options),
        )
    _show(result.assign_attrs(chat_attributes(options, model)), options)


def ratio(options: argparse.Namespace) -> None:
    """Estimate log-likelihood ratios of sequences in two files under a law, or of pairs of texts under a network."""
    _check_out(options)
    coupled = not options.decoupled
    model = read_model(options.model, options)
    if options.model2 is not None:
        _show(_under_two_models(model, options), options)
        return
    sides = _sides(options)
    if isinstance(model, Law):
        (first, context), (second, other) = (encode_records(model, side, options.context) for side in sides)
        with naming(*sides):
            result = estimate_log_ratio(
                model,
                first,
                second,
                options.estimator,
                coupled=coupled,
                context=context,
                second_context=other,
                **_sampling(options),
            )
        _show(result.assign_coords(pair=[record.name for record in sides[0]]), options)
        return
    check_context(options)
    pairs = as_prompted([_pair(*both) for both in zip(*sides, strict=True)], model, options)
    with naming(*sides), progress_bar() as bar:
        result = estimate_text_ratios(
            model,
            pairs,
            options.estimator,
            coupled=coupled,
            progress=bar.update,
            **_sampling(options),
        )
    _show(result.assign_attrs(chat_attributes(options, model)), options)


def _under_two_models(model: Law | TextModel, options: argparse.Namespace) -> xr.Dataset:
    """Compare the texts of one file under two models; the options of networks are those of the first."""
    for value, name in ((options.second, "SECOND"), (options.precision, "--precision")):
        if value is not None:
            raise InputError(f"--model2 compares the texts of one file; it takes no {name}")
    second = read_model(options.model2, with_default_loading(options))
    texts = read_records(options.first, **reading(options))
    tokens, given = scored_tokens(model, texts, options)
    settings = _sampling(options)
    del settings["precision"], settings["most_passes"]
    with naming(texts), progress_bar() as bar:
        result = estimate_model_log_ratio(
            model,
            second,
            tokens,
            options.estimator,
            coupled=not options.decoupled,
            context=given,
            progress=bar.update,
            **settings,
        )
    return result.assign_coords(sequence=[record.name for record in texts])


def _sampling(options: argparse.Namespace) -> dict[str, Any]:
    names = (
        "passes",
        "replicates",
        "precision",
        "most_passes",
        "seed",
        "level",
        "interval",
        "simultaneous",
        "batch_size",
        "device",
    )
    return {name: getattr(options, name) for name in names}


def _sides(options: argparse.Namespace) -> tuple[list[Record], list[Record]]:
    """Read the first and the second texts of pairs, from one file of pairs or from two files of records."""
    if options.second is None:
        pairs = read_pairs(options.first, **reading(options, fasta=False))
        firsts, seconds = (
            [Record(pair.name, pair.prompt, text, source=pair.source) for pair, text in zip(pairs, side, strict=True)]
            for side in ([pair.first for pair in pairs], [pair.second for pair in pairs])
        )
        return firsts, seconds
    firsts, seconds = (read_records(name, **reading(options)) for name in (options.first, options.second))
    if len(firsts) != len(seconds):
        raise InputError(
            f"{options.first} has {len(firsts)} records but {options.second} has {len(seconds)}; they must form pairs"
        )
    for first, second in zip(firsts, seconds, strict=True):
        if first.prompt != second.prompt:
            raise InputError(
                f"{first.label} and {second.label} have different prompts; both texts of a pair need the same prompt"
            )
        if first.suffix or second.suffix:
            raise InputError(f"{(first if first.suffix else second).label} has a suffix; the texts of a pair have none")
    return firsts, seconds


def _pair(first: Record, second: Record) -> TextPair:
    return TextPair(first.name, first.prompt, first.response, second.response, first.source)


def _check_out(options: argparse.Namespace) -> None:
    """Check that the outputs can be written before anything is computed."""
    if options.diagnosis is not None:
        writable_folder(options.diagnosis)
    check_out(options.out)


def check_out(path: Path | None) -> None:
    """Check that a result can be written to a file before it is computed."""
    if path is None:
        return
    if path.suffix not in (".csv", ".nc"):
        raise InputError(f"--out must be a .csv or .nc file, got {path}")
    writable_folder(path.parent)


def _show(result: xr.Dataset, options: argparse.Namespace) -> None:
    """Write the requested files, and print the result."""
    table = report.summary(result)
    if options.diagnosis is not None:
        report.write_diagnosis(result, options.diagnosis)
    show(result, table.to_dataframe(), lambda: "\n".join([str(table), *averages_of(result)]), options)


def show(result: xr.Dataset, frame: pd.DataFrame, text: Callable[[], str], options: argparse.Namespace) -> None:
    """Write a result and its table to the file that is asked for, and print JSON or the text."""
    if options.out is not None:
        _write_result(result, frame, options.out)
    if options.json:
        rows = json.loads(frame.to_json(orient="records"))
        print(json.dumps({"attributes": attributes_of(result), f"{frame.columns[0]}s": rows}, indent=1))
    else:
        print(text())


def averages_of(result: xr.Dataset) -> list[str]:
    """Return the averages over the documents and over their population, if there are several documents."""
    if result["forward_passes"].size < 2:
        return []
    try:
        these, population = inference.average(result, "these"), inference.average(result, "population")
    except InputError as error:  # an estimate lacks a remainder that is only bounded
        return [f"No average: {error}."]
    known = caution_sentences(result)
    averages = [name for name in AVERAGES if name in these]
    table = pd.DataFrame(
        {
            "average": [AVERAGES[name] for name in averages],
            "of these": [_band(these, name) for name in averages],
            "of their population": [_band(population, name) for name in averages],
        }
    )
    return [
        "",
        terminal_table(table),
        "",
        *(f"Caution ({key}): {words}." for key, words in caution_sentences(population).items() if key not in known),
    ]


def _band(averaged: xr.Dataset, name: str) -> str:
    lower, upper = averaged[f"{name}_ci"].values.tolist()
    return band(float(averaged[name]), lower, upper, digits=4)


def attributes_of(result: xr.Dataset) -> dict[str, object]:
    """Return the attributes of a result as JSON values."""
    encoded = ("choices", "model_conventions", "versions")
    read = {name: json.loads(result.attrs[name]) for name in encoded if name in result.attrs}
    return result.attrs | read | {"cautions": caution_sentences(result)}


def _write_result(result: xr.Dataset, frame: pd.DataFrame, path: Path) -> None:
    """Write the table to a .csv file, or the whole result to a .nc file."""
    try:
        with atomic_path(path) as beside:
            if path.suffix == ".csv":
                beside.write_text(csv_table(frame), encoding="utf-8", newline="")
            else:
                beside.write_bytes(netcdf(result))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error

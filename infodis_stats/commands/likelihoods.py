"""The commands that estimate likelihoods and likelihood ratios, as a table, JSON, CSV or NetCDF."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from tqdm import tqdm

from estimators import InputError
from infodis_stats.commands.models import as_prompted, chat_attributes, read_model
from infodis_stats.estimates import estimate_log_ratio, estimate_nll
from infodis_stats.estimates.texts import estimate_text_ratios, estimate_texts
from infodis_stats.inference.averages import average
from infodis_stats.io.files import StoreError, atomic_path, read_text, writable_folder
from infodis_stats.io.records import TextPair, read_pairs, read_records
from infodis_stats.io.store import netcdf
from infodis_stats.io.tables import csv_table, terminal_table
from infodis_stats.laws import Law
from infodis_stats.report import summary, write_diagnosis
from infodis_stats.report.numbers import band
from infodis_stats.report.summary_table import AVERAGES
from infodis_stats.results.validity import caution_sentences

__all__ = ["attributes_of", "nll", "ratio", "sequences"]


def nll(options: argparse.Namespace) -> None:
    """Estimate the negative log-likelihoods of the sequences or records in a file, under a law or a network."""
    _check_out(options)
    model = read_model(options.model, options)
    if isinstance(model, Law):
        tokens = sequences(options.file, model)
        result = estimate_nll(model, tokens, options.estimator, context=options.context, **_sampling(options))
        _show(result, options)
        return
    _check_context(options)
    records = as_prompted(read_records(options.file), model, options)
    with tqdm(unit="pass", unit_scale=True, disable=None) as bar:
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
    if isinstance(model, Law):
        if options.second is None:
            raise InputError("a law needs two files of sequences, FIRST and SECOND")
        first, second = sequences(options.first, model), sequences(options.second, model)
        result = estimate_log_ratio(
            model, first, second, options.estimator, coupled=coupled, context=options.context, **_sampling(options)
        )
        _show(result, options)
        return
    _check_context(options)
    pairs = as_prompted(_pairs(options), model, options)
    with tqdm(unit="pass", unit_scale=True, disable=None) as bar:
        result = estimate_text_ratios(
            model,
            pairs,
            options.estimator,
            coupled=coupled,
            progress=bar.update,
            **_sampling(options),
        )
    _show(result.assign_attrs(chat_attributes(options, model)), options)


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


def _check_context(options: argparse.Namespace) -> None:
    if options.context:
        raise InputError("--context is for laws; for a network, put the prompts into the records of a .jsonl file")


def _pairs(options: argparse.Namespace) -> list[TextPair]:
    """Read pairs from one file, or match the records of two."""
    if options.second is None:
        return read_pairs(options.first)
    firsts, seconds = read_records(options.first), read_records(options.second)
    if len(firsts) != len(seconds):
        raise InputError(
            f"{options.first} has {len(firsts)} records but {options.second} has {len(seconds)}; they must form pairs"
        )
    for first, second in zip(firsts, seconds, strict=True):
        if first.prompt != second.prompt:
            raise InputError(
                f"{first.name!r} and {second.name!r} have different prompts; both texts of a pair need the same prompt"
            )
    return [
        TextPair(first.name, first.prompt, first.response, second.response)
        for first, second in zip(firsts, seconds, strict=True)
    ]


def sequences(name: str, law: Law) -> list[NDArray[np.int64]]:
    """Read one sequence per line; blank lines are skipped."""
    rows = []
    for number, line in enumerate(read_text(name).splitlines(), 1):
        if line.strip():
            try:
                rows.append(law.encode([line.strip()])[0])
            except InputError as error:
                raise InputError(f"{name}, line {number}: {error}") from error
    if not rows:
        raise InputError(f"{name} contains no sequence")
    return rows


def _check_out(options: argparse.Namespace) -> None:
    """Check that the outputs can be written before anything is computed."""
    if options.diagnosis is not None:
        writable_folder(options.diagnosis)
    path: Path | None = options.out
    if path is None:
        return
    if path.suffix not in (".csv", ".nc"):
        raise InputError(f"--out must be a .csv or .nc file, got {path}")
    writable_folder(path.parent)


def _show(result: xr.Dataset, options: argparse.Namespace) -> None:
    """Write the requested files, and print the result."""
    table = summary(result)
    frame = table.to_dataframe()
    if options.out is not None:
        _write(result, frame, options.out)
    if options.diagnosis is not None:
        write_diagnosis(result, options.diagnosis)
    if options.json:
        rows = json.loads(frame.to_json(orient="records"))
        print(json.dumps({"attributes": attributes_of(result), f"{frame.columns[0]}s": rows}, indent=1))
    else:
        print("\n".join([str(table), *_averages(result)]))


def _averages(result: xr.Dataset) -> list[str]:
    """Return the averages over the documents and over their population, if there are several documents."""
    if result["forward_passes"].size < 2:
        return []
    try:
        these, population = average(result, "these"), average(result, "population")
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
    read = {name: json.loads(result.attrs[name]) for name in ("choices", "model_conventions", "versions")}
    return result.attrs | read | {"cautions": caution_sentences(result)}


def _write(result: xr.Dataset, frame: pd.DataFrame, path: Path) -> None:
    try:
        with atomic_path(path) as beside:
            if path.suffix == ".csv":
                beside.write_text(csv_table(frame), encoding="utf-8", newline="")
            else:
                beside.write_bytes(netcdf(result))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error

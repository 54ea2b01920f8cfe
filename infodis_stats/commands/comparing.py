"""The command that compares estimators on the sequences or records of a file."""

import argparse
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from estimators import InfodisError, InputError, estimator
from infodis_stats.commands.models import as_prompted, chat_attributes, read_model
from infodis_stats.commands.reading import reading
from infodis_stats.estimates import estimate_nll
from infodis_stats.estimates.texts import estimate_texts
from infodis_stats.inference.estimator_comparison import FEWEST_REPLICATES
from infodis_stats.inference.estimator_comparison import compare as compare_results
from infodis_stats.io.records import read_records
from infodis_stats.laws import Law
from infodis_stats.laws.records import encode_records
from infodis_stats.progress import progress_bar
from infodis_stats.report import summary
from infodis_stats.results.validity import caution_sentences

__all__ = ["compare"]

OUTSIDE_PARENTHESES = re.compile(r",(?![^(]*\))")


def compare(options: argparse.Namespace) -> None:
    """Rank estimators on the sequences or records in a file, under a law or a network."""
    names = _names(options.estimators)
    if options.replicates < FEWEST_REPLICATES:
        raise InputError(
            f"replicates must be at least {FEWEST_REPLICATES} to compare variances, got {options.replicates}"
        )
    estimate = _estimation(options)
    results, refused = {}, {}
    for name in names:
        try:
            results[name] = estimate(name)
        except InfodisError as error:
            refused[name] = error
    if not results:
        raise next(iter(refused.values()))
    reasons = "; ".join(f"{name}: {error}" for name, error in refused.items())
    if len(results) < 2:
        raise InputError(
            f"a comparison needs at least two estimators, but only {next(iter(results))} could run ({reasons})"
        )
    kept, failed = _complete(list(results.values()))
    compared = compare_results(kept, level=options.level, seed=options.seed)
    _show(compared, options, {name: str(error) for name, error in refused.items()}, failed)
    if refused:
        raise InputError(f"{len(refused)} of {len(names)} estimators could not run ({reasons})")


def _names(text: str) -> list[str]:
    """Return the estimators of a list, each once and known, before anything is computed."""
    names = [name.strip() for name in OUTSIDE_PARENTHESES.split(text) if name.strip()]
    for name in names:
        estimator(name)
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise InputError(f"estimators must be different, got {repeated[0]} {names.count(repeated[0])} times")
    if len(names) < 2:
        raise InputError(f"estimators must be at least two names separated by commas, got {text!r}")
    return names


def _estimation(options: argparse.Namespace) -> Callable[[str], xr.Dataset]:
    """Read the model and the records; return what estimates all of them with an estimator of a name."""
    model = read_model(options.model, options)
    keys = ("passes", "replicates", "seed", "level", "batch_size", "device")
    settings: dict[str, Any] = {key: getattr(options, key) for key in keys}
    records = read_records(options.file, **reading(options))
    if isinstance(model, Law):
        tokens, context = encode_records(model, records, options.context)
        labels = [record.name for record in records]
        return lambda name: estimate_nll(model, tokens, name, context=context, **settings).assign_coords(
            sequence=labels
        )
    if options.context:
        raise InputError("--context is for laws; for a network, give the prompts in a JSON file")
    prompted = as_prompted(records, model, options)
    attributes = chat_attributes(options, model)

    def estimate(name: str) -> xr.Dataset:
        with progress_bar(desc=name) as bar:
            result = estimate_texts(model, prompted, name, overlap=options.overlap, progress=bar.update, **settings)
        return result.assign_attrs(attributes)

    return estimate


def _complete(results: list[xr.Dataset]) -> tuple[list[xr.Dataset], dict[str, str]]:
    """Leave out the items that failed in some result; return the rest, and the reasons by name of the item."""
    failed: dict[str, str] = {}
    keep = np.ones(results[0].sizes["sequence"], dtype=bool)
    for result in results:
        if "failed" in result:
            reasons = result["failed"].values
            keep &= reasons == ""
            failed |= {str(result["sequence"].values[row]): str(reasons[row]) for row in np.flatnonzero(reasons != "")}
    if not keep.any():
        name, reason = next(iter(failed.items()))
        raise InputError(f"no sequence has an estimate by every estimator; {name}: {reason}")
    return [result.isel(sequence=keep) for result in results], failed


def _show(compared: xr.Dataset, options: argparse.Namespace, refused: dict[str, str], failed: dict[str, str]) -> None:
    table = summary(compared)
    if options.json:
        attributes = compared.attrs | {"model_conventions": json.loads(compared.attrs["model_conventions"])}
        rows = json.loads(table.to_dataframe().to_json(orient="records"))
        for row, held in zip(rows, compared["cautions"].values, strict=True):
            row["cautions"] = compared["caution"].values[held].tolist()
        print(
            json.dumps(
                {
                    "attributes": attributes | {"cautions": caution_sentences(compared)},
                    "estimators": rows,
                    "not run": refused,
                    "left out": failed,
                },
                indent=1,
            )
        )
        return
    print(table)
    for name, reason in failed.items():
        print(f"Left out: {name} ({reason}).")
    for name, reason in refused.items():
        print(f"Not run: {name} ({reason}).")

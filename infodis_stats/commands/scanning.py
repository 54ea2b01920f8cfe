"""The command that scores single substitutions."""

import argparse
import json
import re
from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InfodisError, InputError
from infodis_stats.commands.failures import report_failed
from infodis_stats.commands.likelihoods import attributes_of
from infodis_stats.commands.models import read_masked_model
from infodis_stats.commands.mutants import score_listed
from infodis_stats.commands.reading import reading, sequence_tokens
from infodis_stats.estimates.substitutions import rank_substitutions, scan_substitutions
from infodis_stats.io.files import writable_folder
from infodis_stats.io.records import Record, read_records
from infodis_stats.io.tables import printable, terminal_table
from infodis_stats.laws import Law
from infodis_stats.models.text_model import MaskedTextModel
from infodis_stats.models.vocabulary import alternatives, symbol_tokens
from infodis_stats.progress import progress_bar
from infodis_stats.report import write_scans
from infodis_stats.report.scan import ranking_tables, scan_answer
from infodis_stats.report.summary_table import made_by

__all__ = ["scan"]

PRINTED = 8  # substitutions from each end of the ranking


def scan(options: argparse.Namespace) -> None:
    """Score every single substitution of the sequences in a file, and write and print the ranking."""
    writable_folder(options.out)
    model = read_masked_model(options.model, options)
    records = read_records(options.file, **reading(options))
    if options.mutants is not None:
        score_listed(model, records, options)
        return
    scans: dict[str, xr.Dataset] = {}
    failed: dict[str, str] = {}
    try:
        for record in records:
            try:
                scans[record.name] = _scan(model, record, options)
            except InfodisError as error:
                failed[record.name] = f"{options.file}, {record.name!r}: {error}"
    finally:  # also when it is interrupted: what is done is written
        if scans:
            _show(scans, options)
    report_failed(failed, len(records), "sequences")


def _show(scans: Mapping[str, xr.Dataset], options: argparse.Namespace) -> None:
    page = write_scans(scans, options.out)
    if options.json:
        entries = [
            {
                "name": name,
                "attributes": attributes_of(result),
                "substitutions": rank_substitutions(result).to_dict("records"),
            }
            for name, result in scans.items()
        ]
        print(json.dumps({"scans": entries}, indent=1))
        return
    for name, result in scans.items():
        print(f"\n{printable(name)}\n")
        for sentence in scan_answer(result):
            print(sentence)
        for title, table in ranking_tables(result, PRINTED).items():
            print(f"\n{title}\n\n{terminal_table(table)}")
        print("\n" + "\n".join(made_by(result)))
    print(f"\nThe report is {page}")


def _scan(model: Law | MaskedTextModel, record: Record, options: argparse.Namespace) -> xr.Dataset:
    tokens = sequence_tokens(model, record)
    positions = np.arange(options.context, len(tokens))
    if options.positions is not None and positions.size:
        positions = _positions(options.positions, positions)
    if options.symbols is None:
        symbols = alternatives(model, tokens)
    else:
        symbols = symbol_tokens(model, options.symbols.split() if " " in options.symbols else options.symbols)
    sequences = 1 + int((tokens[positions, None] != symbols).sum())
    with progress_bar("sequence", total=sequences, desc=record.name) as bar:
        return scan_substitutions(
            model,
            tokens,
            options.estimator,
            positions=positions,
            symbols=symbols,
            passes=options.passes,
            replicates=options.replicates,
            seed=options.seed,
            context=options.context,
            level=options.level,
            batch_size=options.batch_size,
            device=options.device,
            progress=bar.update,
        )


def _positions(ranges: str, scored: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices of positions written as ``10-20,25``, counted from 1."""
    positions: set[int] = set()
    for part in ranges.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise InputError(f"--positions must be numbers and ranges such as 10-20,25, got {ranges!r}")
        if first - 1 < scored[0] or last - 1 > scored[-1]:
            raise InputError(
                f"--positions {part.strip()} is outside the scored positions, {scored[0] + 1} to {scored[-1] + 1}"
            )
        positions.update(range(first - 1, last))
    return np.array(sorted(positions))

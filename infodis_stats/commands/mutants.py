"""Listed mutants of sequences: read, scored, printed and written as one table."""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from estimators import InfodisError
from infodis_stats.commands.failures import report_failed
from infodis_stats.commands.reading import sequence_tokens
from infodis_stats.estimates.mutants import score_mutants
from infodis_stats.io.files import read_text
from infodis_stats.io.records import Record
from infodis_stats.io.tables import csv_table, terminal_table
from infodis_stats.laws import Law
from infodis_stats.models import TextModel
from infodis_stats.progress import progress_bar
from infodis_stats.report import summary

__all__ = ["score_listed"]

TABLE = "mutants.csv"


def score_listed(model: Law | TextModel, records: Sequence[Record], options: argparse.Namespace) -> None:
    """Score the mutants that ``--mutants`` names of each sequence, the likeliest first."""
    names = mutant_names(options.mutants)
    frames: list[pd.DataFrame] = []
    failed: dict[str, str] = {}
    for record in records:
        try:
            tokens = sequence_tokens(model, record)
            with progress_bar(desc=record.name) as bar:
                result = score_mutants(
                    model,
                    tokens,
                    names,
                    options.estimator,
                    context=options.context,
                    passes=options.passes,
                    replicates=options.replicates,
                    seed=options.seed,
                    level=options.level,
                    batch_size=options.batch_size,
                    device=options.device,
                    progress=bar.update,
                )
        except InfodisError as error:
            failed[record.name] = f"{options.file}, {record.name!r}: {error}"
            continue
        table = summary(result)
        frame = (
            table.to_dataframe()
            .rename(columns={"pair": "mutant"})
            .sort_values("log_ratio", ascending=False, kind="stable")
        )
        frames.append(frame.assign(sequence=record.name))
        if not options.json:
            print("\n".join([f"\n{record.name}\n", terminal_table(frame), "", *table.notes]))
    if frames:
        whole = pd.concat(frames, ignore_index=True)
        (options.out / TABLE).write_text(csv_table(whole), encoding="utf-8")
        if options.json:
            print(json.dumps({"mutants": json.loads(whole.to_json(orient="records"))}, indent=1))
        else:
            print(f"\nThe table is {options.out / TABLE}")
    report_failed(failed, len(records), "sequences")


def mutant_names(given: str) -> list[str]:
    """Return the mutants of a list such as ``K2A,Y5F:I6V``, or of a file with one per line.

    Examples
    --------
    >>> mutant_names("K2A, Y5F:I6V")
    ['K2A', 'Y5F:I6V']
    """
    text = read_text(given) if Path(given).suffix or Path(given).exists() else given
    return [name for part in re.split(r"[,\n\r]+", text) if (name := part.strip())]

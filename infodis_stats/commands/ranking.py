"""The command that answers multiple-choice questions by the most likely answer."""

import argparse
import json
from typing import Any

import pandas as pd
from tqdm import tqdm

from estimators import InputError
from infodis_stats.commands.models import as_prompted, chat_attributes, read_model
from infodis_stats.commands.reading import reading
from infodis_stats.estimates.texts import rank_texts
from infodis_stats.io.records import Question, read_questions
from infodis_stats.io.tables import terminal_table
from infodis_stats.laws import Law
from infodis_stats.models import TextModel
from infodis_stats.results.provenance import model_conventions, model_fingerprint

__all__ = ["rank"]


def rank(options: argparse.Namespace) -> None:
    """Rank the answers to the questions in a file, and print the most likely ones."""
    questions = read_questions(options.file, **reading(options, fasta=False))
    model = read_model(options.model, options)
    if isinstance(model, Law):
        raise InputError("rank needs a network, because its questions are text; a law scores sequences of symbols only")
    with tqdm(as_prompted(questions, model, options), unit="question", disable=None) as bar:
        rows = [_row(model, question, options) for question in bar]
    totals = _totals(rows)
    if options.json:
        made_with = {
            "model": model_fingerprint(model),
            "model_conventions": json.loads(model_conventions(model)),
            **chat_attributes(options, model),
        }
        print(json.dumps(totals | {"error": options.error, "attributes": made_with, "rows": rows}, indent=1))
        return
    print(terminal_table(pd.DataFrame(rows)))
    print(
        f"\n{totals['settled']} of {totals['questions']} questions settled, each with probability at most "
        f"{options.error:g} that another answer is more likely under the model; {totals['passes run']} passes run"
    )
    if totals["with a key"]:
        print(
            f"correct: {totals['right']} of {totals['with a key']}; among settled questions "
            f"{totals['settled and right']} of {totals['settled with a key']}"
        )


def _row(model: TextModel, question: Question, options: argparse.Namespace) -> dict[str, Any]:
    names = ("error", "per_token", "passes", "replicates", "most_passes", "seed", "batch_size", "device")
    settings = {name: getattr(options, name) for name in names}
    try:
        result = rank_texts(model, question.prompt, question.answers, options.estimator, **settings)
    except InputError as error:
        raise InputError(f"{options.file}, {question.name!r}: {error}") from error
    leader = result["leader"].item()
    return {
        "question": question.name,
        "answer": leader,
        "settled": bool((result["status"] == "best").any()),
        "p value": result["p_value"].item(),
        "passes run": int(result["forward_passes"].sum()),
        "right": None if question.correct is None else leader == question.answers[question.correct],
    }


def _totals(rows: list[dict[str, Any]]) -> dict[str, int]:
    settled = [row for row in rows if row["settled"]]
    return {
        "questions": len(rows),
        "settled": len(settled),
        "passes run": sum(row["passes run"] for row in rows),
        "with a key": sum(row["right"] is not None for row in rows),
        "right": sum(row["right"] is True for row in rows),
        "settled with a key": sum(row["right"] is not None for row in settled),
        "settled and right": sum(row["right"] is True for row in settled),
    }

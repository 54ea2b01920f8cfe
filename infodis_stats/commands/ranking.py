"""The command that answers multiple-choice questions by the most likely answer."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from estimators import InputError, ModelError
from infodis_stats.analysis.accuracy import accuracy
from infodis_stats.commands.failures import report_failed
from infodis_stats.commands.models import as_prompted, chat_attributes, read_model
from infodis_stats.commands.reading import reading
from infodis_stats.estimates.contest import Contest, Ranking
from infodis_stats.estimates.ranking import rank_each
from infodis_stats.estimates.settings import Execution, SamplingPlan
from infodis_stats.estimates.texts import text_contest
from infodis_stats.io.records import Question, read_questions
from infodis_stats.io.tables import terminal_table
from infodis_stats.laws import Law
from infodis_stats.models import TextModel
from infodis_stats.plots.numbers import band
from infodis_stats.progress import progress_bar
from infodis_stats.results.provenance import model_conventions, model_fingerprint

__all__ = ["rank"]


def rank(options: argparse.Namespace) -> None:
    """Rank the answers to the questions in a file, and print the most likely ones."""
    questions = read_questions(options.file, **reading(options, fasta=False))
    model = read_model(options.model, options)
    if isinstance(model, Law):
        raise InputError("rank needs a network, because its questions are text; a law scores sequences of symbols only")
    asked = as_prompted(questions, model, options)
    contests, failed = _contests(model, asked, options)
    if not contests:
        raise InputError(f"no question can be scored: {next(iter(failed.values()))}")
    rankings = rank_each(
        model,
        list(contests.values()),
        options.estimator,
        error=options.error,
        plan=SamplingPlan(options.passes, options.replicates, options.seed, most_passes=options.most_passes),
        execution=Execution(options.batch_size, options.device),
    )
    questions = [question for question in asked if question.name in contests]
    rows: list[dict[str, Any]] = []
    try:
        for question, ranking in zip(progress_bar("question", iterable=questions), rankings, strict=True):
            if isinstance(ranking, ModelError):
                failed[question.name] = str(ranking)
            else:
                rows.append(_row(question, ranking))
    finally:  # also when it is interrupted: what is done is shown
        if rows:
            _show(rows, failed, model, options)
    report_failed(failed, len(asked), "questions")


def _contests(
    model: TextModel, questions: Sequence[Question], options: argparse.Namespace
) -> tuple[dict[str, Contest], dict[str, str]]:
    """Return the contests of the questions, and why others cannot be scored, by their names."""
    contests, failed = {}, {}
    for question in questions:
        try:
            answers = _different(question)
            if len(answers) < 2:
                raise InputError(f"{question.name!r}: all answers are the same")
            contests[question.name] = text_contest(model, question.name, question.prompt, answers, options.per)
        except InputError as error:
            failed[question.name] = f"{question.source}, {error}" if question.source else str(error)
    return contests, failed


def _different(question: Question) -> list[str]:
    return list(dict.fromkeys(question.answers))


def _show(rows: list[dict[str, Any]], failed: Mapping[str, str], model: TextModel, options: argparse.Namespace) -> None:
    totals = _totals(rows)
    known = [row for row in rows if row["right"] is not None]
    share = (
        None
        if not known
        else accuracy(
            [row["right"] for row in known], [row["p value"] for row in known], 1 - options.error, options.error
        )
    )
    if share is not None:
        ends = {"these": share.these, "population": share.population}
        totals |= {"share right": share.estimate}
        totals |= {f"share right, {name}": [float(end.lower), float(end.upper)] for name, end in ends.items()}
    if options.json:
        made_with = {
            "model": model_fingerprint(model),
            "model_conventions": json.loads(model_conventions(model)),
            **chat_attributes(options, model),
        }
        document = totals | {"error": options.error, "per": options.per, "attributes": made_with, "rows": rows}
        print(json.dumps(document | {"failed": dict(failed)}, indent=1))
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
    if share is not None:
        lower, upper = (float(end) for end in (share.population.lower, share.population.upper))
        print(
            f"share right: {band(100 * share.estimate, 100 * lower, 100 * upper)} % "
            f"({100 * (1 - options.error):g} % confidence interval for questions like these, open ones included)"
        )


def _row(question: Question, ranking: Ranking) -> dict[str, Any]:
    leader = _different(question)[ranking.leader]
    return {
        "question": question.name,
        "answer": leader,
        "settled": "best" in ranking.status,
        "p value": ranking.p_value,
        "passes run": sum(ranking.forward_passes),
        "right": None if question.correct is None else leader == question.answers[question.correct],
    }


def _totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
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

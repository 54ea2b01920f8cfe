"""The report of an evaluation in the harness: accuracies with both intervals, open questions, passes, perplexities."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.harness.accuracies import FIXED_PASSES, claim_error
from infodis_stats.harness.metrics import question_passes
from infodis_stats.harness.report.accuracy_table import accuracy_rows, group_rows
from infodis_stats.harness.report.answer import answer
from infodis_stats.harness.report.cells import ends, share
from infodis_stats.harness.report.comparison_table import comparison_table
from infodis_stats.harness.report.figures import forest_figure, margins_figure, passes_figure
from infodis_stats.harness.report.verdicts import diagnose_evaluation
from infodis_stats.harness.report.view import View, scores_of
from infodis_stats.io.files import writable_folder
from infodis_stats.plots.numbers import significant
from infodis_stats.report.conventions import model_points
from infodis_stats.report.document import Answer, Document, Figure, Heading, Note, Points, Section, Table, Verdicts
from infodis_stats.report.page import files_of, write_texts

__all__ = ["harness_document", "write_harness_report"]

MOST_IN_TITLE = 4  # tasks
MOST_LISTED = 20


def write_harness_report(
    tasks: Mapping[str, xr.Dataset],
    folder: Path | str,
    results: Mapping[str, Any] | None = None,
    comparisons: Sequence[xr.Dataset] = (),
    level: float = 0.95,
) -> Path:
    """Write the report of an evaluation into a folder.

    Parameters
    ----------
    tasks : mapping of str to xarray.Dataset
        Data sets of the tasks, by their names; of one model.
    folder : Path or str
        Created if missing. Gets ``report.html`` (self-contained), ``report.md`` with ``figures/*.svg``, and
        ``tables/*.csv`` in full precision; each file is replaced whole.
    results : mapping, optional
        Of `infodis_stats.harness.extra_keys.with_mask_noise`, for the groups of tasks.
    comparisons : sequence of xarray.Dataset, optional
        Of `infodis_stats.harness.comparison.compare_models`, whose first model is that of the tasks.
    level : float, default 0.95
        Confidence level in (0, 1).

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the level is outside (0, 1).
    StoreError
        If the folder cannot be written.
    """
    folder = writable_folder(folder)
    write_texts(files_of(harness_document(tasks, results, comparisons, level), "report"), folder)
    return folder / "report.html"


def harness_document(
    tasks: Mapping[str, xr.Dataset],
    results: Mapping[str, Any] | None = None,
    comparisons: Sequence[xr.Dataset] = (),
    level: float = 0.95,
) -> Document:
    """Return the report of an evaluation; see `write_harness_report`."""
    view = View(tasks, results or {}, comparisons, level)
    model = next((str(data.attrs["model"]) for data in tasks.values() if "model" in data.attrs), "")
    return Document(
        title=f"Evaluation on {', '.join(tasks) if len(tasks) <= MOST_IN_TITLE else f'{len(tasks)} tasks'}",
        subtitle=f"{model}: metrics of lm-evaluation-harness, with the noise of the masks",
        sections=[
            Verdicts(diagnose_evaluation(view)),
            Answer(tuple(answer(view))),
            *(_accuracy(view) if view.accuracies else []),
            *(_open(view) if view.accuracies else []),
            *(_passes(view) if view.accuracies else []),
            *(_perplexity(view) if view.perplexities else []),
            *(_comparisons(view) if view.comparisons else []),
            *_failed(view),
            *_provenance(view),
        ],
        tables=numeric_tables(view),
        kind="evaluation",
    )


def _accuracy(view: View) -> Iterator[Section]:
    yield Heading("Accuracy")
    yield Table(pd.DataFrame(accuracy_rows(view)), headline="Accuracy")
    groups = pd.DataFrame(group_rows(view))
    if len(groups):
        yield Heading("Groups of tasks", 3)
        yield Table(groups, headline="Groups of tasks")
    yield Figure(
        "accuracy",
        "Accuracies with both intervals",
        forest_figure(view.accuracies),
        f"A dot is the accuracy of the leaders. Thick: {view.confidence} interval of the model's own accuracy on these "
        "questions, where only the masks are random. Thin: on questions like these.",
    )
    yield Note(
        "The model's own answer is the choice that its exact likelihoods prefer. The standard error over masks is how "
        "much an accuracy varies with the seed. The interval for these questions is where the model's own accuracy can "
        "be: undecided questions may be all right or all wrong, so it is wider than the standard error suggests. The "
        "interval for questions like these includes the sampling of the questions. Expected flips: answers that the "
        "masks turn from right to wrong or back."
    )


def _open(view: View) -> Iterator[Section]:
    yield Heading("Undecided questions")
    shown = view.most_open()
    tasks = {name: view.choices[name] for name in shown}
    error = max(claim_error(data) for data in view.choices.values())
    yield Figure(
        "margins",
        "Margins of the leaders",
        margins_figure(tasks, {name: scores_of(part)[0] for name, part in view.accuracies.items()}),
        f"{_which(view, shown)}The margin of a leader over its runner-up, in standard errors. Of two choices, a leader "
        "at 1 standard error is the model's own answer in 84 % of cases, at 2 in 98 %, if margins are spread evenly.",
    )
    table = view.open_questions
    if not len(table):
        yield Note(f"Every leader is the model's own answer at an error of {error:g} per question.")
        return
    yield Table(_open_table(table[:MOST_LISTED] if len(table) > MOST_LISTED else table))
    rest = f"The {MOST_LISTED} closest of {len(table):,}; all are in tables/open-questions.csv. "
    yield Note(
        f"{rest if len(table) > MOST_LISTED else ''}A question is undecided by a score if the error of the claim that "
        f"its leader is the model's own answer is above {error:g}. Documents and choices are numbered from 0. Margins "
        "are in nats, per character for acc_norm and per byte for acc_bytes."
    )


def _open_table(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "task": table["task"],
            "document": table["question"].astype(str),
            "score": table["score"],
            "leader": table["leader"].astype(str),
            "right": ["yes" if right else "no" for right in table["right"]],
            "runner-up": [str(choice) if choice >= 0 else significant(math.nan) for choice in table["runner_up"]],
            "margin ± standard error": [
                significant(margin, 2) + ("" if math.isnan(margin) else f" ± {significant(error, 2)}")
                for margin, error in zip(table["margin"], table["margin_se"], strict=True)
            ],
            "chance of the leader, %": [
                significant(chance) if math.isnan(chance) else share(chance) for chance in table["chance"]
            ],
            "passes": [f"{passes:,}" for passes in table["passes"]],
        }
    )


def _passes(view: View) -> Iterator[Section]:
    yield Heading("Passes")
    rows = [
        {
            "task": name,
            "passes": f"{int(part['passes']):,}",
            f"of {FIXED_PASSES} per choice, %": share(part["passes_of_128"]),
            "median per choice": significant(float(_per_choice(view.choices[name]).median())),
            "most per choice": significant(float(_per_choice(view.choices[name]).max())),
        }
        for name, part in view.accuracies.items()
    ]
    yield Table(pd.DataFrame(rows))
    shown = view.most_open()
    yield Figure(
        "passes",
        "Passes per choice",
        passes_figure({name: view.choices[name] for name in shown}),
        f"{_which(view, shown)}Passes of a question over the number of its choices. Implementations of LLaDA and "
        f"others take {FIXED_PASSES} for each choice of each question.",
    )


def _perplexity(view: View) -> Iterator[Section]:
    yield Heading("Perplexity")
    rows = [
        {
            "task": name,
            "metric": metric,
            "estimate": significant(float(cell["value"]), 4),
            "± over masks": significant(float(cell["mask_stderr"]), 2),
            "these documents": ends(cell["ci"], 1),
            "documents like these": ends(cell["population_ci"], 1) + (" †" if bool(cell["dominated"]) else ""),
            "documents": str(int(summary["documents"])),
            "passes": f"{int(summary['passes']):,}",
        }
        for name, summary in view.perplexities.items()
        for metric in summary["metric"].values.tolist()
        for cell in [summary.sel(metric=metric)]
    ]
    yield Table(pd.DataFrame(rows), headline="Perplexity")
    words = (
        f"{view.confidence} intervals: for these documents only the masks are random; for documents like these the "
        "documents are random too. A perplexity is the exponential of the total negative log-likelihood over the total "
        "number of words, bytes or tokens. Perplexities per token depend on the tokenizer: compare models per byte."
    )
    if any(bool(summary["dominated"].any()) for summary in view.perplexities.values()):
        words += " †: a few documents dominate, and coverage is below nominal if documents are skewed."
    yield Note(words)


def _comparisons(view: View) -> Iterator[Section]:
    attributes = view.comparisons[0].attrs
    yield Heading("Two models")
    yield Note(f"First: {attributes['model']}. Second: {attributes['second_model']}.")
    for compared in view.comparisons:
        yield Heading(str(compared.attrs["task"]), 3)
        yield Table(comparison_table(compared), headline=f"Two models on {compared.attrs['task']}")
        if compared.attrs["left_out"]:
            left_out, unit = compared.attrs["left_out"], compared.attrs["unit"]
            yield Note(f"Left out, because only one model or none has a result: {counted(left_out, unit)}.")
    yield Note(
        f"Differences are of the first model minus the second on the same texts, with {view.confidence} intervals. "
        "The exact test (McNemar) is of the leaders: it does not account for masks, so read it where nearly all "
        "discordant questions are settled for both models, and the interval elsewhere. Log-likelihoods per question "
        "compare models with different tokenizers, because the text is the same."
    )


def _failed(view: View) -> Iterator[Section]:
    failed = view.failures
    if failed:
        yield Heading("Failed")
        yield Table(pd.DataFrame(failed[:MOST_LISTED], columns=["task", "document", "text"]))
        if len(failed) > MOST_LISTED:
            yield Note(f"The first {MOST_LISTED} of {len(failed):,}; all are in tables/failed.csv.")


def _provenance(view: View) -> Iterator[Section]:
    attributes = next(iter(view.tasks.values())).attrs
    versions = json.loads(attributes.get("versions", "{}"))
    yield Heading("Provenance")
    yield Points(
        [
            *model_points(attributes),
            *(("", f"{name}: {_settings(data.attrs)}") for name, data in view.tasks.items()),
            *([("", ", ".join(f"{package} {number}" for package, number in versions.items()))] if versions else []),
        ]
    )


def _settings(attributes: Mapping[Any, Any]) -> str:
    """Return the estimator, the budget and the seed in words."""
    words = {
        "error": "races that end when the winners are settled at an error of {:g}",
        "passes": "{:g} passes per choice",
        "precision": "passes until intervals have a half-width of {:g} nats",
        "most_passes": "at most {:g} passes per choice",
        "seed": "seed {:g}",
    }
    parts = [
        text.format(float(attributes[key]))
        for key, text in words.items()
        if not (key == "most_passes" and "passes" in attributes)
        if isinstance(attributes.get(key), int | float) or hasattr(attributes.get(key), "item")
    ]
    return ", ".join([f"estimator {attributes.get('estimator', 'unknown')}", *parts])


def numeric_tables(view: View) -> dict[str, pd.DataFrame]:
    """Return the tables in full precision."""
    tables = {}
    if view.accuracies:
        tables["accuracies"] = pd.concat([_frame(name, part, "score") for name, part in view.accuracies.items()])
        tables["open-questions"] = view.open_questions
    if view.perplexities:
        tables["perplexities"] = pd.concat([_frame(name, part, "metric") for name, part in view.perplexities.items()])
    failed = view.failures
    return tables | ({"failed": pd.DataFrame(failed, columns=["task", "document", "reason"])} if failed else {})


def _frame(name: str, summary: xr.Dataset, dimension: str) -> pd.DataFrame:
    flat = summary.drop_vars(["cautions", "caution"], errors="ignore")
    for key in ("ci", "population_ci"):
        for end in ("lower", "upper"):
            flat[f"{key}_{end}"] = flat[key].sel(ci_bound=end, drop=True)
    frame = flat.drop_vars(["ci", "population_ci", "ci_bound"]).to_dataframe().reset_index()
    frame.insert(0, "task", name)
    return frame


def _per_choice(data: xr.Dataset) -> xr.DataArray:
    return question_passes(data) / data["choices"]


def _which(view: View, shown: Sequence[str]) -> str:
    more = len(view.accuracies) - len(shown)
    return f"The {len(shown)} tasks with most undecided questions. " if more else ""

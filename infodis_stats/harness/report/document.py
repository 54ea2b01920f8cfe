"""The report of an evaluation in the harness: accuracies with both intervals, open questions, passes, perplexities."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from infodis_stats.harness.accuracies import FIXED_PASSES, accuracies, claim_error
from infodis_stats.harness.metrics import left_out_sentences, question_passes, scored
from infodis_stats.harness.perplexities import perplexities
from infodis_stats.harness.report.comparison_table import comparison_sentences, comparison_table
from infodis_stats.harness.report.figures import forest_figure, margins_figure, passes_figure
from infodis_stats.harness.report.open_questions import open_questions
from infodis_stats.io.files import writable_folder
from infodis_stats.report.conventions import model_points
from infodis_stats.report.document import Answer, Document, Figure, Heading, Note, Points, Section, Table
from infodis_stats.report.numbers import significant
from infodis_stats.report.page import files_of, write_texts
from infodis_stats.results.validity import CAUTIONS

__all__ = ["harness_document", "write_harness_report"]

MOST_SENTENCES = 4  # of single tasks in the answer
MOST_PANELS = 6
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
    view = _View(tasks, results or {}, comparisons, level)
    model = next((str(data.attrs["model"]) for data in tasks.values() if "model" in data.attrs), "")
    return Document(
        title=f"Evaluation on {', '.join(tasks) if len(tasks) <= MOST_SENTENCES else f'{len(tasks)} tasks'}",
        subtitle=f"{model}: metrics of lm-evaluation-harness, with the noise of the masks",
        sections=[
            Answer(tuple(_answer(view))),
            *(_accuracy(view) if view.accuracies else []),
            *(_open(view) if view.accuracies else []),
            *(_passes(view) if view.accuracies else []),
            *(_perplexity(view) if view.perplexities else []),
            *(_comparisons(view) if view.comparisons else []),
            *_failed(view),
            *_cautions(view),
            *_provenance(view),
        ],
        tables=_numbers(view),
    )


@dataclass(frozen=True, eq=False)
class _View:
    """The tasks with what is computed from them once."""

    tasks: Mapping[str, xr.Dataset]
    results: Mapping[str, Any]
    comparisons: Sequence[xr.Dataset]
    level: float

    @cached_property
    def known(self) -> dict[str, xr.Dataset]:
        """Return the tasks with some result, without what has failed."""
        return {name: scored(data) for name, data in self.tasks.items() if (data["failed"] == "").any().item()}

    @cached_property
    def choices(self) -> dict[str, xr.Dataset]:
        return {name: data for name, data in self.known.items() if data.attrs["kind"] == "choices"}

    @cached_property
    def accuracies(self) -> dict[str, xr.Dataset]:
        return {name: accuracies(self.tasks[name], self.level) for name in self.choices}

    @cached_property
    def perplexities(self) -> dict[str, xr.Dataset]:
        names = [name for name, data in self.known.items() if data.attrs["kind"] == "perplexity"]
        return {name: perplexities(self.tasks[name], self.level) for name in names}

    @cached_property
    def open_questions(self) -> pd.DataFrame:
        tables = [open_questions(data).assign(task=name) for name, data in self.choices.items()]
        return pd.concat(tables).sort_values("chance", kind="stable", ignore_index=True)

    @property
    def confidence(self) -> str:
        return f"{100 * self.level:g} %"

    def most_open(self) -> list[str]:
        """Return the tasks that figures show: those with most undecided questions, in their order."""
        counts = {name: int(part["undecided_by_any"]) for name, part in self.accuracies.items()}
        shown = sorted(counts, key=lambda name: -counts[name])[:MOST_PANELS]
        return [name for name in counts if name in shown]


def _answer(view: _View) -> Iterator[str]:
    for compared in view.comparisons[:MOST_SENTENCES]:
        yield from comparison_sentences(compared)
    texts = [*_groups(view), *_accuracies(view)]
    for row in texts[:MOST_SENTENCES]:
        yield (
            f"{row.get('group') or row['task']}: {row['score']} {row['accuracy, %']} %. The model's own {row['score']} "
            f"lies in {row['these questions, %']} % on these questions and in {row['questions like these, %']} % on "
            f"questions like these ({view.confidence} confidence)."
        )
    if len(texts) > MOST_SENTENCES:
        yield f"The other {len(texts) - MOST_SENTENCES} accuracies are in the table below."
    if view.accuracies:
        yield from _undecided(view)
        yield from _noise(view)
        passes = sum(int(part["passes"]) for part in view.accuracies.values())
        fixed = FIXED_PASSES * sum(int(view.tasks[name]["choices"].sum()) for name in view.accuracies)
        ratio = f": {significant(fixed / passes)} times fewer" if 0 < passes < fixed else ""
        yield f"{passes:,} passes were run, of {fixed:,} for {FIXED_PASSES} per choice{ratio}."
    for name, summary in list(view.perplexities.items())[:MOST_SENTENCES]:
        metric = str(summary["metric"].values[0])  # per word, or of a single continuation per document
        words = summary.sel(metric=metric)
        yield (
            f"{name}: {metric.replace('_', ' ')} {significant(float(words['value']), 4)}, {_ends(words['ci'], 1)} for "
            f"these documents and {_ends(words['population_ci'], 1)} for documents like these ({view.confidence} "
            "confidence)."
        )
    yield from left_out_sentences(view.tasks)
    failed = _all_failed(view)
    if failed:
        items = "1 question or document" if len(failed) == 1 else f"{len(failed):,} questions or documents"
        yield f"The model failed on {items}; all numbers here leave out what failed."


def _undecided(view: _View) -> Iterator[str]:
    parts = view.accuracies.values()
    undecided, questions = (sum(int(part[key]) for part in parts) for key in ("undecided_by_any", "questions"))
    if undecided:
        reason = "the model's own answer may be another than the leader"
        yield f"{undecided:,} of {questions:,} questions are undecided: {reason}."
    else:
        yield f"All {questions:,} questions are settled: their leaders are significantly the model's own answers."


def _noise(view: _View) -> Iterator[str]:
    """Say what the masks contribute to the accuracies."""
    rows = [(name, score, part.sel(score=score)) for name, part in view.accuracies.items() for score in _scores(part)]
    unknown = [f"{name}, {score}" for name, score, part in rows if np.isnan(part["mask_stderr"])]
    if unknown:
        yield f"The noise of the masks is not known for {'; '.join(unknown)}: estimates have no standard error."
        return
    flips: dict[str, float] = {}
    for _, score, part in rows:
        flips[score] = flips.get(score, 0.0) + float(part["flips"])
    counts = " and ".join(f"{significant(count, 2)} answers by {score}" for score, count in flips.items())
    name, score, part = max(rows, key=lambda row: float(row[2]["mask_stderr"]))
    yield (
        f"Masks are expected to turn {counts} from right to wrong or back. The largest standard error over masks is "
        f"{_points(part['mask_stderr'])} points ({name}, {score}), where that over questions is "
        f"{_points(part['stderr'])}."
    )


def _accuracy(view: _View) -> Iterator[Section]:
    yield Heading("Accuracy")
    yield Table(pd.DataFrame(_accuracies(view)), headline="Accuracy")
    groups = pd.DataFrame(_groups(view))
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


def _accuracies(view: _View) -> list[dict[str, str]]:
    return [_accuracy_row(name, score, part) for name, part in view.accuracies.items() for score in _scores(part)]


def _groups(view: _View) -> list[dict[str, str]]:
    return [row for name in view.results.get("groups", {}) for row in _group_rows(view, name)]


def _accuracy_row(name: str, score: str, part: xr.Dataset) -> dict[str, str]:
    cell = part.sel(score=score)
    return {
        "task": name,
        "score": score,
        "questions": f"{int(part['questions']):,}",
        "accuracy, %": _share(cell["value"]),
        "± over questions": _points(cell["stderr"]),
        "± over masks": _points(cell["mask_stderr"]),
        "these questions, %": _ends(cell["ci"]),
        "questions like these, %": _ends(cell["population_ci"]),
        "undecided": f"{int(cell['undecided']):,}",
        "expected flips": significant(float(cell["flips"]), 2),
    }


def _group_rows(view: _View, name: str) -> Iterator[dict[str, str]]:
    entry = view.results["groups"][name]
    for key in entry:
        metric, _, filtered = key.partition(",")
        noise = f"{metric}_mask_stderr,{filtered}"
        if noise in entry:
            stderr = entry.get(f"{metric}_stderr,{filtered}")
            yield {
                "group": str(entry.get("alias", name)),
                "score": metric,
                "accuracy, %": _share(entry[key]),
                "± over questions": _points(_known(stderr)),
                "± over masks": _points(_known(entry[noise])),
                "these questions, %": _ends(entry[f"{metric}_mask_ci,{filtered}"]),
                "questions like these, %": _ends(entry[f"{metric}_population_mask_ci,{filtered}"]),
                "undecided": f"{entry[f'{metric}_mask_undecided,{filtered}']:,}",
                "expected flips": significant(_known(entry[f"{metric}_mask_flips,{filtered}"]), 2),
            }


def _open(view: _View) -> Iterator[Section]:
    yield Heading("Undecided questions")
    shown = view.most_open()
    tasks = {name: view.choices[name] for name in shown}
    error = max(claim_error(data) for data in view.choices.values())
    yield Figure(
        "margins",
        "Margins of the leaders",
        margins_figure(tasks, {name: _scores(part)[0] for name, part in view.accuracies.items()}),
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
                significant(chance) if math.isnan(chance) else _share(chance) for chance in table["chance"]
            ],
            "passes": [f"{passes:,}" for passes in table["passes"]],
        }
    )


def _passes(view: _View) -> Iterator[Section]:
    yield Heading("Passes")
    rows = [
        {
            "task": name,
            "passes": f"{int(part['passes']):,}",
            f"of {FIXED_PASSES} per choice, %": _share(part["passes_of_128"]),
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


def _perplexity(view: _View) -> Iterator[Section]:
    yield Heading("Perplexity")
    rows = [
        {
            "task": name,
            "metric": metric,
            "estimate": significant(float(cell["value"]), 4),
            "± over masks": significant(float(cell["mask_stderr"]), 2),
            "these documents": _ends(cell["ci"], 1),
            "documents like these": _ends(cell["population_ci"], 1) + (" †" if bool(cell["dominated"]) else ""),
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


def _comparisons(view: _View) -> Iterator[Section]:
    attributes = view.comparisons[0].attrs
    yield Heading("Two models")
    yield Note(f"First: {attributes['model']}. Second: {attributes['second_model']}.")
    for compared in view.comparisons:
        yield Heading(str(compared.attrs["task"]), 3)
        yield Table(comparison_table(compared), headline=f"Two models on {compared.attrs['task']}")
        if compared.attrs["left_out"]:
            left_out, unit = compared.attrs["left_out"], compared.attrs["unit"]
            items = f"1 {unit}" if left_out == 1 else f"{left_out:,} {unit}s"
            yield Note(f"Left out, because only one model or none has a result: {items}.")
    yield Note(
        f"Differences are of the first model minus the second on the same texts, with {view.confidence} intervals. "
        "The exact test (McNemar) is of the leaders: it does not account for masks, so read it where nearly all "
        "discordant questions are settled for both models, and the interval elsewhere. Log-likelihoods per question "
        "compare models with different tokenizers, because the text is the same."
    )


def _all_failed(view: _View) -> list[tuple[str, str, str]]:
    """Return the task, the document and the reason of each failure."""
    return [
        (name, str(document), str(reason))
        for name, data in view.tasks.items()
        for document, reason in zip(
            data[data["failed"].dims[0]].values.tolist(), data["failed"].values.tolist(), strict=True
        )
        if reason
    ]


def _failed(view: _View) -> Iterator[Section]:
    failed = _all_failed(view)
    if failed:
        yield Heading("Failed")
        yield Table(pd.DataFrame(failed[:MOST_LISTED], columns=["task", "document", "text"]))
        if len(failed) > MOST_LISTED:
            yield Note(f"The first {MOST_LISTED} of {len(failed):,}; all are in tables/failed.csv.")


def _cautions(view: _View) -> Iterator[Section]:
    items = []
    for key in CAUTIONS:
        counts = {name: _cautioned(data, key) for name, data in view.known.items()}
        named = ", ".join(f"{count:,} in {name}" for name, count in counts.items() if count)
        if named:
            caution = CAUTIONS[key]
            items.append((key, f"{caution.sentence} ({named}). What to do: {caution.advice}."))
    if items:
        yield Heading("Cautions")
        yield Points(items, "These hold by construction, with the number of choices or documents:", warning=True)


def _cautioned(data: xr.Dataset, key: str) -> int:
    known = key in data["caution"].values
    return int(data["cautions"].sel(caution=key).sum()) if known else 0


def _provenance(view: _View) -> Iterator[Section]:
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


def _numbers(view: _View) -> dict[str, pd.DataFrame]:
    """Return the tables in full precision."""
    tables = {}
    if view.accuracies:
        tables["accuracies"] = pd.concat([_frame(name, part, "score") for name, part in view.accuracies.items()])
        tables["open-questions"] = view.open_questions
    if view.perplexities:
        tables["perplexities"] = pd.concat([_frame(name, part, "metric") for name, part in view.perplexities.items()])
    failed = _all_failed(view)
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


def _which(view: _View, shown: Sequence[str]) -> str:
    more = len(view.accuracies) - len(shown)
    return f"The {len(shown)} tasks with most undecided questions. " if more else ""


def _scores(summary: xr.Dataset) -> list[str]:
    return [str(score) for score in summary["score"].values.tolist()]


def _known(value: object) -> float:
    """Return a number of the results; NaN for what stands there if it is not known."""
    return value if isinstance(value, float) else math.nan


def _share(value: Any) -> str:
    return significant(math.nan) if np.isnan(value) else f"{100 * float(value):.1f}"


def _points(value: Any) -> str:
    return significant(100 * float(value), 2)


def _ends(ends: Any, scale: float = 100.0) -> str:
    """Return an interval of shares in percent, or of perplexities."""
    lower, upper = (float(end) for end in ends)
    if math.isnan(lower):
        return significant(lower)
    texts = [f"{100 * end:.1f}" if scale == 100.0 else significant(end, 4) for end in (lower, upper)]
    return f"[{', '.join(texts)}]"

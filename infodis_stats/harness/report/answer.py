"""The findings of an evaluation in words, each sentence with its number."""

from collections.abc import Iterator

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.harness.accuracies import FIXED_PASSES
from infodis_stats.harness.metrics import left_out_sentences
from infodis_stats.harness.report.accuracy_table import accuracy_rows, group_rows
from infodis_stats.harness.report.cells import ends, points
from infodis_stats.harness.report.comparison_table import comparison_sentences
from infodis_stats.harness.report.verdicts import noise_unknown
from infodis_stats.harness.report.view import View, scores_of
from infodis_stats.plots.numbers import significant

__all__ = ["answer"]

MOST_SENTENCES = 4  # of single tasks


def answer(view: View) -> Iterator[str]:
    """Yield the findings: comparisons of two models, accuracies, what is undecided, perplexities, and failures."""
    for compared in view.comparisons[:MOST_SENTENCES]:
        yield from comparison_sentences(compared)
    texts = [*group_rows(view), *accuracy_rows(view)]
    for row in texts[:MOST_SENTENCES]:
        yield (
            f"{row.get('group') or row['task']}: {row['score']} {row['accuracy, %']} %; the model's own {row['score']} "
            f"lies in {row['these questions, %']} % on these questions and in {row['questions like these, %']} % on "
            f"questions like these ({view.confidence} confidence)."
        )
    if len(texts) > MOST_SENTENCES:
        yield f"The table below has all {len(texts)} accuracies."
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
            f"{name}: {metric.replace('_', ' ')} {significant(float(words['value']), 4)}, {ends(words['ci'], 1)} for "
            f"these documents and {ends(words['population_ci'], 1)} for documents like these ({view.confidence} "
            "confidence)."
        )
    yield from left_out_sentences(view.tasks)
    if view.failures:
        failed = len(view.failures)
        items = "1 question or document" if failed == 1 else f"{failed:,} questions or documents"
        yield f"The model failed on {items}; all numbers here leave out what failed."


def _undecided(view: View) -> Iterator[str]:
    parts = view.accuracies.values()
    undecided, questions = (sum(int(part[key]) for part in parts) for key in ("undecided_by_any", "questions"))
    if undecided:
        reason = "the model's own answer may be another than the leader"
        yield f"{undecided:,} of {counted(questions, 'question')} are undecided: {reason}."
    else:
        yield f"All {questions:,} questions are settled: their leaders are significantly the model's own answers."


def _noise(view: View) -> Iterator[str]:
    """Say what the masks contribute to the accuracies."""
    rows = [(name, score, part.sel(score=score)) for name, part in view.accuracies.items() for score in scores_of(part)]
    if unknown := noise_unknown(view):
        yield f"The noise of the masks is not known for {'; '.join(unknown)}: estimates have no standard error."
        return
    flips: dict[str, float] = {}
    for _, score, part in rows:
        flips[score] = flips.get(score, 0.0) + float(part["flips"])
    counts = " and ".join(f"{significant(count, 2)} answers by {score}" for score, count in flips.items())
    name, score, part = max(rows, key=lambda row: float(row[2]["mask_stderr"]))
    yield (
        f"Masks are expected to turn {counts} from right to wrong or back; the largest standard error over masks is "
        f"{points(part['mask_stderr'])} points ({name}, {score}), where that over questions is "
        f"{points(part['stderr'])}."
    )

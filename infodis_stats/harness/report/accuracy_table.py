"""Accuracies of tasks and of groups of tasks, as rows of a table."""

from collections.abc import Iterator

import xarray as xr

from infodis_stats.harness.report.cells import ends, known_or_nan, points, share
from infodis_stats.harness.report.view import View, scores_of
from infodis_stats.plots.numbers import significant

__all__ = ["accuracy_rows", "group_rows"]


def accuracy_rows(view: View) -> list[dict[str, str]]:
    """Return one row per task and score."""
    return [_accuracy_row(name, score, part) for name, part in view.accuracies.items() for score in scores_of(part)]


def group_rows(view: View) -> list[dict[str, str]]:
    """Return one row per group of tasks and score, from the results of the harness."""
    return [row for name in view.results.get("groups", {}) for row in _group_rows(view, name)]


def _accuracy_row(name: str, score: str, part: xr.Dataset) -> dict[str, str]:
    cell = part.sel(score=score)
    return {
        "task": name,
        "score": score,
        "questions": f"{int(part['questions']):,}",
        "accuracy, %": share(cell["value"]),
        "± over questions": points(cell["stderr"]),
        "± over masks": points(cell["mask_stderr"]),
        "these questions, %": ends(cell["ci"]),
        "questions like these, %": ends(cell["population_ci"]),
        "undecided": f"{int(cell['undecided']):,}",
        "expected flips": significant(float(cell["flips"]), 2),
    }


def _group_rows(view: View, name: str) -> Iterator[dict[str, str]]:
    entry = view.results["groups"][name]
    for key in entry:
        metric, _, filtered = key.partition(",")
        noise = f"{metric}_mask_stderr,{filtered}"
        if noise in entry:
            stderr = entry.get(f"{metric}_stderr,{filtered}")
            yield {
                "group": str(entry.get("alias", name)),
                "score": metric,
                "accuracy, %": share(entry[key]),
                "± over questions": points(known_or_nan(stderr)),
                "± over masks": points(known_or_nan(entry[noise])),
                "these questions, %": ends(entry[f"{metric}_mask_ci,{filtered}"]),
                "questions like these, %": ends(entry[f"{metric}_population_mask_ci,{filtered}"]),
                "undecided": f"{entry[f'{metric}_mask_undecided,{filtered}']:,}",
                "expected flips": significant(known_or_nan(entry[f"{metric}_mask_flips,{filtered}"]), 2),
            }

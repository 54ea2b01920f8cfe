"""The tasks of an evaluation with what is computed from them once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
import xarray as xr

from infodis_stats.harness.accuracies import accuracies
from infodis_stats.harness.metrics import scored
from infodis_stats.harness.perplexities import perplexities
from infodis_stats.harness.report.open_questions import open_questions

__all__ = ["View", "scores_of"]

MOST_PANELS = 6


@dataclass(frozen=True, eq=False)
class View:
    """The tasks by name, results of the harness, comparisons of two models, and the confidence level."""

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
        """The known tasks with choices."""
        return {name: data for name, data in self.known.items() if data.attrs["kind"] == "choices"}

    @cached_property
    def accuracies(self) -> dict[str, xr.Dataset]:
        """The accuracies of tasks with choices."""
        return {name: accuracies(self.tasks[name], self.level) for name in self.choices}

    @cached_property
    def perplexities(self) -> dict[str, xr.Dataset]:
        """The perplexities of the other tasks."""
        names = [name for name, data in self.known.items() if data.attrs["kind"] == "perplexity"]
        return {name: perplexities(self.tasks[name], self.level) for name in names}

    @cached_property
    def open_questions(self) -> pd.DataFrame:
        """The undecided questions of all tasks, the closest first."""
        tables = [open_questions(data).assign(task=name) for name, data in self.choices.items()]
        return pd.concat(tables).sort_values("chance", kind="stable", ignore_index=True)

    @cached_property
    def failures(self) -> list[tuple[str, str, str]]:
        """Return the task, the document and the reason of each failure."""
        return [
            (name, str(document), str(reason))
            for name, data in self.tasks.items()
            for document, reason in zip(
                data[data["failed"].dims[0]].values.tolist(), data["failed"].values.tolist(), strict=True
            )
            if reason
        ]

    @property
    def confidence(self) -> str:
        """The confidence level in words."""
        return f"{100 * self.level:g} %"

    def most_open(self) -> list[str]:
        """Return the tasks that figures show: those with most undecided questions, in their order."""
        counts = {name: int(part["undecided_by_any"]) for name, part in self.accuracies.items()}
        shown = sorted(counts, key=lambda name: -counts[name])[:MOST_PANELS]
        return [name for name in counts if name in shown]


def scores_of(summary: xr.Dataset) -> list[str]:
    """Return the names of the scores of a task."""
    return [str(score) for score in summary["score"].values.tolist()]

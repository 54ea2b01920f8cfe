"""What the metrics of all tasks share: which questions count, and the names of the numbers."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats import analysis
from infodis_stats.results.labels import Variable

__all__ = ["VARIABLES", "ends_of", "left_out_sentences", "question_passes", "scored"]

VARIABLES = {
    "value": Variable("1", "metric as the harness computes it"),
    "stderr": Variable("1", "standard error of the metric over questions, as the harness computes it"),
    "mask_stderr": Variable("1", "standard error of the metric over masks"),
    "flips": Variable("1", "expected number of questions that the masks turn from right to wrong or back"),
    "ci": Variable("1", "confidence interval of the model's own metric on these questions or documents"),
    "population_ci": Variable("1", "confidence interval of the model's own metric on the population"),
    "undecided": Variable("1", "number of questions whose leader is not significantly the model's own answer"),
    "dominated": Variable("1", "whether a few documents dominate the metric of the population"),
    "documents": Variable("1", "documents that were scored"),
    "failed_documents": Variable("1", "documents on which the model failed"),
    "passes": Variable("1", "forward passes spent"),
    "passes_of_128": Variable("1", "forward passes spent over 128 for each choice"),
    "undecided_by_any": Variable("1", "number of questions that are undecided by at least one score"),
    "questions": Variable("1", "questions that were scored"),
    "failed_questions": Variable("1", "questions on which the model failed"),
}


def scored(data: xr.Dataset) -> xr.Dataset:
    """Return a task's data set without the questions or documents on which the model failed.

    Raises
    ------
    InputError
        If none is left.
    """
    (unit,) = data["failed"].dims
    kept = data.isel({unit: data["failed"].values == ""})
    if not kept.sizes[unit]:
        first = str(data["failed"].values[0]) if data["failed"].size else f"it has no {unit}"
        raise InputError(f"{data.attrs.get('task', 'the task')}: no {unit} was scored: {first}")
    return kept


def question_passes(data: xr.Dataset) -> xr.DataArray:
    """Return the forward passes of each question, over its choices; padded choices have none.

    Examples
    --------
    >>> question_passes(xr.Dataset({"forward_passes": (("question", "choice"), [[8, 8], [16, -1]])})).values
    array([16, 16])
    """
    return data["forward_passes"].clip(min=0).sum("choice")


def left_out_sentences(tasks: Mapping[str, xr.Dataset]) -> Iterator[str]:
    """Say which tasks have no result at all, and where contexts did not fit into the model.

    Examples
    --------
    >>> dropped = {"dropped": (("question", "choice"), [[3, 0], [0, 0]]), "failed": ("question", ["", ""])}
    >>> list(left_out_sentences({"arc": xr.Dataset(dropped)}))
    ['arc: the contexts of 1 of 2 questions are too long for the model and lost their first tokens.']
    """
    for name, data in tasks.items():
        (unit,) = data["failed"].dims
        failed = data["failed"].values != ""
        if failed.all():
            yield f"{name}: no {unit} could be scored, so neither it nor a group with it has a row."
        elif "dropped" in data:
            rows = data["dropped"].transpose(unit, ...).values.reshape(len(failed), -1)
            count = int((rows > 0).any(axis=1).sum())
            if count:
                yield (
                    f"{name}: the contexts of {count:,} of {len(failed):,} {unit}s are too long for the model and lost "
                    "their first tokens."
                )


def ends_of(intervals: Sequence[analysis.Interval]) -> NDArray[np.float64]:
    """Return the ends of intervals, shape (interval, 2)."""
    return np.array([(interval.lower, interval.upper) for interval in intervals], dtype=np.float64)

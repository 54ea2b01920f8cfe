"""The outcome of sampling: items with an estimate, and failed ones, which are reported."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import Model, ModelError, Target
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.laws import Law
from infodis_stats.results.labels import describe

__all__ = ["IMPOSSIBLE", "Outcome", "exact_nlls", "outcome_of"]

T = TypeVar("T")

NOTHING = {"f": np.nan, "i": 0, "b": False, "U": ""}
"""The values of a failed item, by the kind of a variable."""

IMPOSSIBLE = "the law gives it probability 0, so the likelihood is 0 and has no estimate"


@dataclass(frozen=True, eq=False)
class Outcome:
    """The statistics of all draws, and of those that have an estimate.

    Attributes
    ----------
    every : list of DrawStatistics
        Failed draws have a `problem`.
    exact : list of float
        Of the kept draws; empty unless the models are exact laws.
    """

    every: list[DrawStatistics]
    exact: list[float]

    @property
    def kept(self) -> list[DrawStatistics]:
        """The statistics of the draws that have an estimate."""
        return [item for item in self.every if item.problem is None]

    def complete(self) -> "Outcome":
        """Return this outcome. Raises `ModelError` if a draw has failed, with the problem of the first one."""
        _refuse_failed(self.every)
        return self

    def of_kept(self, values: Sequence[T]) -> list[T]:
        """Return those of values over all draws that belong to the kept ones."""
        return [value for value, item in zip(values, self.every, strict=True) if item.problem is None]

    @property
    def lengths(self) -> list[int]:
        """Scored positions of the items that are kept."""
        return [item.cell.item.sides[0].length for item in self.kept]

    @property
    def forward_passes(self) -> int:
        """Passes run for all draws."""
        return sum(item.forward_passes for item in self.every)

    def variables(self) -> dict[str, Any]:
        """Return the variables over the draws that are kept: their passes, and exact values where they are known."""
        passes = [item.forward_passes for item in self.kept]
        return {"forward_passes": passes} | ({"exact": self.exact} if self.exact else {})

    def with_failed(self, dataset: xr.Dataset, labels: Sequence[object]) -> xr.Dataset:
        """Add a row for each failed draw to a data set of the kept ones, with the problem in ``failed``.

        Unchanged if no draw has failed. Variables of failed rows are NaN, 0, False or empty, except ``length`` and
        ``forward_passes``.
        """
        kept = np.array([item.problem is None for item in self.every])
        if kept.all():
            return dataset
        unit = str(dataset["forward_passes"].dims[0])
        known = {
            "length": [item.cell.item.sides[0].length for item in self.every],
            "forward_passes": [item.forward_passes for item in self.every],
        }
        columns: dict[Hashable, Any] = {unit: (unit, list(labels))}
        for name, variable in dataset.data_vars.items():
            values = np.full((len(kept), *variable.shape[1:]), NOTHING[variable.dtype.kind], dtype=variable.dtype)
            values[...] = known.get(str(name), values)
            values[kept] = variable.values
            columns[name] = (variable.dims, values, variable.attrs)
        columns["failed"] = (unit, [item.problem or "" for item in self.every])
        return describe(dataset.drop_dims(unit).assign(columns))


def outcome_of(models: Sequence[Model], statistics: Sequence[DrawStatistics]) -> Outcome:
    """Return the outcome of draws: their statistics, exact values and problems.

    A draw also fails if the likelihood is 0 under an exact law: the losses may still be finite, because noise makes
    every sequence possible and few masks may miss the impossible part.

    Parameters
    ----------
    models : sequence of Model
        One for each side of a draw.
    statistics : sequence of DrawStatistics

    Raises
    ------
    ModelError
        If there is no estimate at all, with the problem of the first draw.
    """
    sampled = [item for item in statistics if item.problem is None]
    values = iter(_exact_values(models, sampled))
    exact = [None if item.problem else next(values) for item in statistics]
    impossible = [value is not None and not np.isfinite(value) for value in exact]
    every = [
        replace(item, problem=IMPOSSIBLE) if without else item
        for item, without in zip(statistics, impossible, strict=True)
    ]
    if all(item.problem for item in every):
        _refuse_failed(every)
    return Outcome(every, [value for value in exact if value is not None and np.isfinite(value)])


def _refuse_failed(statistics: Sequence[DrawStatistics]) -> None:
    for item in statistics:
        if item.problem is not None:
            raise ModelError(f"{item.cell.item.label}, {item.problem}")


def _exact_values(models: Sequence[Model], statistics: Sequence[DrawStatistics]) -> list[float] | list[None]:
    """Return the negative log-likelihood of each target, or the log ratio of two, under exact laws; else None."""
    laws = [model for model in models if isinstance(model, Law)]
    if not statistics or len(laws) < len(models):
        return [None] * len(statistics)
    nlls = [exact_nlls(law, [item.cell.item.sides[side] for item in statistics]) for side, law in enumerate(laws)]
    with np.errstate(invalid="ignore"):  # two sides of probability 0 have no ratio: NaN
        values: list[float] = (nlls[0] if len(nlls) == 1 else nlls[1] - nlls[0]).tolist()
    return values


def exact_nlls(law: Law, targets: Sequence[Target]) -> NDArray[np.float64]:
    """Return the negative log-likelihoods of targets, those of one length at a time."""
    nlls = np.empty(len(targets))
    lengths = np.array([len(target.tokens) for target in targets])
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length).tolist()
        tokens = np.stack([targets[place].tokens for place in places])
        given = np.ones(tokens.shape, dtype=bool)
        for row, place in enumerate(places):
            given[row, targets[place].scored] = False
        nlls[places] = law.nll(tokens, context=given)
    return nlls

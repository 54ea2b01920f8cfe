"""The outcome of sampling: items with an estimate, and failed ones, which are reported."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import Draw, Model, ModelError, Target
from estimators.reduction import Reduction
from infodis_stats.estimates.loss_profile import LossProfile, loss_profile
from infodis_stats.laws import Law
from infodis_stats.results.labels import describe

__all__ = ["Outcome", "outcome_of"]

NOTHING = {"f": np.nan, "i": 0, "b": False, "U": ""}
"""The values of a failed item, by the kind of a variable."""

IMPOSSIBLE = "the law gives it probability 0, so the likelihood is 0 and has no estimate"


@dataclass(frozen=True, eq=False)
class Outcome:
    """All draws, and those that have an estimate.

    Attributes
    ----------
    draws : list of Draw
        All draws; failed ones have a `problem`.
    forward_passes : list of int
        Passes run for each draw, those of profiles included.
    kept : list of Draw
        Draws that have an estimate.
    profiles : list of LossProfile
        Of the kept draws.
    exact : list of float
        Of the kept draws; empty unless the models are exact laws.
    """

    draws: list[Draw]
    forward_passes: list[int]
    kept: list[Draw]
    profiles: list[LossProfile]
    exact: list[float]

    def complete(self) -> "Outcome":
        """Return this outcome. Raises `ModelError` if a draw has failed, with the problem of the first one."""
        _refuse_failed(self.draws)
        return self

    def labels_kept(self, labels: Sequence[object]) -> list[object]:
        """Return the labels of the draws that are kept."""
        return [label for label, draw in zip(labels, self.draws, strict=True) if draw.problem is None]

    @property
    def lengths(self) -> list[int]:
        """Scored positions of the items that are kept."""
        return [draw.cell.item.sides[0].length for draw in self.kept]

    def variables(self) -> dict[str, Any]:
        """Return the variables over the draws that are kept: their passes, and exact values where they are known."""
        passes = self.labels_kept(self.forward_passes)
        return {"forward_passes": passes} | ({"exact": self.exact} if self.exact else {})

    def with_failed(self, dataset: xr.Dataset, labels: Sequence[object]) -> xr.Dataset:
        """Add a row for each failed draw to a data set of the kept ones, with the problem in ``failed``.

        Unchanged if no draw has failed. Variables of failed rows are NaN, 0, False or empty, except ``length`` and
        ``forward_passes``.
        """
        kept = np.array([draw.problem is None for draw in self.draws])
        if kept.all():
            return dataset
        unit = str(dataset["forward_passes"].dims[0])
        lengths = [draw.cell.item.sides[0].length for draw in self.draws]
        known = {"length": lengths, "forward_passes": self.forward_passes}
        columns: dict[Hashable, Any] = {unit: (unit, list(labels))}
        for name, variable in dataset.data_vars.items():
            values = np.full((len(kept), *variable.shape[1:]), NOTHING[variable.dtype.kind], dtype=variable.dtype)
            values[...] = known.get(str(name), values)
            values[kept] = variable.values
            columns[name] = (variable.dims, values, variable.attrs)
        columns["failed"] = (unit, [draw.problem or "" for draw in self.draws])
        return describe(dataset.drop_dims(unit).assign(columns))


def outcome_of(models: Sequence[Model], draws: Sequence[Draw]) -> Outcome:
    """Return the outcome of draws: their loss profiles, exact values and problems.

    A draw also fails if the model fails on the full mask, which may not be among its masks, or if the likelihood is 0
    under an exact law: the losses may still be finite, because noise makes every sequence possible and few
    masks may miss the impossible part.

    Parameters
    ----------
    models : sequence of Model
        One for each side of a draw.
    draws : sequence of Draw

    Raises
    ------
    ModelError
        If there is no estimate at all, with the problem of the first draw.
    """
    sampled = [draw for draw in draws if not draw.problem]
    known = zip(map(loss_profile, sampled), _exact_values(models, sampled), strict=True)
    judged = [_judged(draw, *((None, None) if draw.problem else next(known))) for draw in draws]
    kept = [item for item in judged if item[0].problem is None]
    if not kept:
        _refuse_failed([draw for draw, _, _ in judged])
    return Outcome(
        draws=[draw for draw, _, _ in judged],
        forward_passes=[draw.forward_passes for draw, _, _ in judged],
        kept=[draw for draw, _, _ in kept],
        profiles=[profile for _, profile, _ in kept if profile],
        exact=[exact for _, _, exact in kept if exact is not None],
    )


def _refuse_failed(draws: Sequence[Draw]) -> None:
    for draw in draws:
        if draw.problem is not None:
            raise ModelError(f"{draw.cell.item.label}, {draw.problem}")


def _judged(
    draw: Draw, profile: LossProfile | None, exact: float | None
) -> tuple[Draw, LossProfile | None, float | None]:
    """Return the draw (with its problem, if it has no estimate), its profile, and its exact value under laws."""
    if profile is None:
        return draw, None, None
    impossible = exact is not None and not np.isfinite(exact)
    problem = profile.problem or (IMPOSSIBLE if impossible else None)
    if problem is None:
        return draw, profile, exact
    nothing = Reduction(np.full(draw.cell.replicates, np.nan))
    return replace(draw, reduction=nothing, problem=problem), profile, None


def _exact_values(models: Sequence[Model], draws: Sequence[Draw]) -> list[float] | list[None]:
    """Return the negative log-likelihood of each target, or the log ratio of two, under exact laws; else None."""
    laws = [model for model in models if isinstance(model, Law)]
    if not draws or len(laws) < len(models):
        return [None] * len(draws)
    nlls = [_law_nlls(law, [draw.cell.item.sides[side] for draw in draws]) for side, law in enumerate(laws)]
    with np.errstate(invalid="ignore"):  # two sides of probability 0 have no ratio: NaN
        values: list[float] = (nlls[0] if len(nlls) == 1 else nlls[1] - nlls[0]).tolist()
    return values


def _law_nlls(law: Law, targets: Sequence[Target]) -> NDArray[np.float64]:
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

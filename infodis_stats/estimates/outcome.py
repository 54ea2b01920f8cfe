"""What has come of sampling: items with an estimate, and those that have failed, which are reported."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import xarray as xr

from estimators import Draw, Model, ModelError
from infodis_stats.estimates.origin import exact_value
from infodis_stats.estimates.profile import Profile, loss_profiles
from infodis_stats.results.labels import describe

__all__ = ["Outcome", "outcome_of"]

NOTHING = {"f": np.nan, "i": 0, "b": False, "U": ""}
"""What stands for a failed item, by the kind of a variable."""

IMPOSSIBLE = "the law gives it probability 0, so the likelihood is 0 and has no estimate"


@dataclass(frozen=True, eq=False)
class Outcome:
    """Draws, and what is known of those that have an estimate.

    Attributes
    ----------
    draws : list of Draw
        All of them; failed ones have a `problem`.
    forward_passes : list of int
        Passes run for each of them, those of profiles included.
    kept : list of Draw
        Those that have an estimate.
    profiles : list of Profile
        Of those that are kept.
    exact : list of float
        Of those that are kept; empty under models that are no exact laws.
    """

    draws: list[Draw]
    forward_passes: list[int]
    kept: list[Draw]
    profiles: list[Profile]
    exact: list[float]

    def complete(self) -> "Outcome":
        """Return this outcome. Raises `ModelError` if a draw has failed; says how the first has."""
        _refuse_failed(self.draws)
        return self

    def labels_kept(self, labels: Sequence[object]) -> list[object]:
        """Return the labels of the draws that are kept."""
        return [label for label, one in zip(labels, self.draws, strict=True) if one.problem is None]

    def variables(self) -> dict[str, Any]:
        """Return the variables over the draws that are kept: their passes, and exact values where there are some."""
        passes = self.labels_kept(self.forward_passes)
        return {"forward_passes": passes} | ({"exact": self.exact} if self.exact else {})

    def with_failed(self, dataset: xr.Dataset, labels: Sequence[object]) -> xr.Dataset:
        """Give a data set of the kept draws a row for each failed one, and say in ``failed`` how it failed.

        The same data set, if none has. Failed rows are NaN, 0, False or empty but for ``length`` and
        ``forward_passes``.
        """
        kept = np.array([one.problem is None for one in self.draws])
        if kept.all():
            return dataset
        unit = str(dataset["forward_passes"].dims[0])
        lengths = [one.cell.item.sides[0].length for one in self.draws]
        known = {"length": lengths, "forward_passes": self.forward_passes}
        columns: dict[Hashable, Any] = {unit: (unit, list(labels))}
        for name, variable in dataset.data_vars.items():
            values = np.full((len(kept), *variable.shape[1:]), NOTHING[variable.dtype.kind], dtype=variable.dtype)
            values[...] = known.get(str(name), values)
            values[kept] = variable.values
            columns[name] = (variable.dims, values, variable.attrs)
        columns["failed"] = (unit, [one.problem or "" for one in self.draws])
        return describe(dataset.drop_dims(unit).assign(columns))


def outcome_of(
    models: Sequence[Model], draws: Sequence[Draw], *, batch_size: int | None, device: torch.device | str
) -> Outcome:
    """Find the profiles and exact values of draws, and which of them have no estimate after all.

    A draw fails where the model fails on the mask of everything, which its own masks may have left out. It fails where
    an exact law knows that the likelihood is 0: noise joins all sequences, and few masks may miss what is impossible,
    so that their losses are finite all the same.

    Parameters
    ----------
    models : sequence of Model
        One for each side of a draw.
    draws : sequence of Draw
    batch_size, device
        See `estimators.evaluate`.

    Raises
    ------
    ModelError
        If there is no estimate at all; says how the first has failed.
    """
    found = iter(loss_profiles(models, [one for one in draws if not one.problem], batch_size=batch_size, device=device))
    judged = [_judged(models, one, None if one.problem else next(found)) for one in draws]
    kept = [one for one in judged if one[0].problem is None]
    if not kept:
        _refuse_failed([drawn for drawn, _, _ in judged])
    return Outcome(
        draws=[drawn for drawn, _, _ in judged],
        forward_passes=[drawn.forward_passes + (one.forward_passes if one else 0) for drawn, one, _ in judged],
        kept=[drawn for drawn, _, _ in kept],
        profiles=[profile for _, profile, _ in kept if profile],
        exact=[exact for _, _, exact in kept if exact is not None],
    )


def _refuse_failed(draws: Sequence[Draw]) -> None:
    for one in draws:
        if one.problem is not None:
            raise ModelError(f"{one.cell.item.label}, {one.problem}")


def _judged(models: Sequence[Model], draw: Draw, profile: Profile | None) -> tuple[Draw, Profile | None, float | None]:
    """Return the draw, failed if it has to be, its profile, and its exact value under laws."""
    if profile is None:
        return draw, None, None
    exact = exact_value(models, draw.cell.item.sides)
    impossible = exact is not None and not np.isfinite(exact)
    problem = profile.problem or (IMPOSSIBLE if impossible else None)
    if problem is None:
        return draw, profile, exact
    return replace(draw, estimates=np.full(draw.cell.replicates, np.nan), problem=problem), profile, None

"""Where estimates come from: the attributes that say what made them, where they cannot be trusted, and the truth."""

import json
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from estimators import Auto, Cell, ConditionalModel, Contrast, Draw, Estimator, Target
from infodis_stats.cautions import CAUTIONS, cautions_of
from infodis_stats.estimates.profile import Profile
from infodis_stats.intervals import ErrorBar
from infodis_stats.oracles import Law
from infodis_stats.provenance import SCHEMA, model_fingerprint, versions

__all__ = ["cautions_found", "exact_value", "what_made_it"]


def exact_value(law: Law, first: Target, second: Target | None = None) -> float:
    """Return the law's own negative log-likelihood of a target, or log ratio of two."""
    given = np.ones(len(first.tokens), dtype=bool)
    given[first.scored] = False
    own = float(law.nll(first.tokens[None], context=given[None])[0])
    return own if second is None else exact_value(law, second) - own


def cautions_found(draws: Sequence[Draw], profiles: Sequence[Profile], bars: Sequence[ErrorBar]) -> list[str]:
    """Return the keys of the cautions that hold for some of the draws."""
    found = {
        key
        for drawn, profile, bar in zip(draws, profiles, bars, strict=True)
        for key in cautions_of(
            cast("Estimator | Contrast", drawn.cell.sampler),
            bar.degrees + 1.0,
            np.array([profile.effective_positions]),
            np.array([profile.full_mask_ratio]),
            passes=drawn.cell.passes * drawn.cell.replicates,
        )
    }
    return [key for key in CAUTIONS if key in found]


def what_made_it(
    model: ConditionalModel,
    cell: Cell,
    lengths: Iterable[int],
    *,
    seed: int,
    level: float,
    forward_passes: int,
    cautions: list[str],
    interval: str = "student-t",
    simultaneous: bool = False,
) -> dict[str, str | int | float]:
    """Return the attributes of a data set of estimates: of items of these lengths, one of which is the cell's."""
    return {
        "estimator": cell.sampler.name,
        "choices": json.dumps(_choices(cell, model, lengths)),
        "passes": cell.passes,
        "replicates": cell.replicates,
        "seed": seed,
        "ci_kind": interval,
        "ci_prob": level,
        "ci_simultaneous": int(simultaneous),
        "forward_passes": forward_passes,
        "cautions": json.dumps({key: CAUTIONS[key] for key in cautions}),
        "model": model_fingerprint(model),
        "versions": json.dumps(versions()),
        "schema": SCHEMA,
    }


def _choices(cell: Cell, model: ConditionalModel, lengths: Iterable[int]) -> dict[str, str]:
    """Return what ``auto`` chose, and why."""
    one = cell.sampler.estimator if isinstance(cell.sampler, Contrast) else cell.sampler
    if not isinstance(one, Auto):
        return {}
    choices = [one.knowing(model).choose(length, cell.passes) for length in sorted(set(lengths))]
    return {choice.estimator.name: choice.why for choice in choices}

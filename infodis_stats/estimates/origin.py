"""Where estimates come from: the attributes that say what made them, where they cannot be trusted, and the truth."""

import json
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from estimators import Absorbing, Cell, Contrast, Draw, Estimator, Model, Target
from estimators.contrast import estimator_of
from estimators.model import is_consistent
from infodis_stats.estimates.profile import Profile
from infodis_stats.estimates.remainder import Remainder
from infodis_stats.io.store import SCHEMA
from infodis_stats.laws import Law
from infodis_stats.results.error_bars import ErrorBar
from infodis_stats.results.labels import LARGEST_REMAINDER
from infodis_stats.results.provenance import model_fingerprint, versions
from infodis_stats.results.validity import CAUTIONS, cautions_of

__all__ = ["cautions_found", "exact_value", "what_made_it"]


def exact_value(models: Sequence[Model], sides: Sequence[Target]) -> float | None:
    """Return the negative log-likelihood of a target under an exact law, or the log ratio of two; None under others.

    Parameters
    ----------
    models : sequence of Model
        One for each side.
    sides : sequence of Target
    """
    nlls = [_law_nll(model, side) for model, side in zip(models, sides, strict=True) if isinstance(model, Law)]
    if len(nlls) < len(sides):
        return None
    return nlls[0] if len(nlls) == 1 else nlls[1] - nlls[0]


def _law_nll(law: Law, target: Target) -> float:
    given = np.ones(len(target.tokens), dtype=bool)
    given[target.scored] = False
    return float(law.nll(target.tokens[None], context=given[None])[0])


LARGEST_LOSS = 8.0  # nats of a position that score entropies tell well: intervals covered 92 % at 9, and 84 % at 12


def cautions_found(
    draws: Sequence[Draw],
    profiles: Sequence[Profile],
    bars: Sequence[ErrorBar],
    missing: Sequence[Remainder] | None = None,
    *,
    models: Sequence[Model],
) -> dict[str, str]:
    """Return the cautions that hold for some of the draws, each with its sentence.

    With remainders, the estimates are not biased by what they lack, as the intervals have it.
    """
    found = {
        caution.key
        for drawn, profile, bar in zip(draws, profiles, bars, strict=True)
        for caution in cautions_of(
            cast("Estimator | Contrast", drawn.cell.sampler),
            bar.degrees + 1.0,
            np.array([profile.effective_positions]),
            np.array([profile.full_mask_ratio]),
            passes=drawn.cell.passes * drawn.cell.replicates,
        )
    }
    if missing is not None:
        found.discard("biased")
    estimators = [(drawn, one) for drawn in draws if (one := estimator_of(drawn.cell.sampler)) is not None]
    if not all(is_consistent(model) for model in models) and any(one.marginal for _, one in estimators):
        found.add("not-one-law")
    if any(_largest_loss(drawn) > LARGEST_LOSS for drawn, one in estimators if one.noise not in (None, Absorbing())):
        found.add("rare-tokens")
    largest = max((max(one.upper, -one.lower) for one in missing or ()), default=0.0)
    told = {key: caution.sentence for key, caution in CAUTIONS.items() if key in found}
    if largest > LARGEST_REMAINDER:
        told["unfinished-noise"] = f"{CAUTIONS['unfinished-noise'].sentence}: up to {largest:.3g} nats of some sequence"
    return told


def _largest_loss(draw: Draw) -> float:
    """Return what the most expensive position costs, in nats."""
    costs = [(one.plan.weights * one.losses).sum(axis=(0, 1)).max() for one in draw.evaluations]
    return float(np.max(costs)) / draw.cell.replicates


def what_made_it(
    model: Model,
    cell: Cell,
    lengths: Iterable[int],
    *,
    seed: int,
    level: float,
    forward_passes: int,
    cautions: dict[str, str],
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
        "cautions": json.dumps(cautions),
        "model": model_fingerprint(model),
        "versions": json.dumps(versions()),
        "schema": SCHEMA,
    }


def _choices(cell: Cell, model: Model, lengths: Iterable[int]) -> dict[str, str]:
    """Return what ``auto`` chose, and why."""
    estimator = estimator_of(cell.sampler)
    if estimator is None:
        return {}
    choices = [estimator.choice(length, cell.passes, model) for length in sorted(set(lengths))]
    return {choice.estimator.name: choice.why for choice in choices if choice is not None}

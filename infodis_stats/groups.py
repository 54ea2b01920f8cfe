"""Groups: what a study scores, drawn from a law as its file says, with the exact values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from estimators import InputError, Pair, Target, make_pairs, make_targets
from infodis_stats.oracles import Law, TableLaw
from infodis_stats.spec import PairsSpec, StudySpec, TargetsSpec

__all__ = ["Group", "make_groups"]


@dataclass(frozen=True, eq=False)
class Group:
    """A fixed set of targets or pairs, and the exact value of each in nats."""

    name: str
    items: tuple[Target, ...] | tuple[Pair, ...]
    truth: NDArray[np.float64]


def make_groups(law: Law, spec: StudySpec) -> list[Group]:
    """Draw the groups of a study."""
    return [*(_targets(law, one) for one in spec.targets), *(_pairs(law, one) for one in spec.pairs)]


def _targets(law: Law, spec: TargetsSpec) -> Group:
    if spec.sequences == "support":
        if not isinstance(law, TableLaw):
            raise InputError(f'group {spec.name!r}: sequences = "support" needs a table law')
        tokens = law.sequences
    elif spec.sequences is not None:
        tokens = law.encode(spec.sequences)
    else:
        assert spec.count is not None
        tokens = law.sample(spec.count, length=spec.length, seed=spec.seed)
    return Group(spec.name, tuple(make_targets(tokens, spec.context)), law.nll(tokens, context=spec.context))


def _pairs(law: Law, spec: PairsSpec) -> Group:
    first_seed, second_seed = np.random.SeedSequence(spec.seed).spawn(2)
    first = law.sample(spec.count, length=spec.length, seed=first_seed)
    if spec.edit == "unrelated":
        second = law.sample(spec.count, length=spec.length, seed=second_seed)
        second[:, : spec.context] = first[:, : spec.context]  # both sides are scored under one context
    else:
        second = _substitute(first, spec, law.vocabulary_size, np.random.default_rng(second_seed))
    truth = law.nll(second, context=spec.context) - law.nll(first, context=spec.context)
    return Group(spec.name, tuple(make_pairs(first, second, spec.context)), truth)


def _substitute(
    tokens: NDArray[np.int64], spec: PairsSpec, vocabulary_size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    scored = spec.length - spec.context
    if spec.substitutions > scored:
        raise InputError(f"group {spec.name!r}: {spec.substitutions} substitutions in {scored} scored symbols")
    edited = tokens.copy()
    for row in edited:
        places = spec.context + rng.choice(scored, size=spec.substitutions, replace=False)
        row[places] = (row[places] + rng.integers(1, vocabulary_size, size=len(places))) % vocabulary_size
    return edited

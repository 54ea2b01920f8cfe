"""Groups of targets or pairs: drawn from a law or read from a file, with the law's exact values."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from estimators import InputError, Pair, Target, make_pairs, make_targets
from estimators.model import in_blocks
from infodis_stats.io.records import Record, TextPair, read_pairs, read_records
from infodis_stats.laws import TableLaw
from infodis_stats.models import TextModel, conditioned, conditioned_alternatives
from infodis_stats.studies.design.law_texts import Sequences, law_pairs, law_sequences
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_schema import PairsSpec, Scored, TargetsSpec

__all__ = ["Group", "items_of", "make_groups", "record_targets"]


@dataclass(frozen=True, eq=False)
class Group:
    """A fixed set of targets or pairs.

    Attributes
    ----------
    name : str
    items : tuple of Target or of Pair
    exact : array of float64, shape (item,), or None
        The exact value of each item under the law, in nats; None without a law.
    """

    name: str
    items: tuple[Target, ...] | tuple[Pair, ...]
    exact: NDArray[np.float64] | None


def make_groups(subject: Subject, spec: Scored) -> list[Group]:
    """Make the groups of a study, whose items know the blocks of the model."""
    groups = [*(_targets(subject, table) for table in spec.targets), *(_pairs(subject, table) for table in spec.pairs)]
    return [
        replace(group, items=tuple(in_blocks(item, subject.model) for item in group.items))  # type: ignore[arg-type]  # all targets, or all pairs
        for group in groups
    ]


def items_of(groups: Sequence[Group]) -> list[Target | Pair]:
    """Return the items of all groups, in order."""
    return [item for group in groups for item in group.items]


def _targets(subject: Subject, spec: TargetsSpec) -> Group:
    law, reader = subject.law, subject.reader
    if spec.records is not None:
        records = read_records(spec.records)
        given = None if law is None else law_sequences(law, spec.records, records)
        exact = None if given is None else given.nll()
        if reader is None:
            assert given is not None
            return Group(spec.name, tuple(make_targets(given.rows, given.context)), exact)
        return Group(spec.name, tuple(record_targets(reader, records, [str(spec.records)] * len(records))), exact)
    if law is None:
        assert reader is not None
        assert isinstance(spec.sequences, tuple)
        with _in(f"group {spec.name!r}"):
            rows = [
                conditioned(reader, f"sequence {index}", "", text).tokens for index, text in enumerate(spec.sequences)
            ]
            return Group(spec.name, tuple(make_targets(rows, spec.context)), None)
    if isinstance(spec.sequences, tuple):
        texts = [(f"group {spec.name!r}, sequence {index}", text) for index, text in enumerate(spec.sequences)]
        listed = Sequences.encoded(law, [(label, "", text, "") for label, text in texts], spec.context)
        return Group(spec.name, tuple(make_targets(subject.rows(listed.rows), spec.context)), listed.nll())
    if spec.sequences == "support":
        if not isinstance(law, TableLaw):
            raise InputError(f'group {spec.name!r}: sequences = "support" needs a table law')
        symbols = law.sequences
    else:
        assert spec.count is not None
        symbols = law.sample(spec.count, length=spec.length, seed=spec.seed)
    exact = law.nll(symbols, context=spec.context)
    return Group(spec.name, tuple(make_targets(subject.rows(symbols), spec.context)), exact)


def _pairs(subject: Subject, spec: PairsSpec) -> Group:
    law, reader = subject.law, subject.reader
    if spec.records is not None:
        pairs = read_pairs(spec.records)
        sides = None if law is None else law_pairs(law, spec.records, pairs)
        exact = None if sides is None else sides[1].nll() - sides[0].nll()
        if reader is None:
            assert sides is not None
            first, second = sides
            items = make_pairs(first.rows, second.rows, first.context, second_context=second.context)
            return Group(spec.name, tuple(items), exact)
        return Group(spec.name, tuple(_text_pairs(reader, pairs, str(spec.records))), exact)
    assert law is not None
    assert spec.count is not None
    first_seed, second_seed = np.random.SeedSequence(spec.seed).spawn(2)
    before = law.sample(spec.count, length=spec.length, seed=first_seed)
    if spec.edit == "unrelated":
        after = law.sample(spec.count, length=spec.second_length or spec.length, seed=second_seed)
        after[:, : spec.context] = before[:, : spec.context]  # both sides are scored under one context
    else:
        after = _substitute(before, spec, law.vocabulary_size, np.random.default_rng(second_seed))
    exact = law.nll(after, context=spec.context) - law.nll(before, context=spec.context)
    return Group(spec.name, tuple(make_pairs(subject.rows(before), subject.rows(after), spec.context)), exact)


def record_targets(network: TextModel, records: Sequence[Record], sources: Sequence[str]) -> list[Target]:
    """Return the target of each record, which must fit into the network whole; messages name its source."""
    encoded = []
    for record, source in zip(records, sources, strict=True):
        with _in(source):
            encoded.append(conditioned(network, record.name, record.prompt, record.response, record.suffix))
    rows, given = zip(*encoded, strict=True)
    return make_targets(rows, given)


@contextlib.contextmanager
def _in(source: str) -> Iterator[None]:
    """Put the source of a text before what is wrong with it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{source}, {error}") from error


def _text_pairs(network: TextModel, pairs: Sequence[TextPair], source: str) -> list[Pair]:
    with _in(source):
        sides = [conditioned_alternatives(network, pair.name, pair.prompt, [pair.first, pair.second]) for pair in pairs]
    (firsts, given), (seconds, other) = (zip(*side, strict=True) for side in zip(*sides, strict=True))
    return make_pairs(firsts, seconds, given, second_context=other)


def _substitute(
    tokens: NDArray[np.int64], spec: PairsSpec, vocabulary_size: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    assert spec.length is not None
    scored = spec.length - spec.context
    if spec.substitutions > scored:
        raise InputError(f"group {spec.name!r}: {spec.substitutions} substitutions in {scored} scored symbols")
    edited = tokens.copy()
    for row in edited:
        positions = spec.context + rng.choice(scored, size=spec.substitutions, replace=False)
        row[positions] = (row[positions] + rng.integers(1, vocabulary_size, size=len(positions))) % vocabulary_size
    return edited

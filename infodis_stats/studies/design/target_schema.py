"""Targets and pairs in study files: groups under a law, a network, or both."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from estimators import Contrast, Coupled, Decoupled, Estimator, estimator
from infodis_stats.results.error_bars import interval_names
from infodis_stats.studies.design.laws import LawSpec
from infodis_stats.studies.design.models import ModelSpec
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import check_names
from infodis_stats.studies.design.toml import Count, File, Name, Seed, StudyKeyError, TomlTable, hint

__all__ = [
    "SUBJECTS_EXAMPLE",
    "Contrasts",
    "EstimatorName",
    "Estimators",
    "IntervalName",
    "PairsSpec",
    "Passes",
    "Scored",
    "SubjectSpec",
    "Subjects",
    "TargetsSpec",
    "check_contrasts",
    "check_most_passes",
    "named_samplers",
]

MOST_SYMBOLS = 10**8  # of a group, all of which a study keeps in memory

ContrastName = Literal["coupled", "decoupled"]


def _estimator(name: str) -> str:
    estimator(name)  # names the nearest ones where there is none
    return name


def _interval(name: str) -> str:
    if name not in interval_names():
        advice = hint(name, interval_names()) or f"; there are {', '.join(interval_names())}"
        raise ValueError(f"there is no interval {name!r}{advice}")
    return name


EstimatorName = Annotated[str, AfterValidator(_estimator)]
IntervalName = Annotated[str, AfterValidator(_interval)]
Passes = Annotated[
    tuple[Count, ...], Field(strict=False, min_length=1, description="forward passes per replicate, one cell for each")
]
Estimators = Annotated[
    tuple[EstimatorName, ...],
    Field(strict=False, min_length=1, description="estimators to compare; 'infodis-stats estimators' lists the names"),
]
Contrasts = Annotated[
    tuple[ContrastName, ...],
    Field(strict=False, description="with pairs: how the masks of the two sides are drawn, ['coupled', 'decoupled']"),
]


def _all_given(length: int, context: int) -> str:
    return f"context must be less than length, {length}, or nothing is scored, got {context}"


class TargetsSpec(TomlTable):
    """A group of targets: drawn from the law, or ``sequences``, or the support of a table law, or a file of records."""

    name: Annotated[Name, Field(description="name of the group in the report")]
    count: Annotated[Count | None, Field(description="number of sequences to draw from the law")] = None
    length: Annotated[Count | None, Field(description="symbols per drawn sequence, context included")] = None
    context: Annotated[int, Field(ge=0, description="leading symbols that are given: never masked, never scored")] = 0
    seed: Annotated[Seed, Field(description="seed of the drawn sequences")] = 0
    sequences: Annotated[
        Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | Literal["support"] | None,
        Field(
            description="instead of count and length: a list of texts, or 'support' for all sequences of a table law"
        ),
    ] = None
    records: Annotated[
        File | None,
        Field(description="instead of count and length: file of texts (a text per line, JSON lines or FASTA)"),
    ] = None

    @property
    def drawn(self) -> bool:
        """Whether a law is needed."""
        return self.count is not None or self.sequences == "support"

    @model_validator(mode="after")
    def _one_source(self) -> "TargetsSpec":
        if sum(source is not None for source in (self.sequences, self.count, self.records)) != 1:
            raise ValueError("give either count and length, or sequences, or records")
        if self.count is not None and self.length is None:
            raise ValueError("count requires length")
        if self.length is not None and self.count is None:
            raise StudyKeyError("length requires count", "length")
        if self.length is not None and self.length <= self.context:
            raise StudyKeyError(_all_given(self.length, self.context), "context")
        if (self.count or 0) * (self.length or 0) > MOST_SYMBOLS:
            raise ValueError(f"count x length must be at most {MOST_SYMBOLS}")
        if self.records is not None and self.context:
            raise ValueError("context cannot be combined with records: each record has its own prompt")
        return self


class PairsSpec(TomlTable):
    """A group of pairs: near copies of one another or unrelated, drawn from the law; or a file of pairs of texts."""

    name: Annotated[Name, Field(description="name of the group in the report")]
    count: Annotated[Count | None, Field(description="number of pairs to draw from the law")] = None
    length: Annotated[Count | None, Field(description="symbols per drawn sequence, context included")] = None
    edit: Annotated[
        Literal["substitution", "unrelated"] | None,
        Field(description="second sequence of a pair: the first with substitutions, or an unrelated one"),
    ] = None
    substitutions: Annotated[Count, Field(description="symbols that differ, with edit = 'substitution'")] = 1
    second_length: Annotated[
        Count | None, Field(description="symbols of the second sequence, with edit = 'unrelated'; default: as many")
    ] = None
    context: Annotated[int, Field(ge=0, description="leading symbols that are given: never masked, never scored")] = 0
    seed: Annotated[Seed, Field(description="seed of the drawn sequences")] = 0
    records: Annotated[
        File | None,
        Field(description="instead of count, length and edit: file of pairs (JSON lines with first and second)"),
    ] = None

    @property
    def drawn(self) -> bool:
        """Whether a law is needed."""
        return self.records is None

    @model_validator(mode="after")
    def _one_source(self) -> "PairsSpec":
        drawn = (self.count, self.length, self.edit)
        if self.records is None:
            if any(value is None for value in drawn):
                raise ValueError("give count, length and edit, or records")
        elif any(value is not None for value in drawn) or self.context:
            raise ValueError("records cannot be combined with count, length, edit or context")
        if self.length is not None and self.length <= self.context:
            raise StudyKeyError(_all_given(self.length, self.context), "context")
        if self.second_length is not None and self.edit != "unrelated":
            raise ValueError('second_length requires edit = "unrelated"')
        if self.second_length is not None and self.second_length <= self.context:
            raise ValueError("second_length must be greater than context")
        if (self.count or 0) * max(self.length or 0, self.second_length or 0) > MOST_SYMBOLS:
            raise ValueError(f"count x length must be at most {MOST_SYMBOLS}")
        return self


class Scored(TomlTable):
    """What a study scores: ``[[targets]]`` or ``[[pairs]]`` under a ``[law]``, a ``[model]``, or both."""

    law: Annotated[
        LawSpec | None,
        Field(
            description="exact law that the sequences come from, scored itself if there is no model",
            examples=[{"kind": "markov-chain", "order": 1, "alphabet": "ACGT"}],
        ),
    ] = None
    model: Annotated[
        ModelSpec | None, Field(description="network that scores the sequences", examples=[{"name": "austen"}])
    ] = None
    targets: Annotated[
        tuple[TargetsSpec, ...],
        Field(
            strict=False,
            description="groups of sequences to score; give targets or pairs",
            examples=[{"name": "short", "count": 4, "length": 8}],
        ),
    ] = ()
    pairs: Annotated[
        tuple[PairsSpec, ...],
        Field(
            strict=False,
            description="groups of pairs of sequences, whose log ratio the contrasts estimate",
            examples=[{"name": "near", "count": 4, "length": 8, "edit": "substitution"}],
        ),
    ] = ()

    @model_validator(mode="after")
    def _something_to_score(self) -> "Scored":
        if self.scored_by_subjects:
            return self
        if bool(self.targets) == bool(self.pairs):
            raise ValueError("give either [[targets]] or [[pairs]]")
        if self.law is None and self.model is None:
            raise ValueError("give a [law], or a [model], or both: the law's sequences are then scored by the model")
        if self.law is None and any(group.drawn for group in self.groups):
            raise ValueError("sequences are drawn from a law: give a [law]")
        check_names("targets" if self.targets else "pairs", self.groups)
        return self

    @property
    def scored_by_subjects(self) -> bool:
        """Whether the tables of subjects have what is scored instead."""
        return False

    @property
    def groups(self) -> tuple[TargetsSpec, ...] | tuple[PairsSpec, ...]:
        """The targets or the pairs."""
        return self.targets or self.pairs

    @property
    def scenario(self) -> Scenario:
        """The law and the network."""
        return Scenario(self.law, self.model)


class SubjectSpec(Scored):
    """One of several subjects: its name, and the largest number of passes that it is run with."""

    name: Annotated[Name, Field(description="name of the subject in the report")]
    most_passes: Annotated[
        Count | None, Field(description="largest number of passes that it is run with; default: no limit")
    ] = None


SUBJECTS_EXAMPLE = [
    {
        "name": "DNA",
        "law": {"kind": "markov-chain", "order": 1},
        "targets": [{"name": "short", "count": 4, "length": 8}],
    }
]

Subjects = Annotated[
    tuple[SubjectSpec, ...],
    Field(
        strict=False,
        min_length=1,
        description="what is scored: laws or networks, each with its targets or pairs",
        examples=SUBJECTS_EXAMPLE,
    ),
]


def check_contrasts(subjects: Iterable[SubjectSpec], contrasts: Sequence[str]) -> None:
    """Refuse pairs without contrasts and contrasts without pairs; raises StudyKeyError that names the subject."""
    for index, subject in enumerate(subjects):
        if bool(subject.pairs) != bool(contrasts):
            problem = f'subject {subject.name!r}: contrasts = ["coupled", "decoupled"] and pairs go together'
            raise StudyKeyError(problem, *(("contrasts",) if contrasts else ("subjects", index, "pairs")))


def check_most_passes(subjects: Sequence[SubjectSpec], passes: Sequence[int]) -> None:
    """Refuse a subject that no number of passes is left for; raises StudyKeyError."""
    for index, subject in enumerate(subjects):
        if subject.most_passes is not None and subject.most_passes < min(passes):
            problem = f"subject {subject.name!r} cannot run: most_passes must be at least the smallest of passes, "
            raise StudyKeyError(f"{problem}{min(passes)}, got {subject.most_passes}", "subjects", index, "most_passes")


def named_samplers(estimators: Iterable[str], contrasts: Iterable[str] = ()) -> list[Estimator] | list[Contrast]:
    """Return the estimators of some names, or each of them under each contrast."""
    plain = [estimator(name) for name in estimators]
    by_name = {"coupled": Coupled, "decoupled": Decoupled}
    chosen = [by_name[contrast] for contrast in contrasts]
    return [contrast(sampler) for sampler in plain for contrast in chosen] if chosen else plain

"""Targets and pairs in study files: groups under a law, a network, or both."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Contrast, Coupled, Decoupled, Estimator, estimator
from infodis_stats.studies.design.laws import LawSpec
from infodis_stats.studies.design.models import ModelSpec
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.toml import Count, File, Name, Seed, TomlTable

__all__ = ["ContrastName", "PairsSpec", "Scored", "SubjectSpec", "TargetsSpec", "check_contrasts", "named_samplers"]

MOST_SYMBOLS = 10**8  # of a group, all of which a study keeps in memory

ContrastName = Literal["coupled", "decoupled"]


class TargetsSpec(TomlTable):
    """A group of targets: drawn from the law, or ``sequences``, or the support of a table law, or a file of records."""

    name: Name
    context: Annotated[int, Field(ge=0)] = 0
    count: Count | None = None
    length: Count | None = None
    seed: Seed = 0
    sequences: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | Literal["support"] | None = None
    records: File | None = None

    @property
    def drawn(self) -> bool:
        """Whether a law is needed."""
        return self.count is not None or self.sequences == "support"

    @model_validator(mode="after")
    def _one_source(self) -> "TargetsSpec":
        if sum(source is not None for source in (self.sequences, self.count, self.records)) != 1:
            raise ValueError("give one of count and length, or sequences, or records")
        if self.count is not None and self.length is None:
            raise ValueError("count requires length")
        if (self.count or 0) * (self.length or 0) > MOST_SYMBOLS:
            raise ValueError(f"count x length must be at most {MOST_SYMBOLS}")
        if self.records is not None and self.context:
            raise ValueError("context cannot be combined with records: each record has its own prompt")
        return self


class PairsSpec(TomlTable):
    """A group of pairs: near copies of one another or unrelated, drawn from the law; or a file of pairs of texts."""

    name: Name
    count: Count | None = None
    length: Count | None = None
    second_length: Count | None = None
    context: Annotated[int, Field(ge=0)] = 0
    seed: Seed = 0
    edit: Literal["substitution", "unrelated"] | None = None
    substitutions: Count = 1
    records: File | None = None

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
        if self.second_length is not None and self.edit != "unrelated":
            raise ValueError('second_length requires edit = "unrelated"')
        if self.second_length is not None and self.second_length <= self.context:
            raise ValueError("second_length must be greater than context")
        if (self.count or 0) * max(self.length or 0, self.second_length or 0) > MOST_SYMBOLS:
            raise ValueError(f"count x length must be at most {MOST_SYMBOLS}")
        return self


class Scored(TomlTable):
    """What a study scores: ``[[targets]]`` or ``[[pairs]]`` under a ``[law]``, a ``[model]``, or both."""

    law: LawSpec | None = None
    model: ModelSpec | None = None
    targets: Annotated[tuple[TargetsSpec, ...], Field(strict=False)] = ()
    pairs: Annotated[tuple[PairsSpec, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _something_to_score(self) -> "Scored":
        if bool(self.targets) == bool(self.pairs):
            raise ValueError("give either [[targets]] or [[pairs]]")
        if self.law is None and self.model is None:
            raise ValueError("give a [law], or a [model], or both: the law's sequences are then scored by the model")
        if self.model is None and any(group.records is not None for group in self.groups):
            raise ValueError("records are scored by a network: give a [model]")
        if self.law is None and any(group.drawn for group in self.groups):
            raise ValueError("sequences are drawn from a law: give a [law]")
        names = [group.name for group in self.groups]
        if len(set(names)) < len(names):
            raise ValueError("group names must differ from one another")
        return self

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

    name: Name
    most_passes: Count | None = None


def check_contrasts(subjects: Iterable[SubjectSpec], contrasts: Sequence[ContrastName]) -> None:
    """Refuse pairs without contrasts and contrasts without pairs; raises ValueError that names the subject."""
    for subject in subjects:
        if bool(subject.pairs) != bool(contrasts):
            raise ValueError(f'subject {subject.name!r}: contrasts = ["coupled", "decoupled"] and pairs go together')


def named_samplers(
    estimators: Iterable[str], contrasts: Iterable[ContrastName] = ()
) -> list[Estimator] | list[Contrast]:
    """Return the estimators of some names, or each of them under each contrast."""
    plain = [estimator(name) for name in estimators]
    by_name = {"coupled": Coupled, "decoupled": Decoupled}
    chosen = [by_name[contrast] for contrast in contrasts]
    return [contrast(sampler) for sampler in plain for contrast in chosen] if chosen else plain

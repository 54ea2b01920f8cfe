"""Study files that ask which estimator is best at every length and budget, on several subjects."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Contrast, Estimator
from infodis_stats.studies.design.target_schema import ContrastName, Scored, named_samplers
from infodis_stats.studies.design.toml import Count, Name, Seed, Table

__all__ = ["FrontierSpec", "SubjectSpec"]


class SubjectSpec(Scored):
    """What is scored: a law or a network with its groups, run with at most so many passes."""

    name: Name
    most_passes: Count | None = None


class FrontierSpec(Table):
    """Subjects x estimators x passes x replicates; gains are told against the rivals."""

    kind: Literal["frontier"]
    title: Name
    seed: Seed
    passes: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    # Estimators are chosen on one half of them and measured on the other: the error of a variance needs 3.
    replicates: Annotated[int, Field(ge=6)]
    estimators: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    rivals: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    contrasts: Annotated[tuple[ContrastName, ...], Field(strict=False)] = ()
    subjects: Annotated[tuple[SubjectSpec, ...], Field(strict=False, min_length=1)]
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95

    @model_validator(mode="after")
    def _consistent(self) -> "FrontierSpec":
        named: dict[str, Sequence[object]] = {
            "passes": self.passes,
            "estimators": self.estimators,
            "rivals": self.rivals,
            "subject names": [subject.name for subject in self.subjects],
        }
        for what, values in named.items():
            if len(set(values)) < len(values):
                raise ValueError(f"{what} need to differ from one another")
        for subject in self.subjects:
            if bool(subject.pairs) != bool(self.contrasts):
                raise ValueError(
                    f'subject {subject.name!r}: contrasts = ["coupled", "decoupled"] and pairs go together'
                )
        names = [sampler.name for sampler in self.samplers()]
        for rival in self.rivals:
            if rival not in names:
                raise ValueError(f"rival {rival!r} is none of {', '.join(names)}")
        return self

    def samplers(self) -> list[Estimator] | list[Contrast]:
        """Return the stochastic objects that the study compares."""
        return named_samplers(self.estimators, self.contrasts)

"""Study files of comparisons: targets or pairs, estimators, passes, replicates."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Contrast, Estimator
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import StudySpec, check_distinct, check_names, check_one_of
from infodis_stats.studies.design.target_schema import (
    SUBJECTS_EXAMPLE,
    Contrasts,
    Estimators,
    Passes,
    Scored,
    SubjectSpec,
    check_contrasts,
    check_most_passes,
    named_samplers,
)
from infodis_stats.studies.design.toml import MOST, StudyKeyError

__all__ = ["ComparedSpec", "ComparisonSpec"]

FEWEST = 6  # replicates: the best are chosen on one half and compared on the other; the error of a variance needs 3


class ComparedSpec(StudySpec):
    """Estimators x passes x replicates, compared with the truth and with a reference."""

    passes: Passes
    replicates: Annotated[int, Field(ge=2, description="independent replicates per cell, at least interval_replicates")]
    estimators: Estimators
    reference: Annotated[
        str, Field(description="the estimator that the others are compared with; with pairs, after its contrast")
    ]
    level: Annotated[float, Field(gt=0, lt=1, description="confidence level of the intervals")] = 0.95
    interval_replicates: Annotated[
        int, Field(ge=2, description="replicates of each interval whose coverage is counted")
    ] = 8

    @model_validator(mode="after")
    def _comparable(self) -> "ComparedSpec":
        check_distinct({"passes": self.passes, "estimators": self.estimators})
        names = [sampler.name for sampler in self.samplers()]
        check_one_of("reference", self.reference, names, "reference")
        if self.replicates < self.interval_replicates:
            problem = (
                f"replicates must be at least interval_replicates, {self.interval_replicates}, got {self.replicates}"
            )
            raise StudyKeyError(problem, "replicates")
        return self

    def samplers(self) -> list[Estimator] | list[Contrast]:
        """Return the estimators or contrasts that the study compares."""
        return named_samplers(self.estimators)


class ContrastedSpec(Scored):
    """Targets, or pairs with the contrasts that estimate their log ratios; of one subject or of several."""

    contrasts: Contrasts = ()
    subjects: Annotated[
        tuple[SubjectSpec, ...],
        Field(
            strict=False,
            description="instead of law, model, targets and pairs: several laws or networks, each with its own",
            examples=SUBJECTS_EXAMPLE,
        ),
    ] = ()

    @model_validator(mode="after")
    def _one_or_several(self) -> "ContrastedSpec":
        own = [key for key in ("law", "model", "targets", "pairs") if getattr(self, key)]
        if self.subjects and own:
            raise StudyKeyError(f"a study with subjects names {own[0]} in their tables", own[0])
        check_names("subjects", self.subjects)
        check_contrasts(self.subjects, self.contrasts)
        if not self.subjects and bool(self.pairs) != bool(self.contrasts):
            raise StudyKeyError('contrasts = ["coupled", "decoupled"] and [[pairs]] go together', "contrasts")
        return self

    @property
    def scored_by_subjects(self) -> bool:
        """Whether the tables of subjects have what is scored."""
        return bool(self.subjects)

    def tables(self) -> Sequence[Scored]:
        """Return what is scored: the subjects, or the study itself if it is about one."""
        return self.subjects or (self,)


class ComparisonSpec(ComparedSpec, ContrastedSpec):
    """A grid of targets or pairs x estimators x passes x replicates."""

    kind: Annotated[Literal["comparison"], Field(description="kind of study")] = "comparison"
    truth_passes: Annotated[
        int, Field(ge=16, le=MOST, description="passes of the long run that gives a network's reference value")
    ] = 4096

    @model_validator(mode="after")
    def _enough_for_subjects(self) -> "ComparisonSpec":
        check_most_passes(self.subjects, self.passes)
        if len(self.subjects) > 1 and self.replicates < FEWEST:
            problem = f"replicates must be at least {FEWEST} to compare subjects, got {self.replicates}"
            raise StudyKeyError(problem, "replicates")
        return self

    def scenarios(self) -> list[Scenario]:
        """Return the law and the network of each subject."""
        return [table.scenario for table in self.tables()]

    def samplers(self) -> list[Estimator] | list[Contrast]:
        """Return the estimators or contrasts that the study compares."""
        return named_samplers(self.estimators, self.contrasts)

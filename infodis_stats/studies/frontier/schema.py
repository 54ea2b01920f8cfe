"""Study files of frontiers: which estimator is best at every length and number of passes, on several subjects."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Contrast, Estimator
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import StudySpec, check_distinct, check_names, check_one_of
from infodis_stats.studies.design.target_schema import (
    Contrasts,
    Estimators,
    Passes,
    Subjects,
    check_contrasts,
    check_most_passes,
    named_samplers,
)

__all__ = ["FrontierSpec"]


class FrontierSpec(StudySpec):
    """Subjects x estimators x passes x replicates; gains are relative to the rivals."""

    kind: Annotated[Literal["frontier"], Field(description="kind of study")]
    passes: Passes
    # Estimators are chosen on one half and measured on the other; the standard error of a variance needs 3.
    replicates: Annotated[int, Field(ge=6, description="independent replicates per cell")]
    estimators: Estimators
    rivals: Annotated[
        tuple[str, ...],
        Field(strict=False, min_length=1, description="those of the estimators that gains are relative to"),
    ]
    contrasts: Contrasts = ()
    subjects: Subjects
    level: Annotated[float, Field(gt=0, lt=1, description="confidence level of the intervals")] = 0.95

    @model_validator(mode="after")
    def _consistent(self) -> "FrontierSpec":
        check_distinct(
            {
                "passes": self.passes,
                "estimators": self.estimators,
                "rivals": self.rivals,
            }
        )
        check_names("subjects", self.subjects)
        check_most_passes(self.subjects, self.passes)
        check_contrasts(self.subjects, self.contrasts)
        names = [sampler.name for sampler in self.samplers()]
        for rival in self.rivals:
            check_one_of("rivals", rival, names, "rival")
        return self

    def scenarios(self) -> list[Scenario]:
        """Return the law and the network of each subject."""
        return [subject.scenario for subject in self.subjects]

    def samplers(self) -> list[Estimator] | list[Contrast]:
        """Return the estimators or contrasts that the study compares."""
        return named_samplers(self.estimators, self.contrasts)

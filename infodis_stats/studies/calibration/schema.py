"""Study files of calibrations: how often intervals cover."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Contrast, Estimator
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import StudySpec, check_distinct, check_names
from infodis_stats.studies.design.target_schema import (
    Contrasts,
    Estimators,
    IntervalName,
    Passes,
    Subjects,
    check_contrasts,
    check_most_passes,
    named_samplers,
)
from infodis_stats.studies.design.toml import MOST, Count, StudyKeyError

__all__ = ["CalibrationSpec"]

Level = Annotated[float, Field(gt=0, lt=1)]


class CalibrationSpec(StudySpec):
    """Subjects x estimators x passes x intervals x replicates x levels; each item is drawn many times over."""

    kind: Annotated[Literal["calibration"], Field(description="kind of study")]
    passes: Passes
    replicates: Annotated[
        tuple[Count, ...], Field(strict=False, min_length=1, description="replicates per interval, one cell for each")
    ]
    draws: Annotated[
        Count,
        Field(description="replicates drawn per item, divided into intervals; at least the largest of replicates"),
    ]
    estimators: Estimators
    intervals: Annotated[
        tuple[IntervalName, ...],
        Field(strict=False, min_length=1, description="kinds of intervals; 'infodis-stats intervals' lists the names"),
    ] = ("auto", "student-t")
    levels: Annotated[
        tuple[Level, ...],
        Field(strict=False, min_length=1, description="confidence levels, whose coverage is measured"),
    ] = (0.9, 0.95, 0.99)
    contrasts: Contrasts = ()
    subjects: Subjects
    truth_passes: Annotated[
        int, Field(ge=16, le=MOST, description="passes of the long run that gives a network's reference value")
    ] = 4096

    @model_validator(mode="after")
    def _consistent(self) -> "CalibrationSpec":
        check_distinct(
            {
                "passes": self.passes,
                "replicates": self.replicates,
                "estimators": self.estimators,
                "intervals": self.intervals,
                "levels": self.levels,
            }
        )
        if self.draws < max(self.replicates):
            problem = f"draws must be at least the largest of replicates, {max(self.replicates)}, got {self.draws}"
            raise StudyKeyError(problem, "draws")
        check_names("subjects", self.subjects)
        check_most_passes(self.subjects, self.passes)
        check_contrasts(self.subjects, self.contrasts)
        return self

    def scenarios(self) -> list[Scenario]:
        """Return the law and the network of each subject."""
        return [subject.scenario for subject in self.subjects]

    def samplers(self) -> list[Estimator] | list[Contrast]:
        """Return the estimators or contrasts whose intervals are calibrated."""
        return named_samplers(self.estimators, self.contrasts)

"""Study files of comparisons: targets or pairs, estimators, passes, replicates."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Contrast, Estimator
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import StudySpec, check_distinct, check_one_of
from infodis_stats.studies.design.target_schema import Contrasts, Estimators, Passes, Scored, named_samplers
from infodis_stats.studies.design.toml import MOST, StudyKeyError

__all__ = ["ComparedSpec", "ComparisonSpec"]


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
    """Targets, or pairs with the contrasts that estimate their log ratios."""

    contrasts: Contrasts = ()

    @model_validator(mode="after")
    def _contrasts_of_pairs(self) -> "ContrastedSpec":
        if bool(self.pairs) != bool(self.contrasts):
            raise StudyKeyError('contrasts = ["coupled", "decoupled"] and [[pairs]] go together', "contrasts")
        return self


class ComparisonSpec(ComparedSpec, ContrastedSpec):
    """A grid of targets or pairs x estimators x passes x replicates."""

    kind: Annotated[Literal["comparison"], Field(description="kind of study")] = "comparison"
    truth_passes: Annotated[
        int, Field(ge=16, le=MOST, description="passes of the long run that gives a network's reference value")
    ] = 4096

    def scenarios(self) -> list[Scenario]:
        """Return the one law and network."""
        return [self.scenario]

    def samplers(self) -> list[Estimator] | list[Contrast]:
        """Return the estimators or contrasts that the study compares."""
        return named_samplers(self.estimators, self.contrasts)

"""Study files of blocks: single draws against exact values, and variances with and without the block structure."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Estimator, estimator
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import StudySpec, check_distinct, check_names
from infodis_stats.studies.design.target_schema import (
    EstimatorName,
    Estimators,
    Passes,
    Subjects,
    check_most_passes,
)
from infodis_stats.studies.design.toml import MOST, Count, StudyKeyError

__all__ = ["BlocksSpec"]


class BlocksSpec(StudySpec):
    """Block-diffusion models x estimators x passes x replicates, with and without blocks; single draws beside them."""

    kind: Annotated[Literal["blocks"], Field(description="kind of study")]
    single: Annotated[
        tuple[EstimatorName, ...],
        Field(
            strict=False,
            min_length=1,
            description="estimators whose single draws, of one pass per text, are compared with exact values",
        ),
    ]
    draws: Annotated[int, Field(ge=20, le=MOST, description="single draws of each text; 20 for a 5 to 95 % range")]
    estimators: Annotated[
        Estimators, Field(description="estimators whose variances are compared, with and without blocks")
    ]
    passes: Passes
    replicates: Annotated[
        int, Field(ge=3, le=MOST, description="independent replicates per text, estimator and passes")
    ]
    texts: Annotated[
        Count | None,
        Field(description="texts of each group, from the first, whose variances are compared; default: all"),
    ] = None
    subjects: Subjects
    truth_passes: Annotated[
        int,
        Field(ge=16, le=MOST, description="passes of the long run where a block has too many masks to run them all"),
    ] = 4096
    level: Annotated[float, Field(gt=0, lt=1, description="confidence level of the intervals")] = 0.95

    @model_validator(mode="after")
    def _consistent(self) -> "BlocksSpec":
        check_distinct({"single": self.single, "estimators": self.estimators, "passes": self.passes})
        check_names("subjects", self.subjects)
        check_most_passes(self.subjects, self.passes)
        for index, subject in enumerate(self.subjects):
            if subject.pairs:
                problem = f"subject {subject.name!r}: a study of blocks scores targets, not pairs"
                raise StudyKeyError(problem, "subjects", index, "pairs")
            if subject.model is None:
                problem = f"subject {subject.name!r}: a law has no blocks; give a block-diffusion model in model"
                raise StudyKeyError(problem, "subjects", index, "law")
        return self

    def scenarios(self) -> list[Scenario]:
        """Return the law and the network of each subject."""
        return [subject.scenario for subject in self.subjects]

    def single_samplers(self) -> list[Estimator]:
        """Return the estimators of single draws."""
        return [estimator(name) for name in self.single]

    def samplers(self) -> list[Estimator]:
        """Return the estimators whose variances are compared."""
        return [estimator(name) for name in self.estimators]

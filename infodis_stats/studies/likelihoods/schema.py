"""Study files of likelihoods: one set of texts under every estimand, and under published estimators."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from estimators import Estimator, estimator
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import StudySpec, check_distinct, check_names
from infodis_stats.studies.design.target_schema import EstimatorName, Subjects
from infodis_stats.studies.design.toml import MOST, Count, StudyKeyError, Text, TomlTable, hint
from infodis_stats.studies.likelihoods.rules import decoder

__all__ = ["LikelihoodsSpec", "PublishedSpec"]


def _decoder(name: str) -> str:
    decoder(name)
    return name


class PublishedSpec(TomlTable):
    """An estimator, and how a published number uses it: the mean of some batches of some passes of each text."""

    name: Annotated[EstimatorName, Field(description="'infodis-stats estimators' lists the names")]
    passes: Annotated[Count, Field(description="forward passes of a batch, per text")]
    batches: Annotated[Count, Field(description="batches whose mean is a published number")] = 1
    subjects: Annotated[
        tuple[Text, ...], Field(strict=False, description="names of the subjects that it scores; default: all")
    ] = ()

    @property
    def label(self) -> str:
        """The name and the passes of a published number."""
        amount = f"{self.batches} x {self.passes}" if self.batches > 1 else str(self.passes)
        return f"{self.name}, {amount} pass{'' if amount == '1' else 'es'}"

    def sampler(self) -> Estimator:
        """Return the estimator."""
        return estimator(self.name)


class LikelihoodsSpec(StudySpec):
    """Models x estimands x texts, and published estimators x replicates beside them."""

    kind: Annotated[Literal["likelihoods"], Field(description="kind of study")]
    estimators: Annotated[
        tuple[PublishedSpec, ...],
        Field(
            strict=False,
            min_length=1,
            description="estimators whose bias and spread are measured",
            examples=[{"name": "published-llada", "passes": 16, "batches": 8}],
        ),
    ]
    samplers: Annotated[
        tuple[Annotated[str, AfterValidator(_decoder)], ...],
        Field(
            strict=False,
            description="decoders whose likelihoods are computed, such as 'confidence(tokens_per_step=2)'",
        ),
    ] = ("confidence", "entropy", "margin", "left-to-right")
    orders: Annotated[
        int, Field(ge=3, le=MOST, description="random orders that bound the order-marginal value where it is not exact")
    ] = 128
    replicates: Annotated[
        int, Field(ge=20, le=MOST, description="independent batches per text and estimator, for its bias and spread")
    ]
    subjects: Subjects
    texts: Annotated[
        Count | None, Field(description="texts of each group that are scored, from the first; default: all")
    ] = None
    truth_passes: Annotated[
        int,
        Field(ge=16, le=MOST, description="passes of the long run where a text has too many masks to run them all"),
    ] = 4096
    level: Annotated[float, Field(gt=0, lt=1, description="confidence level of the intervals")] = 0.95

    @model_validator(mode="after")
    def _consistent(self) -> "LikelihoodsSpec":
        check_distinct({"samplers": self.samplers, "estimators": [each.label for each in self.estimators]})
        check_names("subjects", self.subjects)
        names = [subject.name for subject in self.subjects]
        for index, each in enumerate(self.estimators):
            for place, name in enumerate(each.subjects):
                if name not in names:
                    problem = f"{each.name}: there is no subject {name!r}{hint(name, names)}"
                    raise StudyKeyError(problem, "estimators", index, "subjects", place)
        for index, subject in enumerate(self.subjects):
            if subject.pairs:
                problem = f"subject {subject.name!r}: a study of likelihoods scores targets, not pairs"
                raise StudyKeyError(problem, "subjects", index, "pairs")
            if subject.most_passes is not None:
                problem = f"subject {subject.name!r}: each estimator has passes of its own here, leave most_passes out"
                raise StudyKeyError(problem, "subjects", index, "most_passes")
        return self

    def scenarios(self) -> list[Scenario]:
        """Return the law and the network of each subject."""
        return [subject.scenario for subject in self.subjects]

    def published(self, subject: str) -> list[PublishedSpec]:
        """Return the estimators that score a subject."""
        return [each for each in self.estimators if not each.subjects or subject in each.subjects]

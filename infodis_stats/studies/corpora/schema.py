"""Study files of corpora: the cost of texts under one model, and how well it discriminates between corpora."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Estimator, estimator
from infodis_stats.studies.design.models import ModelSpec
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import StudySpec, check_distinct
from infodis_stats.studies.design.toml import Count, File, Name, Text, TomlTable

__all__ = ["CorporaSpec", "CorpusSpec"]


class CorpusSpec(TomlTable):
    """A corpus: a file of records, the first ``maps`` of which are drawn character by character."""

    name: Name
    records: File
    maps: Annotated[int, Field(ge=0)] = 0


class CorporaSpec(StudySpec):
    """Corpora x passes x replicates under one model and one estimator."""

    kind: Literal["corpora"]
    passes: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
    replicates: Annotated[int, Field(ge=2)]
    estimator: Text
    reference: Text
    model: ModelSpec
    corpora: Annotated[tuple[CorpusSpec, ...], Field(strict=False, min_length=2)]
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95

    @model_validator(mode="after")
    def _consistent(self) -> "CorporaSpec":
        names = [corpus.name for corpus in self.corpora]
        check_distinct({"passes": self.passes, "corpus names": names})
        if self.reference not in names:
            raise ValueError(f"reference {self.reference!r} is none of {', '.join(names)}")
        self.sampler()
        return self

    def scenarios(self) -> list[Scenario]:
        """Return the one network."""
        return [Scenario(None, self.model)]

    def sampler(self) -> Estimator:
        """Return the estimator."""
        return estimator(self.estimator)

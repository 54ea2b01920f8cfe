"""Study files of corpora: the cost of texts under one model, and how well it discriminates between corpora."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from estimators import Estimator, estimator
from infodis_stats.io.records import Record, read_records
from infodis_stats.studies.design.models import ModelSpec
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import StudySpec, check_distinct, check_names, check_one_of
from infodis_stats.studies.design.target_schema import EstimatorName, Passes
from infodis_stats.studies.design.toml import File, Name, Text, TomlTable

__all__ = ["CorporaSpec", "CorpusSpec"]


class CorpusSpec(TomlTable):
    """A corpus: a file of records, or texts."""

    name: Annotated[Name, Field(description="name of the corpus in the report")]
    records: Annotated[
        File | None, Field(description="file of texts (a text per line, JSON lines or FASTA); or give sequences")
    ] = None
    sequences: Annotated[
        Annotated[tuple[Text, ...], Field(strict=False, min_length=1)] | None,
        Field(description="instead of records: a list of texts"),
    ] = None
    maps: Annotated[
        int, Field(ge=0, description="number of texts, from the first, whose cost is drawn character by character")
    ] = 0

    @model_validator(mode="after")
    def _one_source(self) -> "CorpusSpec":
        if (self.records is None) == (self.sequences is None):
            raise ValueError(f"corpus {self.name!r}: give one of records and sequences")
        return self

    @property
    def source(self) -> str:
        """Where the texts are from, in messages."""
        return f"corpus {self.name!r}" if self.records is None else str(self.records)

    def texts(self) -> list[Record]:
        """Return the records of the corpus."""
        if self.records is not None:
            return read_records(self.records)
        assert self.sequences is not None
        return [Record(f"text {number}", "", text) for number, text in enumerate(self.sequences, 1)]


class CorporaSpec(StudySpec):
    """Corpora x passes x replicates under one model and one estimator."""

    kind: Annotated[Literal["corpora"], Field(description="kind of study")]
    passes: Passes
    replicates: Annotated[int, Field(ge=2, description="independent replicates per text and number of passes")]
    estimator: Annotated[
        EstimatorName, Field(description="estimator of each text; 'infodis-stats estimators' lists the names")
    ]
    reference: Annotated[Text, Field(description="the corpus that the others are compared with")]
    model: Annotated[ModelSpec, Field(description="network that scores the texts", examples=[{"name": "austen"}])]
    corpora: Annotated[
        tuple[CorpusSpec, ...],
        Field(
            strict=False,
            min_length=2,
            description="at least two sets of texts",
            examples=[{"name": "held out", "records": "texts.jsonl"}],
        ),
    ]
    level: Annotated[float, Field(gt=0, lt=1, description="confidence level of the intervals")] = 0.95

    @model_validator(mode="after")
    def _consistent(self) -> "CorporaSpec":
        names = [corpus.name for corpus in self.corpora]
        check_distinct({"passes": self.passes})
        check_names("corpora", self.corpora)
        check_one_of("reference", self.reference, names, "reference")
        return self

    def scenarios(self) -> list[Scenario]:
        """Return the one network."""
        return [Scenario(None, self.model)]

    def sampler(self) -> Estimator:
        """Return the estimator."""
        return estimator(self.estimator)

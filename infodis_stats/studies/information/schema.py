"""Study files of information: masked estimators against score entropies, and information against noise."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from infodis_stats.studies.comparison.schema import ComparedSpec
from infodis_stats.studies.design.scenario import Scenario
from infodis_stats.studies.design.spec import check_distinct, check_names
from infodis_stats.studies.design.target_schema import Scored
from infodis_stats.studies.design.toml import Count, Name, TomlTable

__all__ = ["CurvesSpec", "InformationSpec", "SequencesSpec"]


class SequencesSpec(Scored):
    """Sequences of a law, scored whole."""

    name: Annotated[Name, Field(description="name of the subject in the report")]

    @model_validator(mode="after")
    def _whole_sequences_of_a_law(self) -> "SequencesSpec":
        if self.law is None or self.model is not None or self.pairs:
            raise ValueError(
                f"subject {self.name!r}: a study of information needs a law and targets, without a model or pairs"
            )
        if any(group.context for group in self.targets):
            raise ValueError(f"subject {self.name!r}: information is of whole sequences; leave out context")
        return self


class CurvesSpec(TomlTable):
    """Curves of mutual information: under which noise, from how many sequences and passes of each."""

    noises: Annotated[
        tuple[Literal["absorbing", "uniform"], ...], Field(strict=False, min_length=1, description="one curve for each")
    ] = ("absorbing", "uniform")
    sequences: Annotated[int, Field(ge=2, description="sequences drawn from the law for each curve")] = 256
    passes: Annotated[Count, Field(description="forward passes per sequence")] = 32

    @model_validator(mode="after")
    def _noises_differ(self) -> "CurvesSpec":
        check_distinct({"noises": self.noises})
        return self


class InformationSpec(ComparedSpec):
    """Subjects x estimators x passes x replicates; for each group of sequences a curve under each noise."""

    kind: Annotated[Literal["information"], Field(description="kind of study")]
    # The best are chosen on one half and compared on the other; the standard error of a variance needs 3.
    replicates: Annotated[int, Field(ge=6, description="independent replicates per cell, at least interval_replicates")]
    subjects: Annotated[
        tuple[SequencesSpec, ...],
        Field(
            strict=False,
            min_length=1,
            description="laws, each with its targets",
            examples=[
                {
                    "name": "DNA",
                    "law": {"kind": "markov-chain", "order": 1},
                    "targets": [{"name": "short", "count": 4, "length": 8}],
                }
            ],
        ),
    ]
    curves: Annotated[
        CurvesSpec,
        Field(description="curves of mutual information against noise", examples=[{"sequences": 256, "passes": 32}]),
    ] = CurvesSpec()

    @model_validator(mode="after")
    def _names_differ(self) -> "InformationSpec":
        check_names("subjects", self.subjects)
        return self

    def scenarios(self) -> list[Scenario]:
        """Return the law of each subject."""
        return [subject.scenario for subject in self.subjects]

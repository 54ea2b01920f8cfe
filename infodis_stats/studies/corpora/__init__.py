"""Comparisons of corpora under one model."""

from infodis_stats.lazy import on_first_call
from infodis_stats.studies.corpora.example import EXAMPLE
from infodis_stats.studies.corpora.schema import CorporaSpec
from infodis_stats.studies.kind import StudyKind

__all__ = ["CORPORA"]

CORPORA = StudyKind(
    name="corpora",
    schema=CorporaSpec,
    run=on_first_call("infodis_stats.studies.corpora.run:compare_corpora"),
    verdicts=on_first_call("infodis_stats.studies.corpora.verdicts:corpora_verdicts"),
    document=on_first_call("infodis_stats.studies.corpora.report:corpora_document"),
    example=EXAMPLE,
)

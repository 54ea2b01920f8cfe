"""Comparisons of corpora under one model."""

from infodis_stats.studies.corpora.example import EXAMPLE
from infodis_stats.studies.corpora.report import corpora_document
from infodis_stats.studies.corpora.run import compare_corpora
from infodis_stats.studies.corpora.schema import CorporaSpec
from infodis_stats.studies.corpora.verdicts import corpora_verdicts
from infodis_stats.studies.kind import StudyKind

__all__ = ["CORPORA"]

CORPORA = StudyKind(
    name="corpora",
    schema=CorporaSpec,
    run=compare_corpora,
    verdicts=corpora_verdicts,
    document=corpora_document,
    example=EXAMPLE,
)

"""Likelihoods: every likelihood of a model side by side, and what published estimators make of them."""

from infodis_stats.lazy import on_first_call
from infodis_stats.studies.kind import StudyKind
from infodis_stats.studies.likelihoods.example import EXAMPLE
from infodis_stats.studies.likelihoods.schema import LikelihoodsSpec

__all__ = ["LIKELIHOODS"]

LIKELIHOODS = StudyKind(
    name="likelihoods",
    schema=LikelihoodsSpec,
    run=on_first_call("infodis_stats.studies.likelihoods.run:compare_likelihoods"),
    verdicts=on_first_call("infodis_stats.studies.likelihoods.verdicts:likelihoods_verdicts"),
    document=on_first_call("infodis_stats.studies.likelihoods.report:likelihoods_document"),
    example=EXAMPLE,
)
"""A study of likelihoods that runs in seconds."""

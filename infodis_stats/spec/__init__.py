"""What study files may say, checked before anything runs."""

from infodis_stats.spec.comparison import ComparisonSpec, PairsSpec, TargetsSpec
from infodis_stats.spec.corpora import CorporaSpec, CorpusSpec
from infodis_stats.spec.laws import HiddenMarkovSpec, LawSpec, MarkovChainSpec, TableSpec, read_law
from infodis_stats.spec.models import ModelSpec
from infodis_stats.spec.study import read_study

__all__ = [
    "ComparisonSpec",
    "CorporaSpec",
    "CorpusSpec",
    "HiddenMarkovSpec",
    "LawSpec",
    "MarkovChainSpec",
    "ModelSpec",
    "PairsSpec",
    "TableSpec",
    "TargetsSpec",
    "read_law",
    "read_study",
]

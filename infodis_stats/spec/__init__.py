"""What study files may say, checked before anything runs."""

from infodis_stats.spec.calibration import CalibrationSpec
from infodis_stats.spec.comparison import ComparedSpec, ComparisonSpec
from infodis_stats.spec.corpora import CorporaSpec, CorpusSpec
from infodis_stats.spec.frontier import FrontierSpec, SubjectSpec
from infodis_stats.spec.groups import PairsSpec, Scored, TargetsSpec
from infodis_stats.spec.information import CurvesSpec, InformationSpec, SequencesSpec
from infodis_stats.spec.laws import HiddenMarkovSpec, LawSpec, MarkovChainSpec, TableSpec, read_law
from infodis_stats.spec.models import ModelSpec
from infodis_stats.spec.study import StudySpec, parse_study, read_study

__all__ = [
    "CalibrationSpec",
    "ComparedSpec",
    "ComparisonSpec",
    "CorporaSpec",
    "CorpusSpec",
    "CurvesSpec",
    "FrontierSpec",
    "HiddenMarkovSpec",
    "InformationSpec",
    "LawSpec",
    "MarkovChainSpec",
    "ModelSpec",
    "PairsSpec",
    "Scored",
    "SequencesSpec",
    "StudySpec",
    "SubjectSpec",
    "TableSpec",
    "TargetsSpec",
    "parse_study",
    "read_law",
    "read_study",
]

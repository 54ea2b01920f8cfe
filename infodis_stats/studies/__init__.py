"""Studies: study files, run, diagnosed and reported."""

from infodis_stats.studies.diagnosis import diagnose, estimator_verdicts
from infodis_stats.studies.reference import study_reference, study_schema
from infodis_stats.studies.report import document_of, rewrite_report, write_document, write_report
from infodis_stats.studies.spec import Spec
from infodis_stats.studies.study import run_study
from infodis_stats.studies.template import records_template, study_template

__all__ = [
    "Spec",
    "diagnose",
    "document_of",
    "estimator_verdicts",
    "records_template",
    "rewrite_report",
    "run_study",
    "study_reference",
    "study_schema",
    "study_template",
    "write_document",
    "write_report",
]

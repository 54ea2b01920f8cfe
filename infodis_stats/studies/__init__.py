"""Studies: study files, run, diagnosed and reported."""

from infodis_stats.studies.diagnosis import diagnose, estimator_verdicts
from infodis_stats.studies.report import document_of, rewrite_report, write_document, write_report
from infodis_stats.studies.study import run_study

__all__ = [
    "diagnose",
    "document_of",
    "estimator_verdicts",
    "rewrite_report",
    "run_study",
    "write_document",
    "write_report",
]

"""Studies: what a study file asks for, run, diagnosed and reported."""

from infodis_stats.studies.diagnosis import diagnose, estimator_verdicts
from infodis_stats.studies.report import document, render_html, render_markdown, rewrite_report, write_report
from infodis_stats.studies.study import run_study

__all__ = [
    "diagnose",
    "document",
    "estimator_verdicts",
    "render_html",
    "render_markdown",
    "rewrite_report",
    "run_study",
    "write_report",
]

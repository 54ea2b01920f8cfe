"""Reports: a stored study, substitution scans or a diagnosis as a page; a result as a table."""

from infodis_stats.report.diagnosis import write_diagnosis
from infodis_stats.report.page import document, render_html, render_markdown, rewrite_report, write_report
from infodis_stats.report.scan import write_scans
from infodis_stats.report.summary_table import Summary, summary

__all__ = [
    "Summary",
    "document",
    "render_html",
    "render_markdown",
    "rewrite_report",
    "summary",
    "write_diagnosis",
    "write_report",
    "write_scans",
]

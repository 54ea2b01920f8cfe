"""Reports: a stored study, or substitution scans, as a page, Markdown and tables."""

from infodis_stats.report.page import document, render_html, render_markdown, write_report
from infodis_stats.report.scan import write_scans

__all__ = ["document", "render_html", "render_markdown", "write_report", "write_scans"]

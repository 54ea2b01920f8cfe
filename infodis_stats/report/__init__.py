"""Reports: a stored study as a page, Markdown and tables."""

from infodis_stats.report.page import document, render_html, render_markdown, write_report

__all__ = ["document", "render_html", "render_markdown", "write_report"]

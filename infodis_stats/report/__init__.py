"""Reports: a stored study as a page, Markdown and tables."""

from infodis_stats.report.page import render_html, render_markdown, write_report

__all__ = ["render_html", "render_markdown", "write_report"]

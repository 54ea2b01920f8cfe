"""Reports: documents and how they are rendered; substitution scans or a diagnosis as a page, a result as a table."""

from infodis_stats.report.diagnosis import write_diagnosis
from infodis_stats.report.scan import write_scans
from infodis_stats.report.summary_table import Summary, summary

__all__ = ["Summary", "summary", "write_diagnosis", "write_scans"]

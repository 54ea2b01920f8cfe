"""Reports: documents and their rendering, pages of scans and diagnoses, and tables of results."""

from infodis_stats.report.diagnosis import write_diagnosis
from infodis_stats.report.model_check import write_model_check
from infodis_stats.report.scan import write_scans
from infodis_stats.report.summary_table import Summary, summary

__all__ = ["Summary", "summary", "write_diagnosis", "write_model_check", "write_scans"]

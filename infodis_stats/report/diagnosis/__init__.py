"""The diagnosis of a result as a page: verdicts and figures."""

from infodis_stats.report.diagnosis.document import write_diagnosis

__all__ = ["write_diagnosis"]

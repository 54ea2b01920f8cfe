"""The diagnosis of a result as a page: its verdicts, and pictures of what they are about."""

from infodis_stats.report.diagnosis.document import write_diagnosis

__all__ = ["write_diagnosis"]

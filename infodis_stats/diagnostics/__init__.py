"""Diagnostics: checks of results that end in a verdict in words."""

from infodis_stats.diagnostics.diagnose import diagnose_result
from infodis_stats.diagnostics.verdict import Diagnosis, Verdict

__all__ = ["Diagnosis", "Verdict", "diagnose_result"]

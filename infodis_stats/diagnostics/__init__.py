"""Diagnostics: checks of results and studies that end in a verdict in words."""

from infodis_stats.diagnostics.diagnose import diagnose
from infodis_stats.diagnostics.study import estimator_verdicts
from infodis_stats.diagnostics.verdict import Diagnosis, Verdict

__all__ = ["Diagnosis", "Verdict", "diagnose", "estimator_verdicts"]

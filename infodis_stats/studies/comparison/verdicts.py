"""Verdicts on a comparison of estimators."""

from infodis_stats.diagnostics import Verdict
from infodis_stats.diagnostics.verdict import counted
from infodis_stats.studies.verdicts import bias_verdict, coverage_verdict
from infodis_stats.studies.view import Study

__all__ = ["comparison_verdicts"]


def comparison_verdicts(study: Study) -> list[Verdict]:
    """Check biases and coverage, and whether the reference values are precise enough."""
    return [bias_verdict(study.summary), coverage_verdict(study.summary), _reference_verdict(study)]


def _reference_verdict(study: Study) -> Verdict:
    if not study.truth["truth_se"].any():
        return Verdict("truth", "fine", "all values are known exactly")
    student = study.summary.sel(interval="student-t")
    uncounted = int(((student["intervals"] == 0) & (student["half_width"] > 0)).sum())
    cells = int(student["variance"].notnull().sum())
    if not uncounted:
        return Verdict("truth", "fine", "long runs are precise enough, and their standard errors are included")
    reason = f"the long runs are not precise enough to measure coverage in {uncounted} of {counted(cells, 'cell')}"
    return Verdict("truth", "caution", reason, "raise truth_passes for these")

"""Verdicts on a study of the frontier."""

from infodis_stats.diagnostics import Verdict
from infodis_stats.diagnostics.verdict import counted
from infodis_stats.studies.verdicts import bias_verdict
from infodis_stats.studies.view import Study

__all__ = ["frontier_verdicts"]


def frontier_verdicts(study: Study) -> list[Verdict]:
    """Check for bias, and count the cells where the best estimator is not significantly better than the next."""
    summary = study.summary
    has_winner = summary["winner"] != ""
    others = summary["tied"] & ~summary["exact"] & (summary["estimator"] != summary["winner"])
    tied = int((others.any("estimator") & has_winner).sum())
    measured = f"no significant difference from the next in {tied} of {counted(int(has_winner.sum()), 'cell')}"
    reason = "the best estimator is chosen and its gain measured on different replicates"
    return [bias_verdict(summary), Verdict("winners", "fine", reason, "", measured)]

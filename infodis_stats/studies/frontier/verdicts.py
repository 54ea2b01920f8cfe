"""Verdicts on a study of the frontier."""

from infodis_stats.diagnostics import Verdict
from infodis_stats.studies.verdicts import bias_verdict
from infodis_stats.studies.view import Study

__all__ = ["frontier_verdicts"]


def frontier_verdicts(study: Study) -> list[Verdict]:
    """Check for surprising biases, and count the cells in which the best is not significantly better than a second."""
    summary = study.summary
    run = summary["winner"] != ""
    others = summary["tied"] & ~summary["exact"] & (summary["estimator"] != summary["winner"])
    tied = int((others.any("estimator") & run).sum())
    measured = f"no significant difference from a second in {tied} of {int(run.sum())} cells"
    reason = "the best is chosen on other replicates than those that measure its gain"
    return [bias_verdict(summary), Verdict("winners", "fine", reason, "", measured)]

"""Verdicts on a study of information."""

from infodis_stats.diagnostics import Verdict
from infodis_stats.diagnostics.verdict import concise, counted
from infodis_stats.studies.comparison.verdicts import comparison_verdicts
from infodis_stats.studies.verdicts import FAMILY
from infodis_stats.studies.view import Study

__all__ = ["information_verdicts"]


def information_verdicts(study: Study) -> list[Verdict]:
    """Check the comparison of estimators, and whether the information without noise equals the entropy."""
    return [*comparison_verdicts(study), _entropy_verdict(study)]


def _entropy_verdict(study: Study) -> Verdict:
    curves = study["curves"]
    if not curves["entropy"].notnull().any():
        return Verdict("entropy", "fine", "no entropy is known to compare totals with")
    p_values = curves["entropy_p"]
    rejected = p_values < FAMILY
    least = (
        f"smallest adjusted p-value {float(p_values.min()):.2g} of {counted(int(p_values.notnull().sum()), 'total')}"
    )
    if rejected.any():
        names = curves["group"].values[rejected.any("noise").values].tolist()
        reason = f"the information without noise differs significantly from the entropy: {concise(names)}"
        return Verdict("entropy", "caution", reason, "increase the sequences or passes of curves", least)
    return Verdict("entropy", "fine", "the information without noise agrees with the entropy of the law", "", least)

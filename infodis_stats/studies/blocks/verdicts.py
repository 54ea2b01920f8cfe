"""Verdicts on a study of blocks."""

from dataclasses import replace

from infodis_stats.diagnostics import Verdict
from infodis_stats.plots.numbers import percent, significant
from infodis_stats.studies.verdicts import bias_verdict
from infodis_stats.studies.view import Study

__all__ = ["blocks_verdicts"]

PRECISE = 0.2  # standard error of a reference value over that of a single draw of the set


def blocks_verdicts(study: Study) -> list[Verdict]:
    """Check for bias of single draws and with and without blocks, and the precision of the reference values."""
    single = replace(bias_verdict(study["single_summary"]), check="bias of single draws")
    return [single, bias_verdict(study.summary), _reference_verdict(study)]


def _reference_verdict(study: Study) -> Verdict:
    single = study["single_summary"]
    if bool(study.truth["enumerated"].all()):
        return Verdict("reference values", "fine", "exact: all masks of every block were run")
    share = single["bits_se"] / single["set_sd"].min("estimator")
    worst = single.isel(subject=int(share.values.argmax()))
    measured = (
        f"at most {significant(float(single['bits_se'].max()), 2)} bits per token; {percent(float(share.max()))} % of "
        f"the standard deviation of a single draw of the whole set ({worst['subject'].item()})"
    )
    if float(share.max()) > PRECISE:
        reason = "the reference values are hardly more precise than what is compared with them"
        return Verdict("reference values", "caution", reason, "take more truth_passes", measured)
    return Verdict("reference values", "fine", "their standard errors are small beside those of draws", "", measured)

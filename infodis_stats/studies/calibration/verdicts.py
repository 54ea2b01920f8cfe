"""Verdicts on a study of calibration."""

from infodis_stats.diagnostics import Verdict
from infodis_stats.studies.calibration.report.cells import main_interval
from infodis_stats.studies.verdicts import FAMILY
from infodis_stats.studies.view import Study

__all__ = ["calibration_verdicts"]


def calibration_verdicts(study: Study) -> list[Verdict]:
    """Check the coverage of the default interval in cells without a caution."""
    summary = study.summary
    main = main_interval(summary)
    cells = summary.sel(interval=main)
    clean = ~cells["cautions"].any("caution")
    known = cells["short_p"].notnull() & clean
    short = (cells["short_p"] < FAMILY) & clean
    measured = f"{int(known.sum())} cells over {summary.sizes['level']} confidence levels"
    if not known.any():
        reason = "every cell has a caution: this study measures how badly intervals cover there"
        return [Verdict("coverage", "caution", reason, "read it as a warning")]
    if short.any():
        reason = f"the coverage of {main} is significantly below nominal in {int(short.sum())} cells without a caution"
        return [Verdict("coverage", "caution", reason, "use more replicates there", measured)]
    reason = f"where no caution holds, the coverage of {main} is nowhere significantly more than a point below nominal"
    return [Verdict("coverage", "fine", reason, "", measured)]

"""Calibration: how often intervals cover."""

from infodis_stats.lazy import on_first_call
from infodis_stats.studies.calibration.example import EXAMPLE
from infodis_stats.studies.calibration.schema import CalibrationSpec
from infodis_stats.studies.kind import StudyKind

__all__ = ["CALIBRATION"]

CALIBRATION = StudyKind(
    name="calibration",
    schema=CalibrationSpec,
    run=on_first_call("infodis_stats.studies.calibration.run:calibrate"),
    verdicts=on_first_call("infodis_stats.studies.calibration.verdicts:calibration_verdicts"),
    document=on_first_call("infodis_stats.studies.calibration.report:calibration_document"),
    example=EXAMPLE,
)

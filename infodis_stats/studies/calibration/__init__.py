"""Calibration: how often intervals cover."""

from infodis_stats.studies.calibration.example import EXAMPLE
from infodis_stats.studies.calibration.report import calibration_document
from infodis_stats.studies.calibration.run import calibrate
from infodis_stats.studies.calibration.schema import CalibrationSpec
from infodis_stats.studies.calibration.verdicts import calibration_verdicts
from infodis_stats.studies.kind import StudyKind

__all__ = ["CALIBRATION"]

CALIBRATION = StudyKind(
    name="calibration",
    schema=CalibrationSpec,
    run=calibrate,
    verdicts=calibration_verdicts,
    document=calibration_document,
    example=EXAMPLE,
)

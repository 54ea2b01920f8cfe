"""The report of a study of calibration."""

from infodis_stats.studies.calibration.report import calibration_document

__all__ = ["calibration_document"]

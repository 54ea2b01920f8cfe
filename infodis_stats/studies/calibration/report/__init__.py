"""The report of a study of calibration."""

from infodis_stats.studies.calibration.report.document import calibration_document

__all__ = ["calibration_document"]

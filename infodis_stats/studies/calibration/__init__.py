"""A kind of study: calibration."""

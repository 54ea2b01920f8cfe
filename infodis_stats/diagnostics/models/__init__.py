"""Diagnosis of models: what a network really does, found by calling it, and whether that gives likelihoods."""

from infodis_stats.diagnostics.models.check import ModelCheck, check_checkpoint, check_model
from infodis_stats.diagnostics.models.validation import Validation, validate_model

__all__ = ["ModelCheck", "Validation", "check_checkpoint", "check_model", "validate_model"]

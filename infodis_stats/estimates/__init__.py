"""Likelihoods and likelihood ratios with their error bars: the functions that most users need."""

from infodis_stats.estimates.log_ratio import estimate_log_ratio
from infodis_stats.estimates.model_log_ratio import estimate_model_log_ratio
from infodis_stats.estimates.nll import estimate_nll
from infodis_stats.estimates.ranking import rank_candidates

__all__ = ["estimate_log_ratio", "estimate_model_log_ratio", "estimate_nll", "rank_candidates"]

"""Statistics of replicated estimates: plain numpy in, numpy out.

`draws` are arrays (..., R) in nats: the last axis holds R independent replicates of an estimate, the unit of error;
leading axes are cells such as sequences, estimators and numbers of passes. `Estimates` are what is left of them, or of
one replicate whose design tells its error. A `truth` broadcasts to (...). A cell of NaN gives NaN, silently.
"""

from infodis_stats.analysis.averages import Average, Of, average, win_rate
from infodis_stats.analysis.components import Components, components, mask_share, reml
from infodis_stats.analysis.confidence_sequence import confidence_sequence, sequential_p_value
from infodis_stats.analysis.control_variate import centred
from infodis_stats.analysis.convergence import LogVariance, Slope, log_variance, slope
from infodis_stats.analysis.coverage import ALLOWED, Coverage, block, coverage, coverage_of_counts, coverage_test
from infodis_stats.analysis.decisions import false_discovery_signs, family_wise_signs, signs
from infodis_stats.analysis.design_bootstrap import design_bootstrap
from infodis_stats.analysis.discrimination import auroc, auroc_interval
from infodis_stats.analysis.efficiency import (
    Efficiency,
    VarianceSum,
    relative_efficiency,
    variance_ratio,
    variance_sum,
)
from infodis_stats.analysis.elimination import Elimination, eliminate
from infodis_stats.analysis.half_ranks import HalfRanks, half_ranks
from infodis_stats.analysis.intervals import Interval, bca, hall, level_of_each, student_t, widen
from infodis_stats.analysis.jensen_gap import JensenGap, jensen_gap
from infodis_stats.analysis.moments import Bias, bias, family_wise, mean_squared_error, pooled_bias, variance
from infodis_stats.analysis.replicates import Estimates, all_equal, check_level, rounding
from infodis_stats.analysis.selection import GeometricMean, Regret, geometric_mean, regret, same_draws
from infodis_stats.analysis.tails import pareto_khat
from infodis_stats.analysis.variance_comparison import VarianceComparison, brown_forsythe, compare_variances

__all__ = [
    "ALLOWED",
    "Average",
    "Bias",
    "Components",
    "Coverage",
    "Efficiency",
    "Elimination",
    "Estimates",
    "GeometricMean",
    "HalfRanks",
    "Interval",
    "JensenGap",
    "LogVariance",
    "Of",
    "Regret",
    "Slope",
    "VarianceComparison",
    "VarianceSum",
    "all_equal",
    "auroc",
    "auroc_interval",
    "average",
    "bca",
    "bias",
    "block",
    "brown_forsythe",
    "centred",
    "check_level",
    "compare_variances",
    "components",
    "confidence_sequence",
    "coverage",
    "coverage_of_counts",
    "coverage_test",
    "design_bootstrap",
    "eliminate",
    "false_discovery_signs",
    "family_wise",
    "family_wise_signs",
    "geometric_mean",
    "half_ranks",
    "hall",
    "jensen_gap",
    "level_of_each",
    "log_variance",
    "mask_share",
    "mean_squared_error",
    "pareto_khat",
    "pooled_bias",
    "regret",
    "relative_efficiency",
    "reml",
    "rounding",
    "same_draws",
    "sequential_p_value",
    "signs",
    "slope",
    "student_t",
    "variance",
    "variance_ratio",
    "variance_sum",
    "widen",
    "win_rate",
]

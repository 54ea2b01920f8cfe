"""Statistics of replicated estimates, as functions of plain numpy arrays.

``draws`` are arrays (..., R) in nats: the last axis has R independent replicates of an estimate, and the leading axes
are cells such as sequences, estimators and numbers of passes. `Estimates` have standard errors and degrees of freedom,
from replicates or from the design of a single one. A ``truth`` broadcasts to (...). NaN cells give NaN without a
warning.

- `replicates`: `Estimates`, input checks, and the tolerance within which values count as equal
- `moments`: bias with its t test, variance, mean squared error, Holm's adjustment
- `intervals`: Student's t, BCa bootstrap, Hall's transformed t; simultaneous levels
- `design_bootstrap`: a bootstrap-t interval that resamples masks instead of replicates
- `confidence_sequence`: intervals and p-values that are valid at every sample size
- `coverage`: coverage rates with Wilson intervals, and a test against the nominal level
- `decisions`: p-values for the signs of many means, with multiple-testing adjustment
- `elimination`: successive elimination of candidates, with sequential p-values
- `efficiency`, `variance_comparison`: variance ratios of two estimators; tests of equal variances
- `variance_ranking`: many estimators by their variances, ties with the best included
- `selection`: regret of each estimator relative to the best one, by cross-fitting; geometric means
- `convergence`: log variances and their slope in the log number of passes
- `averages`, `components`: averages, win rates and variance components over documents
- `population`: means of a population from documents of unequal weight
- `jensen_gap`: the gap between a mean and minus the log of a mean exponential
- `discrimination`: AUROC and its interval
- `control_variate`: weighted means corrected by the total weight
- `half_ranks`: rank plots of the first half of the replicates
- `tails`: Pareto k-hat
"""

from infodis_stats.analysis.averages import Average, Of, average, win_rate
from infodis_stats.analysis.components import Components, components, mask_share
from infodis_stats.analysis.confidence_sequence import confidence_sequence, sequential_p_value
from infodis_stats.analysis.control_variate import centred
from infodis_stats.analysis.convergence import LogVariance, Slope, log_variance, slope
from infodis_stats.analysis.coverage import (
    ALLOWED,
    Coverage,
    block,
    coverage,
    coverage_of_counts,
    coverage_test,
    noticeable_coverage,
)
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
from infodis_stats.analysis.intervals import Interval, bca, hall, level_of_each, nonnegative, student_t, widen
from infodis_stats.analysis.jensen_gap import JensenGap, jensen_gap
from infodis_stats.analysis.moments import Bias, bias, family_wise, mean_squared_error, pooled_bias, variance
from infodis_stats.analysis.replicates import Estimates, all_equal, check_level, rounding
from infodis_stats.analysis.selection import GeometricMean, Regret, geometric_mean, regret, same_draws
from infodis_stats.analysis.tails import pareto_khat
from infodis_stats.analysis.variance_comparison import VarianceComparison, brown_forsythe, compare_variances
from infodis_stats.analysis.variance_ranking import VarianceRanking, rank_variances

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
    "VarianceRanking",
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
    "nonnegative",
    "noticeable_coverage",
    "pareto_khat",
    "pooled_bias",
    "rank_variances",
    "regret",
    "relative_efficiency",
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

"""Statistics of replicated estimates: plain numpy in, numpy out.

`draws` are arrays (..., R) in nats: the last axis holds R independent replicates of an estimate, the unit of error;
leading axes are cells such as sequences, estimators and numbers of passes. A `truth` broadcasts to (...). A cell of
NaN gives NaN, silently.
"""

from infodis_stats.analysis.averages import Average, Of, average, win_rate
from infodis_stats.analysis.components import Components, components, mask_share, reml
from infodis_stats.analysis.convergence import LogVariance, Slope, log_variance, slope
from infodis_stats.analysis.coverage import Coverage, block, coverage, coverage_test
from infodis_stats.analysis.decisions import false_discovery_signs, family_wise_signs, signs
from infodis_stats.analysis.discrimination import auroc, auroc_interval
from infodis_stats.analysis.efficiency import Efficiency, relative_efficiency
from infodis_stats.analysis.intervals import Interval, bca, student_t, widen
from infodis_stats.analysis.moments import Bias, bias, family_wise, mean_squared_error, pooled_bias, variance
from infodis_stats.analysis.selection import GeometricMean, Regret, geometric_mean, regret, same_draws
from infodis_stats.analysis.tails import pareto_khat

__all__ = [
    "Average",
    "Bias",
    "Components",
    "Coverage",
    "Efficiency",
    "GeometricMean",
    "Interval",
    "LogVariance",
    "Of",
    "Regret",
    "Slope",
    "auroc",
    "auroc_interval",
    "average",
    "bca",
    "bias",
    "block",
    "components",
    "coverage",
    "coverage_test",
    "false_discovery_signs",
    "family_wise",
    "family_wise_signs",
    "geometric_mean",
    "log_variance",
    "mask_share",
    "mean_squared_error",
    "pareto_khat",
    "pooled_bias",
    "regret",
    "relative_efficiency",
    "reml",
    "same_draws",
    "signs",
    "slope",
    "student_t",
    "variance",
    "widen",
    "win_rate",
]

"""Variables that several kinds of study store: units and long names."""

from infodis_stats.results.labels import Variable

__all__ = ["STUDY_VARIABLES"]

STUDY_VARIABLES = {
    "estimate": Variable("nat", "estimate of one replicate"),
    "khat": Variable("1", "Pareto k-hat of the right tail of the terms of single passes"),
    "truth": Variable("nat", "reference value of the estimates"),
    "truth_se": Variable("nat", "standard error of the reference value"),
    "law_value": Variable("nat", "exact value under the law from which the sequences were drawn"),
    "exact_pass_variance": Variable("nat2", "exact variance of one independent pass"),
    "variance": Variable("nat2", "variance of one replicate, averaged over the group"),
    "bias_z": Variable("1", "bias over its standard error"),
    "bias_p": Variable("1", "p-value of the bias, Holm-adjusted over the whole study"),
    "coverage": Variable("1", "share of the intervals that cover the truth"),
    "coverage_ci": Variable("1", "Wilson interval of the coverage"),
    "missed_low": Variable("1", "intervals below the truth"),
    "missed_high": Variable("1", "intervals above the truth"),
    "intervals": Variable("1", "intervals that were counted"),
}

"""Variables of a comparison: units and long names."""

from infodis_stats.results.labels import Variable
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = ["VARIABLES"]

VARIABLES = STUDY_VARIABLES | {
    "exact_variance": Variable("nat2", "exact variance of one replicate, averaged over the group"),
    "mse": Variable("nat2", "mean squared error of one replicate, averaged over the group"),
    "bias": Variable("nat", "mean error over the group"),
    "bias_se": Variable("nat", "standard error of the bias"),
    "coverage_p": Variable("1", "p-value of nominal coverage, Holm-adjusted over the study for each kind"),
    "coverage_pooled": Variable("1", "share of the intervals that cover the truth, over all passes"),
    "coverage_pooled_ci": Variable("1", "Wilson interval of the coverage over all passes"),
    "intervals_pooled": Variable("1", "intervals that were counted, over all passes"),
    "half_width": Variable("nat", "mean half-width of the intervals"),
    "efficiency": Variable("1", "variance of the reference over the variance, at equal passes"),
    "efficiency_ci": Variable("1", "bootstrap interval of the efficiency"),
    "slope": Variable("1", "slope of log variance on log passes"),
    "slope_ci": Variable("1", "interval of the slope"),
    "khat_median": Variable("1", "median Pareto k-hat over the group"),
    "value": Variable("nat", "mean reference value of the items that subjects share"),
    "value_se": Variable("nat", "standard error of the mean reference value, of the long runs"),
    "bits": Variable("bit", "reference value per scored position"),
    "items": Variable("1", "items on which no subject failed"),
    "best": Variable("1", "estimator with the least variance, chosen on the first half of the replicates"),
    "best_variance": Variable("nat2", "variance of one replicate of the best estimator, averaged over the items"),
    "lead": Variable("1", "variance of the best of the first subject over that of the best, on the second half"),
    "lead_ci": Variable("1", "bootstrap interval of the lead"),
    "passes_run": Variable("1", "forward passes really run, per replicate and sequence"),
}

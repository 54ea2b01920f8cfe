"""Variables of a frontier: units and long names."""

from infodis_stats.results.labels import Variable
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = ["VARIABLES"]

VARIABLES = STUDY_VARIABLES | {
    "tied": Variable("1", "whether there is no significant difference from the estimator of least variance"),
    "winner": Variable("1", "estimator of least variance; empty where none could be run"),
    "role": Variable("1", "candidate, auto, or untrusted"),
    "groups": Variable("1", "groups of 16 to 64 scored positions"),
    "gain": Variable("1", "variance of the rival over the variance, at equal passes"),
    "gain_ci": Variable("1", "bootstrap interval of the gain"),
    "regret": Variable("1", "variance over that of the best estimator, chosen on other replicates"),
    "regret_ci": Variable("1", "interval of the regret"),
    "mean_gain": Variable("1", "geometric mean of the gain over the groups of 16 to 64 scored positions, finite ones"),
    "mean_gain_ci": Variable("1", "interval of the geometric mean of the gain"),
    "mean_regret": Variable(
        "1", "geometric mean of the regret over the groups of 16 to 64 scored positions, finite ones"
    ),
    "mean_regret_ci": Variable("1", "interval of the geometric mean of the regret"),
    "regret_infinite": Variable(
        "1", "groups of infinite regret, where only another estimator is exact; not in the mean"
    ),
    "gain_infinite": Variable("1", "groups of infinite gain, where the estimator is exact; not in the mean"),
}

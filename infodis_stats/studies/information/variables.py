"""Variables of a study of information: units and long names."""

from infodis_stats.results.labels import Variable
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = ["VARIABLES"]

VARIABLES = STUDY_VARIABLES | {
    "entropy": Variable("nat", "entropy of the law"),
    "entropy_z": Variable("1", "information without noise minus the entropy of the law, over its standard error"),
    "entropy_p": Variable(
        "1", "p-value of the information without noise against the entropy, Holm-adjusted over the study"
    ),
    "best_masked": Variable(
        "1", "masked estimator with the least variance, chosen on the first half of the replicates"
    ),
    "best_noised": Variable("1", "score entropy with the least variance, chosen on the first half of the replicates"),
    "lead": Variable(
        "1", "variance of the best masked estimator over that of the best score entropy, on the second half"
    ),
    "lead_ci": Variable("1", "bootstrap interval of the lead"),
}

"""Variables of a study of likelihoods: units and long names."""

from infodis_stats.results.labels import Variable
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = ["VARIABLES"]

VARIABLES = STUDY_VARIABLES | {
    "enumerated": Variable("1", "whether the any-order value is exact"),
    "lower": Variable("nat", "value, or lower bound on it"),
    "lower_se": Variable("nat", "standard error of the lower bound"),
    "upper": Variable("nat", "value, or upper bound on it"),
    "upper_se": Variable("nat", "standard error of the upper bound"),
    "texts": Variable("1", "texts of the subject"),
    "tokens": Variable("1", "scored tokens of all texts"),
    "bits": Variable("bit", "value per token, over all tokens of the subject; of two bounds their mean"),
    "bits_ci": Variable("bit", "interval of the value per token, from both bounds and their errors"),
    "bits_per_byte": Variable("bit", "value per byte, over all texts of the subject"),
    "perplexity": Variable("1", "perplexity per token"),
    "perplexity_ci": Variable("1", "interval of the perplexity per token"),
    "difference": Variable("1", "value minus the any-order value, as a share of the any-order value"),
    "exact": Variable("1", "whether the value is exact"),
    "bytes": Variable("1", "bytes of the scored text in UTF-8"),
    "length": Variable("1", "scored tokens of the text"),
    "published_name": Variable("1", "name of the estimator"),
    "published_passes": Variable("1", "forward passes per text of a published number"),
    "mean_bits": Variable("bit", "mean of the published number, per token"),
    "bias": Variable("1", "mean minus the any-order value, as a share of the any-order value"),
    "bias_se": Variable("1", "standard error of the bias"),
    "bias_bits": Variable("bit", "mean minus the any-order value, per token"),
    "exact_mean": Variable("nat", "exact mean of the estimator, from the losses of all masks"),
    "simulation_z": Variable("1", "mean of the draws minus exact mean, over its standard error"),
    "simulation_p": Variable("1", "p-value of the same, Holm-adjusted over the whole study"),
    "text_spread": Variable("1", "standard deviation of the number of a text over its any-order value, rms over texts"),
    "set_spread": Variable("1", "standard deviation of the number of the whole set over its any-order value"),
}

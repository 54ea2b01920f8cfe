"""Variables of a study of blocks: units and long names."""

from infodis_stats.results.labels import Variable
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = ["VARIABLES"]

VARIABLES = STUDY_VARIABLES | {
    "length": Variable("1", "scored tokens of the text"),
    "enumerated": Variable("1", "whether the reference value is exact: all masks of each block were run"),
    "texts": Variable("1", "texts of the subject"),
    "bits": Variable("bit", "exact or reference value per token, over all tokens of the subject"),
    "bits_se": Variable("bit", "standard error of the reference value per token"),
    "text_sd": Variable("bit", "standard deviation of a single draw per token of a text, root mean square over texts"),
    "text_range": Variable("bit", "5 and 95 % quantiles of single draw minus exact value per token, over all texts"),
    "text_off": Variable("1", "share of single draws of a text whose perplexity is off by more than 10 %"),
    "set_sd": Variable("bit", "standard deviation of a single draw of the whole set, per token"),
    "set_range": Variable("bit", "5 and 95 % quantiles of single draw minus exact value of the whole set, per token"),
    "set_off": Variable("1", "share of single draws of the whole set whose perplexity is off by more than 10 %"),
    "item_sd": Variable("bit", "standard deviation of a single draw per token of the text"),
    "item_median": Variable("bit", "median of single draw minus exact value per token of the text"),
    "item_range": Variable("bit", "5 and 95 % quantiles of single draw minus exact value per token of the text"),
    "item_off": Variable("1", "share of single draws of the text whose perplexity is off by more than 10 %"),
    "standard_error": Variable("bit", "standard error of one replicate per token, root mean square over texts"),
    "ratio": Variable("1", "variance without blocks over that with blocks, geometric mean over texts, finite ones"),
    "ratio_ci": Variable("1", "interval of the geometric mean of the ratio"),
    "exact_texts": Variable("1", "texts on which the estimator is exact with blocks alone; not in the mean"),
    "mean_ratio": Variable("1", "geometric mean of the ratio over texts and passes, finite ones"),
    "mean_ratio_ci": Variable("1", "interval of the geometric mean over texts and passes"),
    "compared": Variable("1", "texts whose variances are compared"),
    "block_size": Variable("1", "tokens of a block"),
    "chosen": Variable("1", "estimator that really sampled: what auto chose; empty where nothing was run"),
}

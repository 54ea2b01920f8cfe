"""Variables of a comparison of corpora: units and long names."""

from infodis_stats.results.labels import Variable
from infodis_stats.studies.design.variables import STUDY_VARIABLES

__all__ = ["VARIABLES"]

VARIABLES = STUDY_VARIABLES | {
    "nll_se": Variable("nat", "standard error of the negative log-likelihood"),
    "texts": Variable("1", "texts of the corpus"),
    "dominated": Variable("1", "whether a few texts dominate the mean over texts"),
    "difference": Variable("bit", "mean cost of a token over that in the reference corpus"),
    "difference_ci": Variable("bit", "confidence interval of the difference"),
    "mask_share": Variable("1", "share of the variance between texts that is noise of the masks"),
    "auroc": Variable("1", "probability that a text costs more per token than one of the reference corpus"),
    "auroc_ci": Variable("1", "confidence interval of the AUROC"),
}

"""What public implementations compute, with their biases, so that published numbers can be related to ours.

Reimplemented from what their code does. Where a number there depends on the batch size, a replicate is one batch: 128
draws in batches of 16 are 8 replicates of 16 passes. Prompts are never masked here, the first and last token always
count, and losses are taken in full precision.
"""

from estimators.masked.published.base import Published, Purpose
from estimators.masked.published.complements import PublishedDiffuCoder, PublishedESPO
from estimators.masked.published.counts import InfodisCount, PublishedELBOKTO, PublishedInfodis, PublishedLLaDA
from estimators.masked.published.expectation import expected_value, mean_from_losses
from estimators.masked.published.grids import PublishedDiscreteELBO, PublishedGDPO, PublishedGIDD
from estimators.masked.published.rates import (
    PublishedBD3LM,
    PublishedDream,
    PublishedMDLM,
    PublishedMDLMDiscrete,
    PublishedRADD,
    PublishedSMDM,
)
from estimators.masked.published.scores import PublishedD1, PublishedPLL
from estimators.masked.published.upper_bound import PublishedSPG
from estimators.masked.published.visible_share import PublishedParameterGolfLoss

__all__ = [
    "InfodisCount",
    "Published",
    "PublishedBD3LM",
    "PublishedD1",
    "PublishedDiffuCoder",
    "PublishedDiscreteELBO",
    "PublishedDream",
    "PublishedELBOKTO",
    "PublishedESPO",
    "PublishedGDPO",
    "PublishedGIDD",
    "PublishedInfodis",
    "PublishedLLaDA",
    "PublishedMDLM",
    "PublishedMDLMDiscrete",
    "PublishedPLL",
    "PublishedParameterGolfLoss",
    "PublishedRADD",
    "PublishedSMDM",
    "PublishedSPG",
    "Purpose",
    "expected_value",
    "mean_from_losses",
]

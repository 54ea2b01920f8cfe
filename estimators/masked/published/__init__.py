"""What public implementations compute, with their biases, so that published numbers can be related to ours.

Reimplemented from what their code does. Where a number there depends on the batch size, a replicate is one batch: 128
draws in batches of 16 are 8 replicates of 16 passes. Prompts are never masked here, the first and last token always
count, and losses are taken in full precision.
"""

from estimators.masked.published.complements import PublishedDiffuCoder
from estimators.masked.published.counts import InfodisCount, PublishedLLaDA
from estimators.masked.published.rates import PublishedDream, PublishedRADD
from estimators.masked.published.scores import PublishedD1, PublishedPLL

__all__ = [
    "InfodisCount",
    "PublishedD1",
    "PublishedDiffuCoder",
    "PublishedDream",
    "PublishedLLaDA",
    "PublishedPLL",
    "PublishedRADD",
]

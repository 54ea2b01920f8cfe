"""Language models in Hugging Face layout, with the calling conventions of their families."""

from infodis_stats.models.huggingface.families import FAMILIES
from infodis_stats.models.huggingface.family import Family
from infodis_stats.models.huggingface.loading import find_noised_family, load_huggingface, load_noised
from infodis_stats.models.huggingface.masked_model import MaskedLanguageModel
from infodis_stats.models.huggingface.noised_family import NOISED_FAMILIES, NoisedFamily
from infodis_stats.models.huggingface.noised_model import NoisedLanguageModel

__all__ = [
    "FAMILIES",
    "NOISED_FAMILIES",
    "Family",
    "MaskedLanguageModel",
    "NoisedFamily",
    "NoisedLanguageModel",
    "find_noised_family",
    "load_huggingface",
    "load_noised",
]

"""Masked language models in Hugging Face layout, with the calling conventions of their families."""

from infodis_stats.models.huggingface.families import FAMILIES
from infodis_stats.models.huggingface.family import Family
from infodis_stats.models.huggingface.loading import load_huggingface
from infodis_stats.models.huggingface.masked_model import MaskedLanguageModel

__all__ = ["FAMILIES", "Family", "MaskedLanguageModel", "load_huggingface"]

"""Networks as conditional models: the built-in denoiser, Hugging Face models, and loading by name."""

from infodis_stats.models.acceleration import accelerated
from infodis_stats.models.denoiser import Denoiser, DenoiserConfig
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface
from infodis_stats.models.loading import load_model
from infodis_stats.models.text_model import TextModel, check_text_model, conditioned

__all__ = [
    "Denoiser",
    "DenoiserConfig",
    "MaskedLanguageModel",
    "TextModel",
    "accelerated",
    "check_text_model",
    "conditioned",
    "load_huggingface",
    "load_model",
]

"""Networks as conditional models: the built-in denoiser, Hugging Face models, and loading by name."""

from infodis_stats.models.acceleration import accelerated
from infodis_stats.models.denoisers import Denoiser, DenoiserConfig, UniformDenoiser
from infodis_stats.models.encoding import Encoded, conditioned, conditioned_alternatives, encoded_alternatives
from infodis_stats.models.huggingface import MaskedLanguageModel, NoisedLanguageModel, load_huggingface
from infodis_stats.models.loading import load_model
from infodis_stats.models.text_model import TextModel, check_text_model

__all__ = [
    "Denoiser",
    "DenoiserConfig",
    "Encoded",
    "MaskedLanguageModel",
    "NoisedLanguageModel",
    "TextModel",
    "UniformDenoiser",
    "accelerated",
    "check_text_model",
    "conditioned",
    "conditioned_alternatives",
    "encoded_alternatives",
    "load_huggingface",
    "load_model",
]

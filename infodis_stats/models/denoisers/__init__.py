"""Denoisers: small transformers that `infodis-stats train` trains, for masks and for uniform noise, and their files."""

from infodis_stats.models.denoisers.config import DenoiserConfig
from infodis_stats.models.denoisers.loading import load_denoiser
from infodis_stats.models.denoisers.masked import Denoiser
from infodis_stats.models.denoisers.uniform import UniformDenoiser

__all__ = ["Denoiser", "DenoiserConfig", "UniformDenoiser", "load_denoiser"]

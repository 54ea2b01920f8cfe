"""Loading of a denoiser of either kind from a file."""

from pathlib import Path

from infodis_stats.models.denoisers.masked import Denoiser
from infodis_stats.models.denoisers.network import read_config
from infodis_stats.models.denoisers.uniform import UniformDenoiser

__all__ = ["load_denoiser"]


def load_denoiser(path: Path | str) -> Denoiser | UniformDenoiser:
    """Read a denoiser that `infodis-stats train` wrote, of the kind that the file holds.

    Raises
    ------
    StoreError
        If the file is missing, damaged, or not a safetensors file written by ``save``.
    """
    return UniformDenoiser.load(path) if read_config(path).noise else Denoiser.load(path)

"""What made a number: versions and fingerprints, for the attributes of a data set."""

import platform
from importlib.metadata import version

from infodis_stats.oracles import Law

__all__ = ["SCHEMA", "model_fingerprint", "versions"]

SCHEMA = "infodis-stats/2"
"""Name and version of the layout of everything that is stored."""

_PACKAGES = ("infodis-stats", "numpy", "scipy", "torch", "xarray", "statsmodels", "arviz-stats")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version()} | {package: version(package) for package in _PACKAGES}


def model_fingerprint(model: object) -> str:
    """Return a law's name and digest, or another model's type."""
    return f"{model.describe()} {model.fingerprint()}" if isinstance(model, Law) else type(model).__qualname__

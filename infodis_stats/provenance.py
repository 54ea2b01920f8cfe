"""What made a number: versions and fingerprints, for the attributes of a data set."""

import platform
from importlib.metadata import version
from typing import Protocol, runtime_checkable

__all__ = ["SCHEMA", "model_fingerprint", "versions"]

SCHEMA = "infodis-stats/2"
"""Name and version of the layout of everything that is stored."""

_PACKAGES = ("infodis-stats", "numpy", "scipy", "torch", "xarray", "statsmodels", "arviz-stats")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version()} | {package: version(package) for package in _PACKAGES}


@runtime_checkable
class _Fingerprinted(Protocol):
    def fingerprint(self) -> str: ...


@runtime_checkable
class _Described(Protocol):
    def describe(self) -> str: ...


def model_fingerprint(model: object) -> str:
    """Return a model's description and digest; its type where it gives none."""
    kind = type(model).__qualname__
    if not isinstance(model, _Fingerprinted):
        return kind
    return f"{model.describe() if isinstance(model, _Described) else kind} {model.fingerprint()}"

"""What made a number: versions and fingerprints, for the attributes of a data set."""

import hashlib
import platform
from functools import cache
from importlib import metadata, resources
from importlib.abc import Traversable
from typing import Protocol, runtime_checkable

import numpy as np
import torch

__all__ = ["arithmetic_digest", "code_digest", "model_fingerprint", "versions"]

_PACKAGES = ("infodis-stats", "numpy", "scipy", "torch", "xarray", "statsmodels", "arviz-stats")


_version = cache(metadata.version)  # which parses a file each time: half of the time of a small estimate


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version()} | {package: _version(package) for package in _PACKAGES}


_NO_NUMBERS = ("cli.py", "commands", "report")  # modules that only show what others compute


@cache
def code_digest() -> str:
    """Return the SHA-256 of the code that numbers are made by, in hexadecimal: versions know no unreleased change."""
    digest = hashlib.sha256()
    for package in ("estimators", "infodis_stats"):
        _update(digest, resources.files(package))
    return digest.hexdigest()


def _update(digest: "hashlib._Hash", folder: Traversable) -> None:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.name in _NO_NUMBERS:
            continue
        if entry.is_dir():
            _update(digest, entry)
        elif entry.name.endswith(".py"):
            digest.update(entry.name.encode() + b"\0" + entry.read_bytes())


@cache
def arithmetic_digest() -> str:
    """Return the SHA-256 of what is computed from some numbers here, in hexadecimal: processors differ in last bits."""
    some = np.linspace(0.01, 12, 961)
    tensor = torch.from_numpy(some)
    found = [np.exp(-some), np.log(some), np.log1p(some), np.expm1(some), some**1.7, some.sum(), some @ some]
    found += [torch.exp(-tensor).numpy(), torch.log(tensor).numpy(), torch.logsumexp(tensor, dim=0).numpy()]
    return hashlib.sha256(b"".join(one.tobytes() for one in found)).hexdigest()


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

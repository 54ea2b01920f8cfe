"""Provenance: the attributes that record how a data set was made, with versions and fingerprints."""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from estimators import Cell, Model, Pair, Target
from estimators.estimator import estimator_of
from estimators.model import blocks_of
from infodis_stats.io.store import SCHEMA
from infodis_stats.results.estimands import estimand_of_cell

__all__ = [
    "arithmetic_digest",
    "installed_version",
    "model_attributes",
    "model_conventions",
    "model_fingerprint",
    "provenance_attributes",
    "stated_conventions",
    "versions",
]

_PACKAGES = ("infodis-stats", "numpy", "scipy", "torch", "xarray", "statsmodels", "arviz-stats")


_version = cache(metadata.version)  # parsing the metadata takes half of the time of a small estimate


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version()} | {package: _version(package) for package in _PACKAGES}


def installed_version(package: str) -> str:
    """Return the version of a package, or "not installed".

    Examples
    --------
    >>> installed_version("a package that nobody has")
    'not installed'
    """
    try:
        return _version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


@cache
def arithmetic_digest() -> str:
    """Return the SHA-256 of elementary functions on a grid, in hexadecimal: processors differ in the last bits."""
    grid = np.linspace(0.01, 12, 961)
    tensor = torch.from_numpy(grid)
    values = [np.exp(-grid), np.log(grid), np.log1p(grid), np.expm1(grid), grid**1.7, grid.sum(), grid @ grid]
    values += [torch.exp(-tensor).numpy(), torch.log(tensor).numpy(), torch.logsumexp(tensor, dim=0).numpy()]
    return hashlib.sha256(b"".join(array.tobytes() for array in values)).hexdigest()


@runtime_checkable
class _Fingerprinted(Protocol):
    def fingerprint(self) -> str: ...


@runtime_checkable
class _Described(Protocol):
    def describe(self) -> str: ...


@runtime_checkable
class _Conventional(Protocol):
    def conventions(self) -> Mapping[str, Any]: ...


def model_fingerprint(model: object) -> str:
    """Return a model's description and digest, or its type if it has no fingerprint."""
    kind = type(model).__qualname__
    if not isinstance(model, _Fingerprinted):
        return kind
    return f"{model.describe() if isinstance(model, _Described) else kind} {model.fingerprint()}"


def stated_conventions(model: object) -> dict[str, Any]:
    """Return what the method ``conventions`` of a model returns; nothing if it has none."""
    return dict(model.conventions()) if isinstance(model, _Conventional) else {}


def model_conventions(model: object) -> str:
    """Return the conventions that a model declares, as a JSON object; empty if it declares none.

    They are what its method ``conventions`` returns, and the ``revision`` (the commit) of a model from the hub.
    """
    stated = stated_conventions(model)
    revision = getattr(model, "revision", "")
    return json.dumps(stated | ({"revision": revision} if revision else {}), default=str)


def model_attributes(model: object, *, in_blocks: bool = True) -> dict[str, str | int]:
    """Return the attributes of a data set that describe its model, its blocks if they are used, and the versions."""
    blocks = blocks_of(model) if in_blocks else None
    return {
        "model": model_fingerprint(model),
        "model_conventions": model_conventions(model),
        **({} if blocks is None else {"block_size": blocks.size, "block_start": blocks.start}),
        "versions": json.dumps(versions()),
        "schema": SCHEMA,
    }


def provenance_attributes(
    model: Model,
    cell: Cell,
    items: Iterable[Target | Pair],
    *,
    seed: int,
    level: float,
    forward_passes: int,
    interval: str = "student-t",
    simultaneous: bool = False,
    estimand: str = "",
) -> dict[str, str | int | float]:
    """Return the attributes of a data set of estimates.

    Parameters
    ----------
    model : Model
    cell : Cell
        Any cell, as requested: ``auto`` has not chosen yet.
    items : iterable of Target or of Pair
        All items, as they are planned: they know their blocks if they are planned in blocks.
    estimand : str, optional
        A name of `ESTIMANDS`; default: what the cell estimates.
    """
    targets = [item.longer for item in items]
    return {
        "estimand": estimand or estimand_of_cell(cell, model),
        "estimator": cell.sampler.name,
        "choices": json.dumps(_choices(cell, model, targets)),
        "passes": cell.passes,
        "replicates": cell.replicates,
        "seed": seed,
        "ci_kind": interval,
        "ci_prob": level,
        "ci_simultaneous": int(simultaneous),
        "forward_passes": forward_passes,
        **model_attributes(model, in_blocks=any(target.blocks for target in targets)),
    }


def _choices(cell: Cell, model: Model, targets: Iterable[Target]) -> dict[str, str]:
    """Return what ``auto`` chose, each with its reason."""
    estimator = estimator_of(cell.sampler)
    if estimator is None:
        return {}
    kinds = {(target.longest_block, target.length): target for target in targets}  # all that the choice depends on
    choices = [estimator.choice(target, cell.passes, model) for _, target in sorted(kinds.items())]
    return {choice.estimator.name: choice.why for choice in choices if choice is not None}

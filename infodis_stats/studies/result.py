"""What a study of any kind brings forth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import xarray as xr

__all__ = ["Bar", "Result"]


class Bar(Protocol):
    """A progress bar: of so many passes, so many are done."""

    total: float | None

    def update(self, done: int) -> object:
        """Add passes that are done."""
        ...


@dataclass(frozen=True)
class Result:
    """The data sets of a study, what they cost, and what could not be run, a sentence each."""

    datasets: Mapping[str, xr.Dataset]
    forward_passes: int
    not_run: Sequence[str]
    attributes: Mapping[str, str | int]

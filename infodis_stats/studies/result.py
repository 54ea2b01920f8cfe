"""What a study of any kind brings forth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import xarray as xr

from infodis_stats.work import Course

__all__ = ["Result", "Steps"]


@dataclass(frozen=True)
class Result:
    """The data sets of a study, what they cost, and what could not be run, a sentence each."""

    datasets: Mapping[str, xr.Dataset]
    forward_passes: int
    not_run: Sequence[str]
    attributes: Mapping[str, str | int]


Steps = Course[Result]
"""A study of any kind on its way to its result."""

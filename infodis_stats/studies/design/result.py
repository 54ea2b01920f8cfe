"""The outcome of a study of any kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import xarray as xr

from infodis_stats.execution import Workflow

__all__ = ["Result", "Steps"]


@dataclass(frozen=True)
class Result:
    """The data sets of a study, their forward passes, a sentence on each gap, and the problems of failed items."""

    datasets: Mapping[str, xr.Dataset]
    forward_passes: int
    not_run: Sequence[str]
    attributes: Mapping[str, str | int]
    failed: Mapping[str, str] = field(default_factory=dict)


Steps = Workflow[Result]
"""The workflow of a study of any kind."""

"""Access to the data sets of a finished study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

__all__ = ["Study"]


@dataclass(frozen=True, eq=False)
class Study:
    """The data sets of a study by the names of their groups, and its attributes.

    Parameters
    ----------
    tree : xarray.DataTree
        As returned by `run_study` or `read_store`.
    """

    tree: xr.DataTree

    def __getitem__(self, group: str) -> xr.Dataset:
        """Return the data set of a group."""
        return self.tree[group].to_dataset()

    def __contains__(self, group: str) -> bool:
        """Whether there is such a group."""
        return group in self.tree.children

    @property
    def summary(self) -> xr.Dataset:
        """The summary of the draws."""
        return self["summary"]

    @property
    def draws(self) -> xr.Dataset:
        """Every replicate."""
        return self["draws"]

    @property
    def truth(self) -> xr.Dataset:
        """The reference values that estimates are compared with."""
        return self["truth"]

    @property
    def attrs(self) -> Mapping[Any, Any]:
        """Title, kind and other attributes of the study."""
        return self.tree.attrs

    @property
    def provenance(self) -> Mapping[Any, Any]:
        """Study file, seed, model, versions, forward passes, and what failed or could not be run."""
        return self.tree["provenance"].attrs

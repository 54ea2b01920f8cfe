"""Access to the data sets of a finished study."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from estimators import InfodisError, InputError

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

    @classmethod
    def of(cls, tree: object, purpose: str) -> "Study":
        """Return the view of a tree.

        Parameters
        ----------
        tree : object
        purpose : str
            What needs it, in messages.

        Raises
        ------
        InputError
            If it is no study.
        """
        if not isinstance(tree, xr.DataTree):
            raise InputError(f"{purpose} needs what run_study returned or read_store read, got {type(tree).__name__}")
        missing = [group for group in ("summary", "provenance") if group not in tree.children]
        if missing or not isinstance(tree.attrs.get("kind"), str):
            lacking = f"group {missing[0]!r}" if missing else "kind"
            raise InputError(f"{purpose} needs what run_study returned or read_store read; this tree has no {lacking}")
        return cls(tree)

    @contextlib.contextmanager
    def whole(self, purpose: str) -> Iterator[None]:
        """Say that a study may have been changed where its data sets do not fit together."""
        try:
            yield
        except InfodisError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
            raise InputError(
                f"{purpose} failed ({problem}): it needs a whole study, as run_study returned or read_store read it, "
                "without selections"
            ) from error

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

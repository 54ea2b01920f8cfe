"""Items on which the model fails: named and left out, so that a study of thousands does not end with one failure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import ModelError

__all__ = ["failed_items"]


def failed_items(names: Sequence[str], *drawn: tuple[NDArray[np.str_], ArrayLike]) -> dict[str, str]:
    """Return the problems of failed items, by name.

    Parameters
    ----------
    names : sequence of str
        Of all items.
    *drawn : tuple of array of str and array_like of int
        The problems of some cells, and the index of each cell's item.

    Raises
    ------
    ModelError
        If the model failed on all items, with the problem of the first.
    """
    failed: dict[str, str] = {}
    for problems, owners in drawn:
        for cell in np.flatnonzero(problems != ""):
            failed.setdefault(names[np.asarray(owners)[cell]], str(problems[cell]))
    if len(failed) == len(names):
        raise ModelError(f"{names[0]}, {failed[names[0]]}")
    return failed

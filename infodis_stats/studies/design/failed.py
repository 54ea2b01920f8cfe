"""Items that a model fails on: named, and left out, so that one does not end a study of thousands."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import ModelError

__all__ = ["failed_items"]


def failed_items(names: Sequence[str], *drawn: tuple[NDArray[np.str_], ArrayLike]) -> dict[str, str]:
    """Return how the model failed, by item.

    Parameters
    ----------
    names : sequence of str
        Of all items.
    *drawn : tuple of array of str and array_like of int
        The problems of some cells, and whose each cell is.

    Raises
    ------
    ModelError
        If it failed on all items; says how on the first.
    """
    failed: dict[str, str] = {}
    for problems, owners in drawn:
        for place in np.flatnonzero(problems != ""):
            failed.setdefault(names[np.asarray(owners)[place]], str(problems[place]))
    if len(failed) == len(names):
        raise ModelError(f"{names[0]}, {failed[names[0]]}")
    return failed

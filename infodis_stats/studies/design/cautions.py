"""Cautions of a study as a variable: which holds in which cell, by construction."""

from collections.abc import Iterable, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infodis_stats.results.validity import CAUTIONS, Caution, flags

__all__ = ["caution_variable"]


def caution_variable(dims: Sequence[str], cells: Iterable[Iterable[Caution]], shape: Sequence[int]) -> xr.DataArray:
    """Label the cautions of the cells of a grid.

    Parameters
    ----------
    dims : sequence of str
        Of the grid.
    cells : iterable of iterable of Caution
        The cautions that hold in each cell; the last dimension runs fastest.
    shape : sequence of int
        Of the grid.

    Returns
    -------
    xarray.DataArray
        Booleans over the dimensions and ``caution``, whose coordinate has every key.
    """
    values: NDArray[np.bool_] = flags([list(cautions) for cautions in cells]).reshape(*shape, len(CAUTIONS))
    attributes = {"units": "1", "long_name": "whether the caution holds, by construction"}
    return xr.DataArray(values, {"caution": list(CAUTIONS)}, [*dims, "caution"], attrs=attributes)

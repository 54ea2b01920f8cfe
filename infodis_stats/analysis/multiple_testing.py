"""Adjustment of p-values for the number of tests."""

import numpy as np
from numpy.typing import ArrayLike
from statsmodels.stats.multitest import multipletests

from infodis_stats.analysis.replicates import FloatArray

__all__ = ["family_wise"]


def family_wise(p_values: ArrayLike) -> FloatArray:
    """Adjust p-values for the family-wise error rate by Holm's procedure [1]_.

    If hypotheses with an adjusted p-value below alpha are rejected, the probability of any false rejection is at most
    alpha, under any dependence between cells.

    Parameters
    ----------
    p_values : array_like, any shape
        NaN cells are omitted and stay NaN.

    Returns
    -------
    ndarray of float64
        Adjusted p-values, same shape.

    References
    ----------
    .. [1] S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statistics 6, 1979.

    Examples
    --------
    >>> family_wise([[0.01, 0.04], [0.03, float("nan")]])
    array([[0.03, 0.06],
           [0.06,  nan]])
    """
    values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(values.shape, np.nan)
    known = ~np.isnan(values)
    if known.any():
        adjusted[known] = multipletests(values[known], method="holm")[1]
    return adjusted

"""Decisions about many estimates at once: which of them are above zero, and which below."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from infodis_stats.analysis.moments import bias, family_wise
from infodis_stats.analysis.replicates import FloatArray

__all__ = ["family_wise_signs"]


def family_wise_signs(draws: ArrayLike) -> FloatArray:
    """p-value of the claim that each mean has the sign it shows, adjusted for all claims that could be made.

    Claiming a sign where the value is below a level keeps the chance of any false claim in the table below that level,
    whatever the dependence between cells. A claim is false if the true value is zero or has the other sign.

    Parameters
    ----------
    draws : array_like, shape (..., R)
        R >= 2 independent replicates of each estimate, nats. Cells may share random numbers. NaN cells are left out.

    Returns
    -------
    ndarray of float64, shape (...)
        1 where all replicates are zero; NaN for NaN cells.

    Raises
    ------
    InputError
        If R < 2.

    Notes
    -----
    Both one-sided Student-t tests of every cell, R - 1 degrees of freedom, form one family for Holm's procedure. Holm's
    adjustment of two-sided tests would not do: it is not known to control wrong signs under dependence.

    References
    ----------
    J. P. Shaffer, Control of directional errors with stagewise multiple test procedures, Annals of Statistics 8, 1980.

    Examples
    --------
    >>> family_wise_signs([[1.0, 1.1, 1.2], [-0.4, 0.1, 0.2], [0.0, 0.0, 0.0]]).round(3)
    array([0.008, 1.   , 1.   ])
    """
    test = bias(draws, 0.0)
    one_sided = stats.t.sf(np.stack([test.z, -test.z]), np.shape(draws)[-1] - 1)
    return np.asarray(family_wise(one_sided).min(axis=0))

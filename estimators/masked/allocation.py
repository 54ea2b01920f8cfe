"""How passes are shared among strata."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["equal_proportions"]


def equal_proportions(
    total: int,
    spread: NDArray[np.float64],
    fewest: NDArray[np.int64],
    most: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Share passes among strata so that ``sum spread^2 / share`` is least: Neyman's allocation in whole numbers.

    One by one to the stratum with the largest ``spread / sqrt(n (n + 1))``, the method of equal proportions.

    Parameters
    ----------
    total : int
        Passes to share; what exceeds the bounds is not given out.
    spread : array of float64, shape (strata,)
        Positive: width times standard deviation of each stratum, up to a factor.
    fewest, most : array of int64, shape (strata,)
        Bounds of each share, at least 1; ``fewest`` is given whatever the total is.

    Returns
    -------
    array of int64, shape (strata,)

    References
    ----------
    T. Wright, "The equivalence of Neyman optimum allocation for sampling and equal proportions for apportioning the
    U.S. House of Representatives", The American Statistician 66 (2012).

    Examples
    --------
    >>> equal_proportions(10, np.array([1.0, 1.0, 3.0]), np.array([1, 1, 1]), np.array([9, 9, 9]))
    array([2, 2, 6])
    """
    shares = fewest.copy()
    for _ in range(min(total, int(most.sum())) - int(fewest.sum())):
        gains = np.where(shares < most, spread / np.sqrt(shares * (shares + 1.0)), 0.0)
        shares[gains.argmax()] += 1
    return shares

"""How passes are shared among strata."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["highest_averages"]


def highest_averages(
    total: int,
    mass: NDArray[np.float64],
    fewest: int | NDArray[np.int64],
    most: float | NDArray[np.int64] | NDArray[np.float64] = np.inf,
) -> NDArray[np.int64]:
    """Share passes among strata in proportion to their mass, one by one to the stratum with most mass a pass (D'Hondt).

    Parameters
    ----------
    total : int
        Passes to share; what exceeds all bounds is not given out.
    mass : array of float64, shape (strata,)
        Positive; what the shares are proportional to.
    fewest, most : number or array of numbers, shape (strata,)
        Bounds of each share; ``fewest`` is given whatever the total is.

    Returns
    -------
    array of int64, shape (strata,)

    Examples
    --------
    >>> highest_averages(10, np.array([1.0, 1.0, 3.0]), fewest=1)
    array([2, 2, 6])
    >>> highest_averages(10, np.array([1.0, 1.0, 3.0]), fewest=1, most=np.array([9, 9, 4]))
    array([3, 3, 4])
    """
    shares: NDArray[np.int64] = np.zeros(len(mass), dtype=np.int64) + np.asarray(fewest)
    for _ in range(total - int(shares.sum())):
        averages = np.where(shares < most, mass / shares, 0.0)
        if not averages.any():
            break
        shares[averages.argmax()] += 1
    return shares

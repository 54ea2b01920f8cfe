"""How the losses of one target are correlated: the Gaussian prior of the surrogate.

The losses of a model whose conditionals agree with one law are the steps of one function of the mask:
``c(i, S) = v(S) - v(S without i)``, ``v(S) = log p(x outside S)``. Expand ``v`` in products of signs, ``s_j = 1`` where
``j`` is masked and ``-1`` where it is revealed. With a coefficient ``beta_T`` for each cluster ``T`` of positions,

    c(i, S) = sum over the clusters T that contain i of  beta_T  times the product of s_j over the other j in T.

One coefficient serves all positions of its cluster: ``j`` is as informative of ``i`` as ``i`` of ``j``. A priori the
coefficients are independent with mean 0 and a variance that is a product over the links from each position of the
cluster to the next: `LINK`, times `DECAY` for every position skipped. The losses of a learned model need not be the
steps of any function: each position also has coefficients of its own, `OWN` times as large in variance, and an
offset, `OFFSET`. Recursions along the sequence give the exact covariances of this Gaussian process in the masks, and
their exact means over the masks of one size.

The prior is a guess, not an assumption: a poor one makes estimates less precise, never biased. Its scale does not
matter, so losses need no scaling, and predictions are linear in them. The values are the best of a coarse search on a
character model and on Markov chains. The optimum is flat: a factor of 1.5 in any of them costs 5 % of the variance.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["covariance", "expected_covariance", "mean_products"]

LINK = 0.12
DECAY = 0.3
OWN = 0.2
OFFSET = 1.0
ORDERS = 24  # clusters of more than so many links have variances below rounding


def covariance(signs: NDArray[np.float64], inside: slice) -> NDArray[np.float64]:
    """Return the prior covariances of losses at some positions, of any two passes.

    Parameters
    ----------
    signs : array of float64, shape (window, passes)
        1 where a pass masks a position, -1 where it reveals it; for the positions that may belong to a cluster.
    inside : slice
        The ``n`` positions asked for, in the window.

    Returns
    -------
    array of float64, shape (n, passes, n, passes)
        Between ``c(i, S_k)`` and ``c(j, S_l)`` at ``[i, k, j, l]``, for ``j <= i`` alone; 0 elsewhere.
    """
    products = signs[:, :, None] * signs[:, None, :]
    left, right = _reach(products)[inside], _reach(products[::-1])[::-1][inside]
    signs, steps = signs[inside], DECAY + LINK * products[inside]
    count, passes = signs.shape
    full = np.zeros((count, passes, count, passes))
    index = np.arange(count)
    full[index, :, index] = (1.0 + OWN) * left * right + OFFSET
    between = np.full_like(steps, LINK)
    for gap in range(1, count):
        low, high = slice(0, count - gap), slice(gap, count)
        between = between[:-1] * steps[gap - 1 : -1] if gap > 1 else between[:-1]
        # The cluster without i has the sign of j, and the other way round.
        full[index[high], :, index[low]] = (
            left[low] * between * right[high] * signs[low][:, :, None] * signs[high][:, None, :]
        )
    return full


def expected_covariance(signs: NDArray[np.float64], inside: slice, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the prior covariances of losses with weighted means over all masks of each size.

    The mean is that of ``c(i, S)`` over a uniformly random mask of size ``m`` that masks ``i``, summed over the ``i``
    that are inside.

    Parameters
    ----------
    signs, inside
        See `covariance`.
    shares : array of float64, shape (functionals, length)
        Weight of each size ``1 .. L`` in each functional.

    Returns
    -------
    array of float64, shape (n, passes, functionals)
    """
    orders = min(len(signs) - 1, ORDERS)
    counted = np.zeros(len(signs))
    counted[inside] = 1.0
    left, left_counted = (reach[inside] for reach in _reach_by_order(signs, counted, orders))
    right, right_counted = (reach[::-1][inside] for reach in _reach_by_order(signs[::-1], counted[::-1], orders))
    # A cluster counts once for each of its positions inside, the loss's own position among them.
    clusters = _convolve(right, (1.0 + OWN) * left + left_counted) + _convolve(left, right_counted)
    expected: NDArray[np.float64] = clusters @ (mean_products(shares.shape[1], orders) @ shares.T)
    expected += OFFSET * shares.sum(axis=1)
    return expected


def _reach(products: NDArray[np.float64]) -> NDArray[np.float64]:
    # Sum over all ways to extend a cluster from each position to the ones before it, "not at all" included.
    reach = np.ones_like(products)
    for i in range(1, len(products)):
        reach[i] += DECAY * (reach[i - 1] - 1.0) + LINK * products[i - 1] * reach[i - 1]
    return reach


def _reach_by_order(
    signs: NDArray[np.float64], counted: NDArray[np.float64], orders: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    # `_reach` of one pass split by the number of positions gone to, and the same times how many of them are counted.
    reach = np.zeros((*signs.shape, orders + 1))
    weighted = np.zeros_like(reach)
    reach[..., 0] = 1.0
    for i in range(1, len(signs)):
        link, far, far_weighted = LINK * signs[i - 1][:, None], reach[i - 1], weighted[i - 1]
        reach[i, :, 1:] = DECAY * far[:, 1:] + link * far[:, :-1]
        weighted[i, :, 1:] = DECAY * far_weighted[:, 1:] + link * (far_weighted + counted[i - 1] * far)[:, :-1]
    return reach, weighted


def _convolve(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    # Product of polynomials along the last axis, cut at its length.
    product = left * right[..., :1]
    for order in range(1, left.shape[-1]):
        product[..., order:] += left[..., :-order] * right[..., order : order + 1]
    return product


def mean_products(length: int, orders: int) -> NDArray[np.float64]:
    """Return the mean product of ``n`` other signs over the masks of size ``m`` that mask ``i``, at ``[n, m - 1]``.

    In the mean, and with ``N`` others, (sum of their signs) (product of ``n``) = ``(N - n)`` (product of ``n + 1``) +
    ``n`` (product of ``n - 1``): Krawtchouk's recursion.

    Examples
    --------
    >>> mean_products(length=3, orders=1)
    array([[ 1.,  1.,  1.],
           [-1.,  0.,  1.]])
    """
    others = length - 1
    total = 2.0 * np.arange(length) - others
    means = np.ones((orders + 1, length))
    for n in range(orders):
        means[n + 1] = (total * means[n] - (n * means[n - 1] if n else 0.0)) / (others - n)
    return means

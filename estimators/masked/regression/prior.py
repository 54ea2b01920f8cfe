"""How the losses of one target are correlated: the Gaussian prior of the surrogate.

The losses of a model whose conditionals agree with one law are the steps of one function of the mask:
``c(i, S) = v(S) - v(S without i)``, ``v(S) = log p(x outside S)``. Expand ``v`` in products of signs, ``s_j = 1`` where
``j`` is masked and ``-1`` where it is revealed. With a coefficient ``beta_T`` for each cluster ``T`` of positions,

    c(i, S) = sum over the clusters T that contain i of  beta_T  times the product of s_j over the other j in T.

One coefficient serves all positions of its cluster: ``j`` is as informative of ``i`` as ``i`` of ``j``. A priori the
coefficients are independent with mean 0 and a variance that is a product over the links from each position of the
cluster to the next: `LINK`, times `DECAY` for every position skipped. The losses of a learned model need not be the
steps of any function: each position also has coefficients of its own, `OWN` times as large in variance, and an
offset, `OFFSET`.

Clusters of small variance are left out; the sum of their variances is added to that of the noise. Clusters of a
somewhat larger variance have coefficients for each of their positions alone, which costs less: `make_prior` is given
both thresholds.

The prior is a guess, not an assumption: a poor one makes estimates less precise, never biased. Its scale does not
matter, so losses need no scaling, and predictions are linear in them. The values are the best of a coarse search on a
character model and on Markov chains. The optimum is flat there: a factor of 1.5 in any of them costs 5 % of the
variance. On models of subwords and of molecules, 16 and 32 positions and 32 passes, other values change the variance by
-6 to 13 %: subwords prefer weaker links (`LINK` 0.08: -2 to -5 %, but 8 to 13 % more for molecules), molecules longer
ones (`DECAY` 0.4: -4 to -6 %, and no change elsewhere), so one set serves all.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prior", "make_prior", "mean_products"]

LINK = 0.12
DECAY = 0.3
OWN = 0.2
OFFSET = 1.0
NOISE = 0.03  # variance that masks do not explain


@dataclass(frozen=True, eq=False)
class Prior:
    """The terms of the loss at a position, each a product of the signs at some offsets, and their variances.

    Attributes
    ----------
    offsets : tuple of tuple of int
        Of each term: where the other positions of its cluster are, relative to the position. The first term has none.
    alone : array of float64, shape (terms,)
        Prior variance of the coefficient that a position has for itself.
    shape : array of int64, shape (shared,)
        Of the terms with a shared coefficient, which are the first after the constant: the number of the cluster's
        shape.
    start : array of int64, shape (shared,)
        How many positions before the position the cluster begins.
    shared : array of float64, shape (shapes,)
        Prior variance of the shared coefficient of each shape.
    noise : float
        Variance of what is left.
    """

    offsets: tuple[tuple[int, ...], ...]
    alone: NDArray[np.float64]
    shape: NDArray[np.int64]
    start: NDArray[np.int64]
    shared: NDArray[np.float64]
    noise: float

    @cached_property
    def orders(self) -> NDArray[np.int64]:
        """Number of signs in each term: (terms,)."""
        return np.array([len(offsets) for offsets in self.offsets])

    @cached_property
    def order_sums(self) -> NDArray[np.float64]:
        """1 where a term has so many signs: (terms, orders)."""
        sums: NDArray[np.float64] = np.eye(int(self.orders.max()) + 1)[self.orders]
        return sums

    @property
    def reach(self) -> int:
        """Farthest offset."""
        return max((abs(offset) for offsets in self.offsets for offset in offsets), default=0)

    @property
    def span(self) -> int:
        """Positions from the first to the last of the longest cluster with a shared coefficient."""
        return int(self.start.max(initial=0))


@lru_cache(maxsize=8)
def make_prior(shared_from: float, alone_from: float) -> Prior:
    """Return the prior in which clusters have a shared coefficient, or one for each position, from a variance on."""
    clusters = [cluster for cluster in _clusters(min(shared_from, alone_from)) if cluster[1] < 1.0]
    both = [cluster for cluster in clusters if cluster[1] >= shared_from]
    rest = [cluster for cluster in clusters if cluster[1] < shared_from]
    terms: list[tuple[tuple[int, ...], float]] = [((), 1.0 + OWN + OFFSET)]
    shape, start = [], []
    for number, (members, variance) in enumerate(both):
        for member in members:
            terms.append((_others(members, member), OWN * variance))
            shape.append(number)
            start.append(member)
    terms += [(_others(members, member), (1.0 + OWN) * variance) for members, variance in rest for member in members]
    reach = (1.0 - DECAY) / (1.0 - DECAY - LINK)  # total variance of all ways to extend a cluster to one side
    left_out = reach**2 - 1.0 - sum(len(members) * variance for members, variance in clusters)
    return Prior(
        tuple(offsets for offsets, _ in terms),
        np.array([variance for _, variance in terms]),
        np.array(shape, dtype=np.int64),
        np.array(start, dtype=np.int64),
        np.array([variance for _, variance in both]),
        NOISE + (1.0 + OWN) * left_out,
    )


def _clusters(smallest: float) -> list[tuple[tuple[int, ...], float]]:
    # Of at least that variance: their positions from 0 on, and the variance.
    found: list[tuple[tuple[int, ...], float]] = [((0,), 1.0)]
    last = found
    while last:
        last = [
            ((*members, members[-1] + gap), variance * LINK * DECAY ** (gap - 1))
            for members, variance in last
            for gap in range(1, 1 + int(1.0 + np.log(smallest / (variance * LINK)) / np.log(DECAY)))
        ]
        found = found + last
    return found


def _others(members: tuple[int, ...], member: int) -> tuple[int, ...]:
    return tuple(other - member for other in members if other != member)


def mean_products(length: int, orders: int) -> NDArray[np.float64]:
    """Return the mean product of ``n`` other signs over the masks of size ``m`` that mask ``i``, at ``[n, m - 1]``.

    In the mean, and with ``N`` others, (sum of their signs) (product of ``n``) = ``(N - n)`` (product of ``n + 1``) +
    ``n`` (product of ``n - 1``): Krawtchouk's recursion. 0 where there are fewer than ``n`` others.

    Examples
    --------
    >>> mean_products(length=3, orders=1)
    array([[ 1.,  1.,  1.],
           [-1.,  0.,  1.]])
    """
    others = length - 1
    total = 2.0 * np.arange(length) - others
    means = np.zeros((orders + 1, length))
    means[0] = 1.0
    for n in range(min(orders, others)):
        means[n + 1] = (total * means[n] - (n * means[n - 1] if n else 0.0)) / (others - n)
    return means

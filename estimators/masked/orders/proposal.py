"""Orders drawn in proportion to a predicted likelihood, with their exact importance weights."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from estimators.masked.orders.chains import ranks_of
from estimators.masked.orders.surrogate import OrderSurrogate

__all__ = ["ProposedOrders", "propose_orders", "random_orders"]

FloatArray = NDArray[np.float64]

POOL = 1024  # random orders from which one is drawn; more where few of them dominate
LARGEST_POOL = 16384
EFFECTIVE = 16.0  # orders of a pool that should share its predicted likelihood
UNIFORM = 0.1  # probability that the order is drawn uniformly: no order is ever nearly impossible


class ProposedOrders(NamedTuple):
    """Independent random orders.

    Attributes
    ----------
    ranks : array of int64, shape (orders, length)
        When each position is revealed.
    log_weights : array of float64, shape (orders,)
        The mean of ``exp(log_weight) f(order)`` is that of ``f`` over all orders, for every function ``f``.
    """

    ranks: NDArray[np.int64]
    log_weights: FloatArray


def random_orders(length: int, orders: int, rng: np.random.Generator) -> ProposedOrders:
    """Draw orders uniformly: all weights are 1."""
    return ProposedOrders(ranks_of(rng.random((orders, length))), np.zeros(orders))


def propose_orders(surrogate: OrderSurrogate, orders: int, rng: np.random.Generator) -> ProposedOrders:
    """Draw orders in proportion to their predicted likelihoods.

    For each, a pool of ``M`` uniformly random orders is drawn, and order ``j`` of it with probability ``w_j``: 0.9
    times its share of the pool's predicted likelihood, plus ``0.1 / M``. Its importance weight ``1/(M w_j)`` is exact
    whatever the surrogate predicts: given the pool, the weighted mean of ``f`` is that over the pool, whose mean is
    that over all orders. A poor surrogate makes the weights vary, never biased; none exceeds 10. Pools cost no forward
    pass. They have 1,024 orders, or up to 16,384 where few of these dominate.

    Parameters
    ----------
    surrogate : OrderSurrogate
        It must not depend on the chains of these orders.
    orders : int
    rng : numpy.random.Generator

    References
    ----------
    D. B. Rubin, *Using the SIR algorithm to simulate posterior distributions*, Bayesian Statistics 3, 1988
    (sampling-importance resampling). T. Hesterberg, *Weighted average importance sampling and defensive mixture
    distributions*, Technometrics 37, 1995 (the uniform part).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> masks = rng.random((400, 5)) < 0.5
    >>> surrogate = OrderSurrogate.fit(masks, (masks & ~np.roll(masks, 1, axis=1)).astype(float))
    >>> proposed = propose_orders(surrogate, 500, rng)
    >>> late_first = proposed.ranks[:, 0] == 4  # in a fifth of all orders
    >>> print(late_first.mean().round(1), np.average(late_first, weights=np.exp(proposed.log_weights)).round(1))
    0.3 0.2
    """
    length = len(surrogate.tables)
    pool = _pool_size(surrogate, rng)
    ranks = np.empty((orders, length), dtype=np.int64)
    log_weights = np.empty(orders)
    for number in range(orders):
        candidates = random_orders(length, pool, rng).ranks
        shares = _shares(surrogate.log_likelihoods(candidates))
        chances = (1.0 - UNIFORM) * shares + UNIFORM / pool
        chosen = min(int(np.searchsorted(np.cumsum(chances), rng.random())), pool - 1)
        ranks[number], log_weights[number] = candidates[chosen], -np.log(pool * chances[chosen])
    return ProposedOrders(ranks, log_weights)


def _pool_size(surrogate: OrderSurrogate, rng: np.random.Generator) -> int:
    trial = random_orders(len(surrogate.tables), POOL, rng).ranks
    effective = 1.0 / np.square(_shares(surrogate.log_likelihoods(trial))).sum()
    return int(np.clip(POOL * EFFECTIVE / effective, POOL, LARGEST_POOL))


def _shares(log_likelihoods: FloatArray) -> FloatArray:
    shares = np.exp(log_likelihoods - log_likelihoods.max())
    return np.asarray(shares / shares.sum())

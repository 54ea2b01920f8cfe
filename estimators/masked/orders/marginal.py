"""The mean probability over all orders, by a recursion over sets of revealed positions."""

import numpy as np
from numpy.typing import NDArray

from estimators.errors import InputError

__all__ = ["order_marginal"]


def order_marginal(losses: NDArray[np.float64]) -> float:
    """Return ``-log`` of the mean over all orders of the probability of a sequence.

    With ``P(R)`` the probability that a model which reveals positions in random order has generated the true tokens at
    exactly the positions ``R``: ``P({}) = 1`` and ``P(R) = 1/|R|`` times the sum over ``i`` in ``R`` of ``P(R without
    i) p(x_i | R without i)``, since each of the ``|R|`` positions is equally likely to have been the last. ``P`` of all
    positions is the result: each of the ``L!`` orders counts once, for ``2^L - 1`` forward passes.

    Parameters
    ----------
    losses : array of float64, shape (2**length - 1, length)
        The loss ``c(i, S)`` of each masked position under all masks, in the order of `all_masks`, nats.

    Returns
    -------
    float
        Nats.

    Raises
    ------
    InputError
        If there are not as many rows as masks.

    References
    ----------
    This project's own: the recursion of the forward algorithm (L. E. Baum et al., *A maximization technique occurring
    in the statistical analysis of probabilistic functions of Markov chains*, Annals of Mathematical Statistics 41,
    1970), on the lattice of revealed sets.

    Examples
    --------
    >>> losses = np.array([[1.0, 0.0], [0.0, 3.0], [1.0, 1.0]])  # of masks {0}, {1} and {0, 1}
    >>> print(round(order_marginal(losses), 6), -np.log((np.exp(-1.0 - 3.0) + np.exp(-1.0 - 1.0)) / 2).round(6))
    2.566219 2.566219
    """
    length = losses.shape[-1]
    if losses.shape != (2**length - 1, length):
        raise InputError(f"all masks of {length} positions need losses (2**{length} - 1, {length}), got {losses.shape}")
    everything = 2**length - 1
    sets = np.arange(everything + 1)
    sizes = np.bitwise_count(sets)
    logs = np.full(everything + 1, -np.inf)
    logs[0] = 0.0
    for size in range(1, length + 1):
        revealed = sets[sizes == size]
        total = np.full(len(revealed), -np.inf)
        for position in range(length):
            last = (revealed >> position & 1).astype(bool)
            before = revealed[last] ^ 1 << position
            step = logs[before] - losses[(everything ^ before) - 1, position]
            total[last] = np.logaddexp(total[last], step)
        logs[revealed] = total - np.log(size)
    return -float(logs[everything])

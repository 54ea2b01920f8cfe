"""The stationary distribution of a Markov chain."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_STATES", "stationary"]

MOST_STATES = 4096  # the cost is cubic in the number of states


def stationary(transition: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a stationary distribution over contexts, from transitions (context, next symbol) to (context,).

    The state-reduction algorithm of Grassmann, Taksar and Heyman (Operations Research 33, 1985) uses no subtractions,
    so each entry has full relative accuracy even for a nearly reducible chain. For a reducible chain, the distribution
    of one closed class is returned.
    """
    states, size = transition.shape
    flow = np.zeros((states, states))
    state, symbol = np.indices(transition.shape)
    flow[state, (state * size + symbol) % states] += transition
    start = 0
    for last in range(states - 1, 0, -1):
        leaving = flow[last, :last].sum()
        if leaving < np.finfo(np.float64).tiny:  # its inverse would overflow
            start = last
            break
        flow[:last, :last] += flow[:last, last, None] * (flow[last, :last] / leaving)
        flow[:last, last] /= leaving
    law: NDArray[np.float64] = np.zeros(states)
    law[start] = 1
    for index in range(start + 1, states):
        law[index] = law[:index] @ flow[:index, index]
        law /= law.sum()
    return law

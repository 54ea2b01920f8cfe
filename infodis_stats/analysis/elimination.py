"""Successive elimination: which of several candidates can no longer be the best, however often one looks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from infodis_stats.analysis.confidence_sequence import confidence_sequence, sequential_p_value
from infodis_stats.analysis.replicates import FloatArray, as_draws, rounding

__all__ = ["Elimination", "eliminate"]


@dataclass(frozen=True, eq=False)
class Elimination:
    """Candidates against the one that leads.

    Attributes
    ----------
    leader : int
        Which has the smallest mean.
    worse : ndarray of bool, shape (candidate,)
        Surely worse than the leader.
    tied : ndarray of bool, shape (candidate,)
        In every replicate equal to the leader: more of them will tell no more. The leader is tied with itself.
    p_value : ndarray of float64, shape (candidate,)
        Sequential p-value of being as good as the leader; 1 for the leader.
    """

    leader: int
    worse: NDArray[np.bool_]
    tied: NDArray[np.bool_]
    p_value: FloatArray


def eliminate(scores: ArrayLike, level: float, start: int = 8) -> Elimination:
    """Compare candidates, of which the smallest mean is the best, with the one that leads.

    Parameters
    ----------
    scores : array_like, shape (candidate, R)
        Replicates of each candidate, nats. Candidates may share random numbers: replicates are compared one by one.
    level : float
        Confidence level of each pairwise `confidence_sequence`.
    start : int
        Replicates at the first look.

    Returns
    -------
    Elimination

    Raises
    ------
    InputError
        If there are fewer than 2 candidates, or for what `confidence_sequence` refuses.

    Notes
    -----
    With ``level = 1 - error / (k - 1)`` in a race of k candidates, the sequences of one best candidate ``b`` against
    the others all hold at all times, but for a chance of ``error``. While they hold, ``b`` is never found worse, and
    none that is as good as ``b`` is. So a race that ends, all but one found worse, ends with ``b``, and where two are
    the best it does not end, but for that chance.

    References
    ----------
    E. Even-Dar, S. Mannor, Y. Mansour, Action elimination and stopping conditions for the multi-armed bandit and
    reinforcement learning problems, J. Machine Learning Research 7, 2006.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = eliminate(rng.normal([[1.0], [0.0], [3.0]], size=(3, 16)), level=0.975)
    >>> found.leader, found.worse.tolist()
    (1, [False, False, True])
    """
    values = as_draws(scores, 1, "an elimination")
    if values.ndim != 2 or len(values) < 2:
        raise InputError(f"an elimination needs scores (candidate, replicate) of at least 2, got shape {values.shape}")
    means = values.mean(axis=-1)
    leader = int(means.argmin())
    gaps = values - values[leader]
    negligible = rounding(means)
    sequence = confidence_sequence(gaps, level, start)
    return Elimination(
        leader,
        sequence.lower.max(axis=-1) > negligible,
        np.asarray((np.abs(gaps) <= negligible[:, None]).all(axis=-1)),
        sequential_p_value(gaps, 0.0, level, start)[:, -1],
    )

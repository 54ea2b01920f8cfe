"""Successive elimination of candidates that cannot be the best, valid under repeated looks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from infodis_stats.analysis.replicates import FloatArray, as_draws, rounding
from infodis_stats.analysis.sequential import confidence_sequence, sequential_p_value

__all__ = ["Elimination", "eliminate"]


@dataclass(frozen=True, eq=False)
class Elimination:
    """Comparison of candidates with the current leader.

    Attributes
    ----------
    leader : int
        Index of the smallest mean.
    worse : ndarray of bool, shape (candidate,)
        Candidates significantly worse than the leader.
    tied : ndarray of bool, shape (candidate,)
        Candidates equal to the leader in every replicate, the leader included: more replicates cannot separate them.
    p_value : ndarray of float64, shape (candidate,)
        Sequential p-value of having the same mean as the leader; 1 for the leader.
    """

    leader: int
    worse: NDArray[np.bool_]
    tied: NDArray[np.bool_]
    p_value: FloatArray


def eliminate(scores: ArrayLike, level: float, start: int = 8, margins: ArrayLike = 0.0) -> Elimination:
    """Compare candidates with the leader, the candidate with the smallest mean.

    Parameters
    ----------
    scores : array_like, shape (candidate, R)
        Replicates of each candidate in the order of sampling, nats. Candidates may share random numbers, because the
        comparison is paired by replicate.
    level : float
        Confidence level of each pairwise `confidence_sequence`.
    start : int
        Replicates at the first look.
    margins : array_like, shape (candidate,), optional
        How far the mean gap between each candidate and the leader may be off for reasons that the spread of the
        replicates does not show, nats: a smaller gap proves nothing.

    Returns
    -------
    Elimination

    Raises
    ------
    InputError
        If there are fewer than 2 candidates or no replicates, the level is outside (0, 1), or the start is below 2.

    Notes
    -----
    With ``level = 1 - error / (k - 1)`` for k candidates, the confidence sequences of a best candidate ``b`` against
    all others cover simultaneously at all times with probability at least ``1 - error``. If they cover, neither ``b``
    nor any candidate equal to it is eliminated. Hence if all but one candidate are eliminated, the remaining one is
    ``b``; if two candidates are equally good, elimination never ends [1]_.

    References
    ----------
    .. [1] E. Even-Dar, S. Mannor, Y. Mansour, Action elimination and stopping conditions for the multi-armed bandit and
       reinforcement learning problems, J. Machine Learning Research 7, 2006.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> result = eliminate(rng.normal([[1.0], [0.0], [3.0]], size=(3, 16)), level=0.975)
    >>> result.leader, result.worse.tolist()
    (1, [False, False, True])
    """
    values = as_draws(scores, 1, "an elimination")
    if values.ndim != 2 or len(values) < 2:
        raise InputError(
            f"an elimination needs scores (candidate, replicate) of at least 2 candidates, got shape {values.shape}"
        )
    means = values.mean(axis=-1)
    leader = int(means.argmin())
    gaps = values - values[leader]
    negligible = rounding(means)
    sequence = confidence_sequence(gaps, level, start)
    clear = np.abs(gaps.mean(axis=-1)) > np.asarray(margins, dtype=np.float64)
    return Elimination(
        leader,
        (sequence.lower.max(axis=-1) > negligible) & clear,
        np.asarray((np.abs(gaps) <= negligible[:, None]).all(axis=-1)),
        np.where(clear, sequential_p_value(gaps, 0.0, level, start)[:, -1], 1.0),
    )

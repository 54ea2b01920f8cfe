"""The choice of positions by their scores, in which scores that differ by rounding alone count as equal."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["TIE", "choose"]

TIE = 1e-4
"""Scores that differ by no more count as equal: the rounding of a float32 network stays below it."""


def choose(
    scores: NDArray[np.float64], groups: NDArray[np.int64], count: int
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Choose the candidates of the largest scores of each group, among equals the first ones.

    Scores within `TIE` of the ``count``-th largest of their group count as equal to it.

    Parameters
    ----------
    scores : array of float64, shape (candidate,)
        Finite.
    groups : array of int64, shape (candidate,)
        The group of each candidate, ascending.
    count : int
        How many candidates of each group are chosen; all of a smaller one.

    Returns
    -------
    chosen : array of bool, shape (candidate,)
    distance : array of float64, shape (candidate,)
        How far the score of the candidate is from one that may change the choice; infinite if there is none. The choice
        stays the same while all scores of a group change by less than half of its smallest distance.

    Examples
    --------
    >>> choose(np.array([0.1, 0.7, 0.7, 0.5]), np.array([0, 0, 0, 0]), count=1)[0]
    array([False,  True, False, False])
    """
    if not len(scores):
        return np.zeros(0, dtype=bool), np.zeros(0)
    _, starts, group, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    descending = np.lexsort((-scores, group))
    last = scores[descending[starts + np.minimum(count, sizes) - 1]]
    gap = scores - last[group]
    above, equal, below = gap > TIE, np.abs(gap) <= TIE, gap < -TIE
    places = np.arange(len(scores))
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.lexsort((places, np.where(above, 0, np.where(equal, 1, 2)), group))] = places
    chosen = ranks - starts[group] < count
    # Among equals the places decide, so that one that becomes or ceases to be their equal can displace another.
    last_chosen = np.full(len(starts), -1)
    np.maximum.at(last_chosen, group[chosen], places[chosen])
    first_left = np.full(len(starts), len(scores))
    np.minimum.at(first_left, group[equal & ~chosen], places[equal & ~chosen])
    cases = (
        (below & (places > last_chosen[group]), -gap),  # it has to overtake
        (below & (places < last_chosen[group]), -gap - TIE),  # it only has to become an equal
        (above & (places > first_left[group]), gap - TIE),
        (equal & chosen & (gap < 0), gap + TIE),
        (equal & ~chosen, TIE - np.maximum(gap, 0.0)),
    )
    distance = np.full(len(scores), np.inf)
    for which, distances in cases:
        distance[which] = distances[which]
    return chosen, distance

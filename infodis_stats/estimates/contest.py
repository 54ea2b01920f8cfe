"""Contests: candidates that share their context, and the result of a race between them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import Cell, InputError, Target, make_targets
from estimators.target import Context, Tokens
from infodis_stats.results.validity import Caution

__all__ = ["Contest", "Ranking"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contest:
    """Candidates of which the likeliest is wanted.

    Attributes
    ----------
    targets : tuple of Target
        At least 2, with one context and one stream of masks.
    scales : array of float64, shape (candidate,)
        What the negative log-likelihoods are divided by; 1 where sums are compared.

    Examples
    --------
    >>> contest = Contest.of([[0, 1], [0, 2, 2]], context=1, sizes=[1, 2])
    >>> [target.label for target in contest.targets], contest.scales.tolist()
    (['candidate 0', 'candidate 1'], [1.0, 2.0])
    """

    targets: tuple[Target, ...]
    scales: FloatArray

    @classmethod
    def of(
        cls,
        candidates: Tokens,
        context: Context = None,
        sizes: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> Contest:
        """Check candidates, as `rank_candidates` takes them, and give them one stream of masks.

        Raises
        ------
        InputError
            If there are fewer than 2, their contexts differ, or the sizes are not positive numbers.
        """
        targets = make_targets(candidates, context, names)
        scales = _scales(sizes, len(targets))
        # One key, whatever the order: all candidates draw from one stream, and other questions from other streams.
        key = hashlib.sha256("\0".join(sorted(target.key for target in targets)).encode()).hexdigest()
        named = tuple(
            replace(target, key=f"race:{key}", label=target.label.replace("sequence", "candidate"))
            for target in targets
        )
        _check(named)
        return cls(named, scales)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Scored positions of each candidate."""
        return np.array([target.length for target in self.targets])

    @property
    def longest(self) -> Target:
        """The candidate with the most scored positions."""
        return self.targets[int(self.lengths.argmax())]


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking:
    """The result of a race.

    Attributes
    ----------
    leader : int
    p_value : float
        Of the claim that the leader is the best.
    status : list of str
        Of each candidate: best, eliminated or open.
    nll : array of float64, shape (candidate,)
    log_ratio : array of float64, shape (candidate, 3)
        To the leader, per unit of size where that is compared: estimate and interval.
    forward_passes : list of int
    cautions : list of lists of Caution
        Of each candidate.
    cell : Cell
        The longest candidate with the estimator, passes and replicates, as they are recorded.
    interval : tuple of str and float
        Kind and confidence level of the intervals.
    replicates : list of int
    """

    leader: int
    p_value: float
    status: list[str]
    nll: FloatArray
    log_ratio: FloatArray
    forward_passes: list[int]
    cautions: list[list[Caution]]
    cell: Cell
    interval: tuple[str, float]
    replicates: list[int]


def _scales(sizes: ArrayLike | None, count: int) -> FloatArray:
    if sizes is None:
        return np.ones(count)
    try:
        scales = np.asarray(sizes, dtype=np.float64)
    except (TypeError, ValueError):
        scales = np.zeros(())
    if scales.shape != (count,) or not (np.isfinite(scales) & (scales > 0)).all():
        raise InputError(f"sizes must be {count} positive numbers, one per candidate, got {sizes!r}")
    return scales


def _check(targets: Sequence[Target]) -> None:
    if len(targets) < 2:
        raise InputError(f"a ranking needs at least 2 candidates, got {len(targets)}")
    given = [np.delete(target.tokens, target.scored) for target in targets]
    given_positions = [np.delete(np.arange(len(target.tokens)), target.scored) for target in targets]
    for target, tokens, positions in zip(targets, given, given_positions, strict=True):
        if not (np.array_equal(tokens, given[0]) and np.array_equal(positions, given_positions[0])):
            raise InputError(
                f"{target.label} has a different context from {targets[0].label}; all candidates must have the same"
            )

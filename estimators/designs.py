"""Designs: how the points in the unit cube are drawn, whatever they are used for.

A point has one coordinate for the *level* (how much is masked) and one *key* for each scored position (which ones are
masked first). Every design keeps two rules, and the contract tests hold it to them:

1. Averaged over the passes of a replicate, a point is uniform on the unit cube. Any unbiased mask map therefore stays
   unbiased under any design.
2. Coordinate ``i`` is bound to position ``i``: from one generator state, fewer dimensions give the leading
   coordinates of more. Targets of different length that share a generator therefore share their uniforms.

Coordinates lie in ``[0, 1]``; both ends are allowed, because the reflection of 0 is 1.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["IID", "Antithetic", "Design", "Stratified"]

LEVEL = 0  # the coordinate that says how much is masked; the others are the keys


class Design(Protocol):
    """A way to draw the points of one replicate."""

    name: ClassVar[str]
    summary: ClassVar[str]

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate.

        Parameters
        ----------
        dimension : int
            ``1 + length``: the level and a key for each position.
        passes : int
            Number of points.
        rng : numpy.random.Generator
            The replicate's own stream.

        Returns
        -------
        array of float64, shape (passes, dimension)
        """
        ...


def _uniforms(dimension: int, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    # Drawn coordinate by coordinate: fewer dimensions are then a prefix of more.
    return rng.random((dimension, count)).T


@dataclass(frozen=True)
class IID:
    """Independent uniform points: plain Monte Carlo."""

    name: ClassVar[str] = "iid"
    summary: ClassVar[str] = "independent points"

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`."""
        return _uniforms(dimension, passes, rng)


@dataclass(frozen=True)
class Antithetic:
    """Pairs ``u, 1 - u`` in all coordinates; with an odd number of passes the last point has no partner.

    The partner of a threshold mask is its complement; the partner of the ``m`` smallest keys is the ``L + 1 - m``
    largest ones.
    """

    name: ClassVar[str] = "antithetic"
    summary: ClassVar[str] = "pairs u and 1 - u: a mask and its complement"

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`."""
        first = _uniforms(dimension, (passes + 1) // 2, rng)
        pairs = np.stack([first, 1.0 - first], axis=1)
        return pairs.reshape(-1, dimension)[:passes]


@dataclass(frozen=True)
class Stratified:
    """One level in each of ``passes`` equal strata, jittered; independent keys."""

    name: ClassVar[str] = "stratified"
    summary: ClassVar[str] = "one level in each of as many equal strata as passes; independent keys"

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`."""
        points = _uniforms(dimension, passes, rng)
        points[:, LEVEL] = (np.arange(passes) + points[:, LEVEL]) / passes
        return points

"""The expected weight of each mask in a plan, computed exactly: generators return points that a test prescribes."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators import Estimator, MaskPlan, all_masks, estimand_weights

Array = NDArray[np.float64]


class OnePoint:
    """A generator that draws one prescribed point for every pass.

    By linearity an expectation is exact if all passes use the same point and the points run over the cube. A Latin
    hypercube also needs an order of its strata: all rotations are used, which visit each stratum, and each pair of
    strata of two coordinates, equally often. Spawned generators draw zeros.
    """

    def __init__(self, point: ArrayLike) -> None:
        self.point = np.asarray(point, dtype=np.float64)

    def random(self, shape: Sequence[int]) -> Array:
        """Return the point for every pass; with three axes, the strata of a Latin hypercube too."""
        point = self.point[: shape[0]]
        if len(shape) == 2:
            return np.repeat(point[:, None], shape[1], axis=1)
        passes = shape[2]
        cell, within = np.divmod(point[:, None] * passes, 1)
        order = (np.arange(passes) + cell) % passes / passes
        return np.stack([order, np.repeat(within, passes, axis=1)], axis=1)

    def spawn(self, count: int) -> "list[Zeros]":
        """Return generators of zeros."""
        return [Zeros()] * count


class Zeros:
    """A generator that draws zeros."""

    def random(self, shape: Sequence[int]) -> Array:
        """Return zeros."""
        return np.zeros(shape)


class Points:
    """A generator whose children each draw a prescribed point: one replicate for each possible outcome."""

    def __init__(self, points: Array) -> None:
        self.points = points

    def spawn(self, count: int) -> Iterator[OnePoint]:
        """Return a generator for each point."""
        assert count == len(self.points)
        return map(OnePoint, self.points)


def level_pieces(length: int, passes: int) -> tuple[Array, Array]:
    """Return midpoints and lengths of the pieces of [0, 1] on which no mask of any estimator here changes.

    Sizes jump at fractions of up to ``length + 1`` parts and at the distribution functions of the size; within a
    stratum at the same places stretched by the number of strata. Reflections and all strata are included.
    """
    sizes = np.arange(1, length + 1)
    fractions = [np.arange(parts + 1) / parts for parts in (*sizes, length + 1)]
    size_laws = [np.cumsum(law) / law.sum() for law in (sizes**-0.25, sizes**-0.5, sizes**-1.0, sizes[:-1] ** -1.0)]
    jumps = np.concatenate([*fractions, *size_laws])
    whole = np.concatenate([jumps, 1 - jumps])
    within = np.unique(np.round(np.concatenate([whole, whole * passes % 1]), 14))
    strata = (np.arange(passes)[:, None] + within) / passes
    ends = np.unique(np.round(np.concatenate([whole, within, strata.ravel()]), 13))
    ends = ends[(ends >= 0) & (ends <= 1)]
    return (ends[1:] + ends[:-1]) / 2, np.diff(ends)


def key_points(length: int, cells: int) -> Array:
    """Return keys in every combination of ``cells`` strata and, within a stratum, in every order."""
    strata = np.array(list(itertools.product(range(cells), repeat=length)))
    orders = np.array(list(itertools.permutations(range(length))))
    keys = (strata[:, None] + (orders + 0.5) / length) / cells
    return keys.reshape(-1, length)


def all_points(length: int, passes: int, cells: int = 1) -> tuple[Array, Array]:
    """Return points and probabilities that stand for the whole cube."""
    levels, widths = level_pieces(length, passes)
    keys = key_points(length, cells)
    assert len(keys) == cells**length * math.factorial(length)
    points = np.concatenate([np.repeat(levels, len(keys))[:, None], np.tile(keys, (len(levels), 1))], axis=1)
    return points, np.repeat(widths, len(keys)) / len(keys)


def weight_by_mask(plan: MaskPlan) -> Array:
    """Return the sum of the token weights of each mask and position, per replicate: (replicates, 2**L - 1, L)."""
    code = plan.masks @ 2 ** np.arange(plan.length)
    total = np.zeros((plan.replicates, 2**plan.length, plan.length))
    np.add.at(total, (np.arange(plan.replicates)[:, None], code), plan.weights)
    return total[:, 1:]


def estimand_by_mask(length: int) -> Array:
    """Return the weight of each mask and position in the estimand, shape (2**L - 1, L)."""
    masks = all_masks(length)
    weights: Array = masks * estimand_weights(length)[masks.sum(axis=1)][:, None]
    return weights


def expected_weights(sampler: Estimator, length: int, passes: int, cells: int = 1) -> Array:
    """Enumerate E[sum_k W 1{S_k = S}]: all pieces of the level, all orders of the keys, all their strata."""
    points, probabilities = all_points(length, passes, cells)
    plan = cast(MaskPlan, sampler.plan(length, passes, len(points), cast(Any, Points(points))))
    return np.asarray(np.tensordot(probabilities, weight_by_mask(plan), axes=1), dtype=np.float64)


def worst_z(sampler: Estimator, passes: int, expected: Array, replicates: int = 20_000) -> float:
    """Return the largest z-score over masks and positions of the simulated expected weights."""
    plan = cast(MaskPlan, sampler.plan(expected.shape[1], passes, replicates, np.random.default_rng(7)))
    weights = weight_by_mask(plan)
    error = weights.mean(axis=0) - expected
    spread = weights.std(axis=0) / math.sqrt(replicates)
    hit = all_masks(expected.shape[1]) & (spread > 1e-12)
    np.testing.assert_allclose(error[~hit], 0, atol=1e-12)  # draws without variance are exact
    return float(np.abs(error[hit] / spread[hit]).max(initial=0))

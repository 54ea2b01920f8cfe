"""What a plan weighs each mask with on average: exactly, by generators that return what a test prescribes."""

import itertools
import math

import numpy as np

from estimators import MaskPlan, all_masks, estimand_weights


class OnePoint:
    """A generator that draws one prescribed point for every pass.

    By linearity an expectation is exact when every pass is driven by the same point and the points run over the cube.
    A Latin hypercube asks for the order of its strata as well: all rotations of it, which visit each stratum equally
    often and each pair of coordinates' strata too. What it spawns draws zeros.
    """

    def __init__(self, point):
        self.point = np.asarray(point)

    def random(self, shape):
        point = self.point[: shape[0]]
        if len(shape) == 2:
            return np.repeat(point[:, None], shape[1], axis=1)
        passes = shape[2]
        cell, within = np.divmod(point[:, None] * passes, 1)
        order = (np.arange(passes) + cell) % passes / passes
        return np.stack([order, np.repeat(within, passes, axis=1)], axis=1)

    def spawn(self, count):
        return [Zeros()] * count


class Zeros:
    def random(self, shape):
        return np.zeros(shape)


class Points:
    """A generator whose children draw a prescribed point each: one replicate for each way that chance can go."""

    def __init__(self, points):
        self.points = points

    def spawn(self, count):
        assert count == len(self.points)
        return map(OnePoint, self.points)


def level_pieces(length, passes):
    """Midpoints and lengths of the pieces of [0, 1] on which no mask of any estimator here changes.

    Sizes jump at fractions of up to `length`-th parts and at the distribution functions of the size; within a stratum
    at the same places stretched by the number of strata. Reflections and all strata are included.
    """
    sizes = np.arange(1, length + 1)
    fractions = [np.arange(parts + 1) / parts for parts in sizes]
    size_laws = [np.cumsum(law) / law.sum() for law in (sizes**-0.25, sizes**-0.5, sizes**-1.0, sizes[:-1] ** -1.0)]
    jumps = np.concatenate([*fractions, *size_laws])
    whole = np.concatenate([jumps, 1 - jumps])
    within = np.unique(np.round(np.concatenate([whole, whole * passes % 1]), 14))
    strata = (np.arange(passes)[:, None] + within) / passes
    ends = np.unique(np.round(np.concatenate([whole, within, strata.ravel()]), 13))
    ends = ends[(ends >= 0) & (ends <= 1)]
    return (ends[1:] + ends[:-1]) / 2, np.diff(ends)


def key_points(length, cells):
    """Keys in every combination of ``cells`` strata and, within a stratum, in every order."""
    strata = np.array(list(itertools.product(range(cells), repeat=length)))
    orders = np.array(list(itertools.permutations(range(length))))
    keys = (strata[:, None] + (orders + 0.5) / length) / cells
    return keys.reshape(-1, length)


def all_points(length, passes, cells=1):
    """Points and probabilities that stand for the whole cube."""
    levels, widths = level_pieces(length, passes)
    keys = key_points(length, cells)
    assert len(keys) == cells**length * math.factorial(length)
    points = np.concatenate([np.repeat(levels, len(keys))[:, None], np.tile(keys, (len(levels), 1))], axis=1)
    return points, np.repeat(widths, len(keys)) / len(keys)


def weight_by_mask(plan: MaskPlan):
    """Sum of the token weights of each mask and position, per replicate: (replicates, 2**L - 1, L)."""
    code = plan.masks @ 2 ** np.arange(plan.length)
    total = np.zeros((plan.replicates, 2**plan.length, plan.length))
    np.add.at(total, (np.arange(plan.replicates)[:, None], code), plan.weights)
    return total[:, 1:]


def estimand_by_mask(length):
    masks = all_masks(length)
    return masks * estimand_weights(length)[masks.sum(axis=1)][:, None]


def expected_weights(sampler, length, passes, cells=1):
    """E[sum_k W 1{S_k = S}] by enumeration: all pieces of the level, all orders of the keys, all their strata."""
    points, probabilities = all_points(length, passes, cells)
    plan = sampler.plan(length, passes, len(points), Points(points))
    return np.tensordot(probabilities, weight_by_mask(plan), axes=1)


def worst_z(sampler, passes, expected, replicates=20_000):
    """Largest z-score over masks and positions of the simulated expected weights."""
    weights = weight_by_mask(sampler.plan(expected.shape[1], passes, replicates, np.random.default_rng(7)))
    error = weights.mean(axis=0) - expected
    spread = weights.std(axis=0) / math.sqrt(replicates)
    hit = all_masks(expected.shape[1]) & (spread > 1e-12)
    np.testing.assert_allclose(error[~hit], 0, atol=1e-12)  # what does not vary is exact
    return np.abs(error[hit] / spread[hit]).max(initial=0)

"""Generators that return what a test prescribes, so that it can run through all that chance may do."""

import itertools
import math

import numpy as np


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
    size_laws = [np.cumsum(law) / law.sum() for law in (sizes**-0.5, sizes**-1.0)]
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

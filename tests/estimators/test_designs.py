"""Designs: a contract that every design keeps, and what each promises on its own."""

import itertools
from collections import Counter

import numpy as np
import pytest

from estimators import IID, Antithetic, Stratified

DESIGNS = [IID(), Antithetic(), Stratified()]


class LowerHalf:
    """A wrong design: its levels never reach the upper half."""

    name = "lower-half"
    summary = "wrong"

    def points(self, dimension, passes, rng):
        points = rng.random((dimension, passes)).T.copy()
        points[:, 0] /= 2
        return points


class OnePoint:
    """A generator that returns one prescribed point for every pass."""

    def __init__(self, point):
        self.point = np.asarray(point)

    def random(self, shape):
        dimension, count = shape
        return np.repeat(self.point[:dimension, None], count, axis=1)


def is_uniform(design, passes, dimension=2, grid=4):
    """Push a full factorial grid through the design: are its cells hit equally often, exactly?

    A design of equal strata maps the grid of ``grid`` levels to one of ``grid * passes``; counting in ``grid`` cells a
    side is exact for every design here.
    """
    centres = (np.arange(grid) + 0.5) / grid
    hits = Counter()
    for point in itertools.product(centres, repeat=dimension):
        for drawn in design.points(dimension, passes, OnePoint(point)):
            hits[tuple(np.floor(drawn * grid).astype(int))] += 1
    return len(hits) == grid**dimension and len(set(hits.values())) == 1


@pytest.mark.parametrize("passes", [1, 2, 4, 8])
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_maths_averaged_over_passes_a_point_is_uniform(design, passes):
    assert is_uniform(design, passes)


def test_maths_control_a_wrong_design_is_not_uniform():
    assert not is_uniform(LowerHalf(), 4)


@pytest.mark.parametrize("passes", [1, 3, 4, 7])
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_contract_shape_range_and_prefix(design, passes):
    long = design.points(9, passes, np.random.default_rng(5))
    short = design.points(4, passes, np.random.default_rng(5))
    assert long.shape == (passes, 9)
    assert long.dtype == np.float64
    assert ((long >= 0) & (long <= 1)).all()
    np.testing.assert_array_equal(short, long[:, :4])


def test_antithetic_points_come_in_reflected_pairs():
    points = Antithetic().points(5, 7, np.random.default_rng(0))
    np.testing.assert_array_equal(points[0:6:2] + points[1:6:2], np.ones((3, 5)))


def test_stratified_has_one_level_in_each_stratum():
    points = Stratified().points(5, 8, np.random.default_rng(0))
    np.testing.assert_array_equal(np.floor(points[:, 0] * 8), np.arange(8))
    assert len(np.unique(np.floor(points[:, 1] * 8))) < 8  # the keys are not stratified


def test_stratified_levels_are_jittered_independently():
    points = Stratified().points(2, 8, np.random.default_rng(0))
    assert len(np.unique(points[:, 0] * 8 % 1)) == 8

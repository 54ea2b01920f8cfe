"""Designs: the contract of all designs, and the properties of each."""

import itertools
from collections import Counter

import numpy as np
import pytest

from estimators import (
    IID,
    Antithetic,
    InputError,
    LatinHypercube,
    PassesError,
    Sobol,
    Stratified,
    Systematic,
    estimator,
)
from tests.support.enumeration import OnePoint

DESIGNS = [IID(), Antithetic(), Stratified(), Systematic(), LatinHypercube(), Sobol()]


def passes_of(design, candidates):
    """The candidates that the design supports: powers of two for a Sobol net."""
    return [passes for passes in candidates if design != Sobol() or passes & (passes - 1) == 0]


def cases(candidates):
    return [
        pytest.param(design, passes, id=f"{design.name}-{passes}")
        for design in DESIGNS
        for passes in passes_of(design, candidates)
    ]


class LowerHalf:
    """A wrong design: its levels never reach the upper half."""

    name = "lower-half"
    summary = "wrong"

    def points(self, dimension, passes, rng):
        points = rng.random((dimension, passes)).T.copy()
        points[:, 0] /= 2
        return points


def is_uniform(design, passes, dimension=2, grid=4):
    """Push a full factorial grid through the design: are its cells hit equally often, exactly?

    A design of equal strata maps the grid of ``grid`` levels to one of ``grid * passes``; a Latin hypercube needs a
    grid of ``passes`` strata by ``grid`` within each to run through its rotations. Counting in ``grid`` cells per
    side is exact for every design here.
    """
    fine = grid * passes if design == LatinHypercube() else grid
    centres = (np.arange(fine) + 0.5) / fine
    hits = Counter()
    for point in itertools.product(centres, repeat=dimension):
        for drawn in design.points(dimension, passes, OnePoint(point)):
            hits[tuple(np.floor(drawn * grid).astype(int))] += 1
    return len(hits) == grid**dimension and len(set(hits.values())) == 1


@pytest.mark.parametrize(("design", "passes"), cases([1, 2, 4, 8]))
def test_maths_averaged_over_passes_a_point_is_uniform(design, passes):
    assert is_uniform(design, passes)


def test_maths_control_a_wrong_design_is_not_uniform():
    assert not is_uniform(LowerHalf(), 4)


@pytest.mark.parametrize(("design", "passes"), cases([1, 3, 4, 7]))
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


def test_systematic_levels_share_one_offset():
    points = Systematic().points(5, 8, np.random.default_rng(0))
    np.testing.assert_allclose(np.diff(points[:, 0]), 1 / 8, rtol=1e-12)
    assert len(np.unique(points[:, 1])) == 8


def test_a_latin_hypercube_has_one_point_per_stratum_of_each_coordinate():
    points = LatinHypercube().points(5, 7, np.random.default_rng(0))
    strata = np.floor(points * 7).T
    np.testing.assert_array_equal(np.sort(strata), np.tile(np.arange(7), (5, 1)))
    assert len({tuple(order) for order in strata.tolist()}) == 5  # each coordinate has its own order


@pytest.mark.parametrize("seed", range(5))
def test_a_sobol_net_has_one_point_in_each_elementary_rectangle(seed):
    """Its first two coordinates are a (0, k, 2)-net for any scramble: rectangles of area 1/n and every shape."""
    points = Sobol().points(2, 32, np.random.default_rng(seed))
    for depth in range(6):
        cells = np.floor(points * [2**depth, 2 ** (5 - depth)]).astype(int)
        assert len({tuple(cell) for cell in cells.tolist()}) == 32


def test_control_iid_points_are_not_a_net():
    cells = np.floor(IID().points(2, 32, np.random.default_rng(0)) * [4, 8]).astype(int)
    assert len({tuple(cell) for cell in cells.tolist()}) < 32


def test_each_replicate_has_its_own_scramble_including_the_matrix():
    """A digital shift alone would keep the XOR of two points of a net."""
    words = [(Sobol().points(3, 4, np.random.default_rng(seed)) * 2.0**53).astype(np.int64)[:2] for seed in range(4)]
    assert len({int(first[1] ^ second[1]) for first, second in words}) == 4


def test_a_sobol_net_states_its_requirements():
    with pytest.raises(PassesError, match="must be a power of two for a Sobol net, got 12; use 8 or 16"):
        Sobol().points(5, 12, np.random.default_rng(0))
    with pytest.raises(InputError, match="at most 21200 scored positions, got 21201"):
        Sobol().points(21_202, 2, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["latin-hypercube", "sobol"])
def test_balanced_keys_even_out_how_often_each_position_is_masked(name):
    """A position's total weight averages 1; compare its spread over replicates with that for independent keys."""

    def spread(design):
        plan = estimator(f"uniform-count+{design}").plan(8, 16, 2000, np.random.default_rng(0))
        return plan.weights.sum(axis=1).std()

    assert spread(name) < 0.9 * spread("stratified")  # measured 0.83 and 0.81, to 1 % with 2000 replicates

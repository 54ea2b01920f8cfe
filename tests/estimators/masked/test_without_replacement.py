"""Masks without replacement: unbiased by enumeration, never repeated, and exact with all masks."""

import math

import numpy as np
import pytest

from estimators import (
    InputError,
    PassesError,
    WithoutReplacement,
    all_masks,
    estimator,
    make_targets,
    pass_totals,
)
from tests.support.enumeration import estimand_by_mask, weight_by_mask
from tests.support.toys import ArbitraryLosses, slow_nll

LENGTH = 4


class Rotations:
    """A generator whose children each rotate the masks of a size by one more place: all come first equally often."""

    def spawn(self, count):
        return [Rotation(shift) for shift in range(count)]


class Rotation:
    def __init__(self, shift):
        self.shift = shift

    def random(self, count):
        sizes = all_masks(LENGTH).sum(axis=1)
        keys = np.empty(count)
        for size in range(1, LENGTH + 1):
            rows = np.flatnonzero(sizes == size)
            keys[rows] = np.roll(np.arange(len(rows)), self.shift) / len(rows)
        return keys


@pytest.mark.parametrize("passes", range(LENGTH, 2**LENGTH))
def test_maths_unbiased_by_enumeration(passes):
    """Rotations draw every mask of a size equally often, which is all that matters for an expectation."""
    rotations = math.lcm(4, 6)
    plan = WithoutReplacement().plan(LENGTH, passes, rotations, Rotations())
    np.testing.assert_allclose(weight_by_mask(plan).mean(axis=0), estimand_by_mask(LENGTH), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("passes", [4, 9, 15, 40])
def test_no_mask_is_drawn_twice(passes):
    plan = WithoutReplacement().plan(LENGTH, passes, 30, np.random.default_rng(0))
    code = plan.masks @ 2 ** np.arange(LENGTH)
    assert plan.passes == min(passes, 15)
    assert all(len(set(row.tolist())) == plan.passes for row in code)
    assert (plan.masks.all(axis=-1).sum(axis=1) == 1).all()


def test_with_all_masks_it_is_exact_and_with_one_fewer_it_is_not():
    model = ArbitraryLosses(LENGTH, seed=2)
    (target,) = make_targets([[0] * LENGTH])
    for passes, exact in ((15, True), (14, False)):
        draws = WithoutReplacement().sample(model, [target.tokens], passes=passes, replicates=8, rng=0)[0]
        assert np.allclose(draws, slow_nll(model, target), rtol=1e-12) == exact


def test_maths_its_variance_has_the_finite_population_correction():
    """sum over sizes of (1 - n/N) S^2 / n for the terms z = T/m of a size; 4000 replicates give it to 2.2 %."""
    model = ArbitraryLosses(5, seed=3)
    terms = pass_totals(model, [[0] * 5])[0] / all_masks(5).sum(axis=1)
    draws = estimator("without-replacement").sample(model, [[0] * 5], passes=17, replicates=4000, rng=0)[0]
    plan = WithoutReplacement().plan(5, 17, 1, np.random.default_rng(0))
    shares = np.bincount(plan.masks[0].sum(axis=1), minlength=6)
    sizes = all_masks(5).sum(axis=1)
    expected = sum(
        (1 - shares[size] / math.comb(5, size)) * terms[sizes == size].var(ddof=1) / shares[size]
        for size in range(1, 5)
    )
    assert draws.var(ddof=1) == pytest.approx(expected, rel=0.09)


def test_it_states_its_requirements():
    with pytest.raises(PassesError, match="needs at least 6 passes for 6 scored positions, got 5"):
        WithoutReplacement().plan(6, 5, 1, np.random.default_rng(0))
    with pytest.raises(PassesError, match="for at most 12 scored positions, whatever the passes; got 13"):
        WithoutReplacement().plan(13, 5000, 1, np.random.default_rng(0))
    with pytest.raises(InputError, match="at least one scored position"):
        WithoutReplacement().plan(0, 5, 1, np.random.default_rng(0))

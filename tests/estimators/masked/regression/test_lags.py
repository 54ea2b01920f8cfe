"""Distant lags: found where masks matter far away, and only there; their terms and means by the definition."""

import itertools

import numpy as np
import pytest

from estimators import all_masks
from estimators.masked.regression import Regression, damping, lags
from estimators.masked.regression.lags import distant_lags, expected_terms, lag_terms

SOME = (2, -3, 4)


def test_maths_terms_are_products_of_the_signs_at_the_lags():
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (7, 5))
    terms = lag_terms(signs, SOME)
    chosen = [subset for size in (1, 2, 3) for subset in itertools.combinations(SOME, size)]
    assert terms.shape == (7, 5, len(chosen))
    for i, term in itertools.product(range(7), range(len(chosen))):
        at = [i + lag for lag in chosen[term]]
        inside = all(0 <= j < 7 for j in at)
        product = np.prod(signs[at], axis=0) if inside else 0.0
        np.testing.assert_allclose(terms[i, :, term], lags.SHARED ** (len(at) / 2) * product)


@pytest.mark.parametrize("inside", [slice(0, 6), slice(2, 5)])
def test_maths_means_of_the_terms_by_enumeration(inside):
    every = all_masks(6)
    terms = lag_terms(np.where(every.T, 1.0, -1.0), SOME)
    shares = np.random.default_rng(0).random((3, 6))
    expected = np.zeros((terms.shape[2], 3))
    for size, i in itertools.product(range(1, 7), range(6)[inside]):
        possible = (every.sum(axis=1) == size) & every[:, i]
        expected += terms[i, possible].mean(axis=0)[:, None] * shares[:, size - 1]
    np.testing.assert_allclose(expected_terms(6, inside, SOME, shares), expected, atol=1e-12)


def lags_of(masks, losses):
    """The lags of a single sample."""
    (found,) = distant_lags(masks[None], losses[None])
    return found


def random_masks(rng, passes, length):
    sizes = rng.permutation(np.linspace(1, length, passes).astype(int))
    return rng.random((passes, length)).argsort(axis=1) < sizes[:, None]


def test_lags_of_copies_and_checksums_are_found():
    rng = np.random.default_rng(0)
    for _ in range(20):
        masks = random_masks(rng, 20, 48)
        copies = masks & np.roll(masks, 24, axis=1)
        assert set(lags_of(masks, 0.7 * copies)) == {24, -24}
        checksum = masks & (np.roll(masks, 16, axis=1) | np.roll(masks, 32, axis=1))
        assert set(lags_of(masks, 0.7 * checksum)) <= {16, -16, 32, -32} != set()


def without_distant_lags(rng, masks):
    """Losses of positions of unequal difficulty that depend on their neighbours and on the masked share, with noise."""
    near = np.roll(masks, 1, axis=1) + 0.5 * np.roll(masks, -2, axis=1)
    share = masks.mean(axis=1, keepdims=True)
    return masks * (rng.lognormal(0.0, 1.0, masks.shape[1]) * (near + share) + rng.random(masks.shape))


@pytest.mark.parametrize(("passes", "length"), [(12, 16), (24, 64), (64, 64), (24, 300)])
def test_other_losses_have_none(passes, length):
    """Fewer than 1 sample in 100; at 3 standard deviations, chance would give lags to a tenth or more."""
    rng = np.random.default_rng(1)
    plans = [random_masks(rng, passes, length) for _ in range(200)]
    assert sum(lags_of(masks, without_distant_lags(rng, masks)) != () for masks in plans) <= 4


def test_control_a_low_threshold_gives_lags_by_chance(monkeypatch):
    monkeypatch.setattr(lags, "SIGNIFICANT", 2.5)
    rng = np.random.default_rng(1)
    plans = [random_masks(rng, 24, 64) for _ in range(100)]
    assert sum(lags_of(masks, without_distant_lags(rng, masks)) != () for masks in plans) > 20


@pytest.mark.parametrize("offset", [0.0, 0.1, 1e9])
def test_equal_losses_have_none_whatever_the_rounding(offset):
    masks = random_masks(np.random.default_rng(0), 24, 40)
    assert lags_of(masks, masks * (1.0 / 3.0 + offset)) == ()


@pytest.mark.parametrize(("passes", "length"), [(1, 1), (1, 40), (5, 2), (3, 4)])
def test_edges_short_sequences_and_single_passes(passes, length):
    masks = np.ones((passes, length), dtype=bool)
    assert lags_of(masks, masks * np.random.default_rng(0).random(masks.shape)) == ()


@pytest.mark.slow
def test_copies_and_checksums_at_a_distance_are_learned_from_all_positions(monkeypatch):
    """Measured: 0.002 and 0.32 times the variance of the weighted sum; without lags 1.00 times."""
    regression = Regression()
    plan = regression.plan(length=48, passes=24, replicates=60, rng=np.random.default_rng(0))
    near, far = (np.roll(plan.masks, shift, axis=2) for shift in (16, 32))
    copies = np.log(2.0) * (plan.masks & np.roll(plan.masks, 24, axis=2))
    checksums = np.log(2.0) * (plan.masks & (near | far))
    assert variance_ratio(plan, copies) < 0.03
    assert variance_ratio(plan, checksums) < 0.65
    monkeypatch.setattr(damping, "distant_lags", lambda masks, losses: [()] * len(masks))
    assert variance_ratio(plan, copies) > 0.7, "control: each position by itself"
    assert variance_ratio(plan, checksums) > 0.7, "control: each position by itself"


def variance_ratio(plan, losses):
    return Regression().reduce(plan, losses).var() / (plan.weights * losses).sum(axis=(1, 2)).var()

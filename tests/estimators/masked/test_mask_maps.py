"""Mask maps against their closed-form distributions, by enumeration."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad

from estimators import (
    InputError,
    MaskLaw,
    RootCount,
    TimeFree,
    TimeIntegral,
    UniformCount,
    all_masks,
    estimand_weights,
    pass_totals,
)
from tests.support.toys import ArbitraryLosses

LENGTHS = [1, 2, 3, 5]


def enumerated_law(mask_map, length):
    """Moments of the map by size, from running it on a partition of the cube into cells of constant mask.

    Levels: 2000-point Gauss-Legendre for a threshold map, whose mask given its level is drawn key by key; for rank maps
    the level acts only through the size, so midpoints of a fine partition that contains every jump are exact.
    """
    masks = {tuple(mask): index for index, mask in enumerate(all_masks(length).tolist())}
    moments = np.zeros((3, len(masks)))
    if isinstance(mask_map, TimeIntegral):
        nodes, node_weights = np.polynomial.legendre.leggauss(200)
        levels, level_weights = (nodes + 1) / 2, node_weights / 2
        for level, level_weight in zip(levels, level_weights, strict=True):
            rate = mask_map.eps + (1 - mask_map.eps) * level
            for below in itertools.product([False, True], repeat=length):
                keys = np.where(below, rate / 2, (1 + rate) / 2)
                mask, weight = mask_map.masks(np.concatenate([[level], keys]))
                assert tuple(mask.tolist()) == below
                if any(below):
                    chance = level_weight * rate ** sum(below) * (1 - rate) ** (length - sum(below))
                    moments[:, masks[below]] += chance * weight ** np.arange(3)
    else:
        sizes = np.arange(1, length + 1)
        jumps = np.unique(
            np.concatenate([[0, 1], *(np.cumsum(q) / q.sum() for q in (sizes**0, sizes**-0.5, sizes**-1.0))])
        )
        for low, high in itertools.pairwise(jumps):
            for order in itertools.permutations(range(length)):
                keys = (np.array(order) + 0.5) / length
                mask, weight = mask_map.masks(np.concatenate([[(low + high) / 2], keys]))
                chance = (high - low) / math.factorial(length)
                moments[:, masks[tuple(mask.tolist())]] += chance * weight ** np.arange(3)
    return moments


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    "mask_map", [TimeFree(), UniformCount(), RootCount(), TimeIntegral(0.0), TimeIntegral(0.2)], ids=str
)
def test_maths_the_law_is_the_distribution_of_the_masks(mask_map, length):
    law = mask_map.law(length)
    sizes = all_masks(length).sum(axis=1)
    probability, first, second = enumerated_law(mask_map, length)
    np.testing.assert_allclose(law.probability[sizes], probability, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(law.first_moment[sizes], first, rtol=1e-10)
    if mask_map.finite_variance:
        np.testing.assert_allclose(law.second_moment[sizes], second, rtol=1e-6)
    counts = np.array([math.comb(length, size) for size in range(length + 1)])
    assert law.probability @ counts == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("length", [1, 2, 7, 12])
@pytest.mark.parametrize("eps", [0.0, 1e-3, 0.3])
def test_maths_the_time_integral_law_agrees_with_quadrature(eps, length):
    law = TimeIntegral(eps).law(length)
    for size in range(1, length + 1):

        def integral(power, size=size):
            return quad(lambda t: t ** (size - power) * (1 - t) ** (length - size), eps, 1, epsabs=0, epsrel=1e-10)[0]

        assert law.probability[size] == pytest.approx(integral(0) / (1 - eps), rel=1e-9)
        assert law.first_moment[size] == pytest.approx(integral(1), rel=1e-9)
        if eps or size > 1:
            assert law.second_moment[size] == pytest.approx((1 - eps) * integral(2), rel=1e-7)
    assert math.isinf(TimeIntegral(0.0).law(length).second_moment[1])


@pytest.mark.parametrize("length", [1, 4, 12])
def test_maths_unbiased_maps_meet_the_estimand(length):
    """The condition for unbiasedness: E[w 1{S}] = B(m, L - m + 1). Theorem 4.1, Equations 15 and 16."""
    for mask_map in (TimeFree(), UniformCount(), RootCount(), TimeIntegral(0.0)):
        assert mask_map.unbiased
        np.testing.assert_allclose(mask_map.law(length).first_moment, estimand_weights(length), rtol=1e-12)


def test_maths_control_a_truncated_integral_and_a_wrong_weight_miss_the_estimand():
    assert not TimeIntegral(1e-2).unbiased
    assert not np.allclose(TimeIntegral(1e-2).law(6).first_moment, estimand_weights(6), rtol=1e-3)
    # As in the paper's code: sizes 1 .. L-1 only, but weighted by the full harmonic number.
    law = TimeFree().law(6)
    released = law.first_moment * (law.first_moment.size - 1 > np.arange(7))
    assert not np.allclose(released, estimand_weights(6), rtol=1e-3)


def test_maths_uniform_count_rao_blackwellises_the_time_integral():
    """For the time integral, E[1/rate | size] = (L + 1)/m, and sizes 0 .. L are equally likely."""
    length = 7
    ours, theirs = UniformCount().law(length), TimeIntegral(0.0).law(length)
    sizes = np.arange(1, length + 1)
    np.testing.assert_allclose(theirs.first_moment[1:] / theirs.probability[1:], (length + 1) / sizes, rtol=1e-12)
    np.testing.assert_allclose(ours.first_moment[1:] / ours.probability[1:], length / sizes, rtol=1e-12)
    assert (ours.second_moment[1:] <= theirs.second_moment[1:]).all()


def test_maths_exact_moments_agree_with_a_simulation():
    """50,000 iid passes: mean within 4 standard errors, variance within 5 % (its standard error is at most 1 %)."""
    length, model = 5, ArbitraryLosses(5, seed=3)
    totals = pass_totals(model, [[0] * length])[0]
    rng = np.random.default_rng(0)
    code = 2 ** np.arange(length)
    for mask_map in (TimeFree(), UniformCount(), RootCount(), TimeIntegral(0.05)):
        mean, variance = mask_map.law(length).moments(totals)
        masks, weights = mask_map.masks(rng.random((50_000, 1 + length)))
        terms = weights * np.concatenate([[0.0], totals])[masks @ code]
        assert abs(terms.mean() - mean) < 4 * np.sqrt(variance / len(terms))
        assert terms.var() == pytest.approx(variance, rel=0.05)


def test_maths_infinite_variance_is_infinite_unless_the_losses_vanish():
    law = TimeIntegral(0.0).law(3)
    sizes = all_masks(3).sum(axis=1)
    _, variance = law.moments(np.stack([np.ones(7), np.where(sizes == 1, 0.0, 1.0)]))
    assert math.isinf(variance[0])
    assert math.isfinite(variance[1])


@pytest.mark.parametrize(
    "mask_map", [TimeFree(), UniformCount(), RootCount(), TimeIntegral(0.0), TimeIntegral(0.1)], ids=str
)
def test_contract_both_endpoints_give_a_mask(mask_map):
    for level in (0.0, 1.0):
        mask, weight = mask_map.masks(np.array([level, 0.3, 0.6, 0.9]))
        assert np.isfinite(weight)
        assert mask.all() == (level == 1.0)


def test_contract_ties_do_not_change_the_size():
    mask, weight = UniformCount().masks(np.array([0.5, 0.25, 0.25, 0.25, 0.25]))
    assert mask.sum() == 3
    assert weight == 4 / 3


@pytest.mark.parametrize("eps", [-0.1, 1.0, 1.5, float("nan")])
def test_contract_eps_outside_its_range_is_refused(eps):
    with pytest.raises(InputError, match=r"eps in \[0, 1\)"):
        TimeIntegral(eps)


def test_contract_all_masks_has_a_limit():
    assert all_masks(3).tolist()[4] == [True, False, True]
    with pytest.raises(InputError, match="1 to 20"):
        all_masks(21)


def test_contract_a_law_knows_its_length():
    assert isinstance(TimeFree().law(4), MaskLaw)
    assert TimeFree().law(4).length == 4


@pytest.mark.parametrize("mask_map", [TimeFree(), UniformCount(), RootCount()], ids=str)
def test_contract_the_smallest_keys_are_masked(mask_map):
    mask, _ = mask_map.masks(np.array([0.4, 0.9, 0.1, 0.5, 0.3, 0.7]))
    keys = np.array([0.9, 0.1, 0.5, 0.3, 0.7])
    assert 0 < mask.sum() < 5
    assert keys[mask].max() < keys[~mask].min()


def test_contract_the_upper_endpoint_has_the_weight_of_the_full_mask():
    assert UniformCount().masks(np.array([1.0, 0.3, 0.6]))[1] == 1.0
    assert TimeIntegral(0.0).masks(np.array([1.0, 0.3, 0.6]))[1] == 1.0


@pytest.mark.parametrize("length", [32, 128])
def test_maths_root_count_is_nearly_neymans_allocation_for_unequal_tokens(length):
    """The mean of m of L fixed losses has (L - m)/(m (L - 1)) times their variance; stratified sizes remove the
    variance between sizes. Exact: root-count is at most 10 % above the optimum, the other two maps more."""
    sizes = np.arange(1, length + 1)
    within = (length - sizes) / (sizes * (length - 1))
    best = np.sqrt(within).mean() ** 2

    def excess(mask_map):
        of_one_mask = mask_map.law(length).probability[1:]
        share = of_one_mask * np.array([math.comb(length, size) for size in sizes.tolist()])
        return (within / share).sum() / length**2 / best

    assert 1 <= excess(RootCount()) < 1.10
    assert excess(TimeFree()) > 1.14
    assert excess(UniformCount()) > 1.7

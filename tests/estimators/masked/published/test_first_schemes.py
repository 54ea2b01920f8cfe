"""Published implementations: documented biases, by formulas of their own."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import quad

import infodis_stats as ids
from estimators import PassesError, TimeIntegral, UniformCount, all_masks, estimator
from estimators.masked.published import InfodisCount, PublishedDream
from tests.support.enumeration import Points, estimand_by_mask, expected_weights, worst_z

LENGTH = 4


def by_size(of_size):
    """A weight for each size, as a table over masks and positions."""
    masks = all_masks(LENGTH)
    return masks * np.asarray(of_size)[masks.sum(axis=1)][:, None]


def size_mean(law, losses):
    """The mean of an iid estimator whose token losses depend on the size alone, from its closed-form distribution."""
    sizes = np.arange(1, law.length + 1)
    masks = np.array([math.comb(law.length, size) for size in sizes.tolist()], dtype=float)
    return float((law.first_moment[1:] * masks * sizes * losses).sum())


# The expected weight of a mask under each; the estimand's weights are 1/(m C(L, m)).
HARMONIC = sum(Fraction(1, m) for m in range(1, LENGTH + 1))
SHORT = HARMONIC - Fraction(1, LENGTH)
RELEASED = [0.0, *(float(HARMONIC / SHORT / (m * math.comb(LENGTH, m))) for m in range(1, LENGTH)), 0.0]
RELEASED_TEXT8 = [0.0, *(RELEASED[m] / m for m in range(1, LENGTH)), 0.0]
EVEN_TWICE = [0.0, *((1.5 if m % 2 == 0 else 0.5) / (m * math.comb(LENGTH, m)) for m in range(1, LENGTH + 1))]


@pytest.mark.parametrize(
    ("name", "passes", "of_size"),
    [
        ("published-infodis", 6, RELEASED),
        ("published-infodis-text8", 6, RELEASED_TEXT8),
        ("published-llada", 8, EVEN_TWICE),
        ("published-d1", 1, [0.0, 0.0, 0.0, 0.0, 1.0]),
        ("published-pll", 4, [0.0, 1.0, 0.0, 0.0, 0.0]),
    ],
)
def test_maths_expected_weights_by_enumeration(name, passes, of_size):
    expected = expected_weights(estimator(name), LENGTH, passes)
    np.testing.assert_allclose(expected, by_size(of_size), rtol=1e-10, atol=1e-12)
    assert not np.allclose(expected, estimand_by_mask(LENGTH), rtol=1e-2)


def test_maths_expected_weights_of_threshold_masks_by_simulation():
    """The closed forms are within 4.5 standard errors over 32 masks and positions; the estimand is far outside."""

    def coupled(size):
        return quad(lambda t: t ** (size - 1) * (1 - t) ** (LENGTH - size) / 0.6, 0.2, 0.8)[0]

    coupled_weights = by_size([0.0, *(coupled(size) for size in range(1, LENGTH + 1))])
    coupled_weights[-1] += 0.5
    assert worst_z(estimator("published-diffucoder"), 6, coupled_weights) < 4.5
    assert worst_z(estimator("published-diffucoder"), 6, estimand_by_mask(LENGTH)) > 20
    np.testing.assert_allclose(coupled_weights.sum(axis=0), 1.5, rtol=1e-12)
    dream = by_size(PublishedDream().mask_map.law(LENGTH).first_moment)
    assert worst_z(estimator("published-dream"), 6, dream) < 4.5


def test_maths_the_released_code_never_draws_the_full_mask():
    """Bias -8.6 % at L = 16 and -2.3 % at L = 64, if the losses of the full mask sum to 1.65 times the NLL."""
    for length, percent in ((16, -8.6), (64, -2.3)):
        losses = np.ones(length)
        losses[-1] = 1.65 * (length - 1) / (length - 1.65)  # then L g(L) = 1.65 NLL
        assert length * losses[-1] == pytest.approx(1.65 * losses.sum())
        bias = size_mean(InfodisCount().law(length), losses) / losses.sum() - 1
        assert 100 * bias == pytest.approx(percent, abs=0.05)
    # With the mean instead of the sum: H_L if every token costs 1.
    assert size_mean(InfodisCount(mean=True).law(16), np.ones(16)) == pytest.approx(sum(1 / m for m in range(1, 17)))


def test_maths_the_pseudo_log_likelihood_is_0_where_tokens_determine_one_another():
    """The bias is the sum of the losses of single masks less the NLL: 0 for independent tokens, -NLL for a copy."""
    law = ids.CodeLaw(length=4, group=2, rule="copies", alphabet="AB")
    row = law.sample(1, length=4, seed=0)
    pll = estimator("published-pll")
    assert pll.sample(law, row, passes=4, replicates=2, rng=0) == pytest.approx(0.0)
    assert law.nll(row) == pytest.approx(2 * np.log(2.0))
    independent = ids.IndependentLaw.random(4, seed=1)
    row = independent.sample(1, length=4, seed=0)
    assert pll.sample(independent, row, passes=5, replicates=1, rng=0)[0] == pytest.approx(independent.nll(row))
    with pytest.raises(PassesError, match="published-pll needs 4 passes for 4 scored positions, got 3"):
        pll.sample(law, row, passes=3, replicates=1, rng=0)


def test_maths_rounding_half_to_even_biases_llada():
    """Bias +7.6 % at L = 4, b = 8, for losses linear in the count that sum to 1.456 NLL at the full mask."""
    slope = (1.456 - 1) / 1.5
    losses = 1 + slope * (np.arange(1, 5) - 2.5)
    assert 4 * losses[-1] == pytest.approx(1.456 * losses.sum())
    estimate = (
        expected_weights(estimator("published-llada"), 4, 8).sum(axis=1) * losses[all_masks(4).sum(axis=1) - 1]
    ).sum()
    assert 100 * (estimate / losses.sum() - 1) == pytest.approx(7.6, abs=0.05)


@pytest.mark.parametrize(
    ("length", "batch", "excess"),
    [(4, 8, 0.25), (100, 8, 0.25), (100, 16, 0.125), (100, 32, 0.0625), (4, 6, 0.0), (4, 4, 0.0)],
)
def test_maths_llada_draws_even_counts_too_often_where_there_are_halves(length, batch, excess):
    """The mean count exceeds (L + 1)/2 by half the share of halves: the bias depends on the batch and falls as 1/L."""
    points = np.tile(np.linspace(0.1, 0.9, length), (length, 1))
    levels = (np.arange(length)[:, None] + 0.5) / length
    plan = estimator("published-llada").plan(length, batch, length, Points(np.concatenate([levels, points], axis=1)))
    assert plan.masks.sum(axis=-1).mean() == pytest.approx((length + 1) / 2 + excess, rel=1e-12)


def test_maths_dream_has_a_21_percent_standard_error_where_one_pass_would_be_exact():
    """One scored token: passes are iid, and the standard error is 21 % with 128 of them."""
    mean, variance = PublishedDream().mask_map.law(1).moments(np.array([1.0]))
    assert mean == pytest.approx(1.0, rel=1e-12)
    assert math.sqrt(variance / 128) == pytest.approx(0.215, abs=5e-4)


def test_dreams_weight_is_one_over_the_rate_without_the_length_of_the_integral():
    mask, weight = PublishedDream().mask_map.masks(np.array([0.25, 0.25, 0.2507, 0.3]))
    assert mask.tolist() == [True, True, False]  # the rate is 0.001 + 0.999 / 4
    assert weight == pytest.approx(1 / 0.25075, rel=1e-12)


def test_maths_dreams_bias_is_of_the_order_of_its_smallest_rate():
    for length in (4, 32):
        ratio = PublishedDream().mask_map.law(length).first_moment[1:] / UniformCount().law(length).first_moment[1:]
        assert ratio[0] == pytest.approx((1 - 1e-3) ** (length - 1), rel=1e-9)
        assert (np.abs(ratio[1:] - 1) < 2e-3).all()
        assert np.abs(ratio - 1).max() > 5e-4


def test_radd_is_a_stratified_time_integral_and_inherits_its_infinite_variance():
    radd, ours = estimator("published-radd"), estimator("time-integral+stratified")
    assert radd.plan(5, 8, 3, np.random.default_rng(0)) == ours.plan(5, 8, 3, np.random.default_rng(0))
    assert radd.unbiased
    assert not radd.finite_variance
    assert radd.mask_map == TimeIntegral(0.0)


def test_diffucoder_masks_every_token_in_each_group_of_three():
    plan = estimator("published-diffucoder").plan(6, 8, 5, np.random.default_rng(0))
    assert plan.passes == 6
    np.testing.assert_array_equal(plan.masks[:, 1::3], ~plan.masks[:, 2::3])
    assert plan.masks[:, ::3].all()


def test_they_state_their_requirements():
    with pytest.raises(PassesError, match="published-infodis needs at least 2 scored positions, whatever the passes"):
        estimator("published-infodis").plan(1, 8, 1, np.random.default_rng(0))
    with pytest.raises(PassesError, match="published-diffucoder needs at least 3 passes, got 2"):
        estimator("published-diffucoder").plan(5, 2, 1, np.random.default_rng(0))

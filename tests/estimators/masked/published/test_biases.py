"""What the grids do to a likelihood: biases in closed form, for a model that no law has."""

import itertools

import numpy as np
import pytest

import infodis_stats as ids
from estimators import all_masks, estimator, make_targets
from estimators.masked.published import expected_value
from tests.support.enumeration import estimand_by_mask
from tests.support.toys import ArbitraryBlocks, ArbitraryLosses, slow_nll

LENGTH = 5
ROW = [[0, 1, 2, 3, 0]]
MODEL = ArbitraryLosses(LENGTH, seed=4)
(TARGET,) = make_targets(ROW)
NLL = slow_nll(MODEL, TARGET)
TOTALS = MODEL.table.numpy()[1:]


def marginal(rate):
    """h(t): the sum of the expected losses of the positions, each masked for sure and the others at a rate."""
    masks = all_masks(LENGTH)
    others = masks.sum(axis=1) - 1
    return ((masks * TOTALS).sum(axis=1) * rate**others * (1 - rate) ** (LENGTH - 1 - others)).sum()


def integral(low, high):
    points, weights = np.polynomial.legendre.leggauss(LENGTH)
    rates = low + (high - low) * (points + 1) / 2
    return (high - low) / 2 * sum(weights * list(map(marginal, rates)))


def mean(name, passes):
    return expected_value(estimator(name), MODEL, ROW, passes=passes)[0]


def test_maths_the_likelihood_is_the_integral_over_rates():
    assert integral(0.0, 1.0) == pytest.approx(NLL, rel=1e-12)


def test_maths_mdlm_leaves_out_both_ends():
    assert mean("published-mdlm", 4) == pytest.approx(integral(0.000999, 0.999) / 0.999, rel=1e-12)
    assert mean("published-mdlm", 1) != pytest.approx(NLL, rel=1e-4)


@pytest.mark.parametrize("steps", [1, 3, 64])
def test_maths_the_discrete_elbo_is_a_sum_over_the_right_ends(steps):
    ends = 0.999 * np.arange(1, steps + 1) / steps
    expected = sum(map(marginal, ends)) * 0.999 / steps
    assert mean("published-discrete-elbo", steps) == pytest.approx(expected, rel=1e-12)


def test_maths_the_bias_of_the_discrete_elbo_falls_as_one_over_the_steps():
    """Control: MDLM's mean does not depend on the passes."""
    limit, rise = integral(0.0, 0.999), 0.999 * (marginal(0.999) - marginal(0.0))
    for steps in (64, 128, 256):
        assert (mean("published-discrete-elbo", steps) - limit) * 2 * steps / rise == pytest.approx(1.0, abs=2 / steps)
    assert mean("published-mdlm", 64) == pytest.approx(mean("published-mdlm", 128), rel=1e-12)


def test_maths_replaying_a_sampler_of_as_many_steps_has_the_same_mean():
    """Every position is revealed at one of 3 steps, or visible from the start; all combinations are enumerated."""
    steps, total = 3, 0.0
    for outcome in itertools.product(range(steps + 1), repeat=LENGTH):  # the step of each; 0: never masked
        revealed = np.array(outcome)
        probability = np.prod(np.where(revealed == 0, 0.001, 0.999 / steps))
        for step in range(1, steps + 1):
            masked = (revealed > 0) & (revealed <= step)  # times go down
            code = int(masked @ 2 ** np.arange(LENGTH))
            if masked.any():
                total += probability * TOTALS[code - 1][masked & (revealed == step)].sum()
    assert mean("published-discrete-elbo", steps) == pytest.approx(total, rel=1e-12)


def test_maths_gidds_ends_count_as_much_as_inner_points():
    """A plain mean on an equally spaced grid exceeds the integral by half the ends less it, over K."""
    passes = 128
    times = np.linspace(1e-4, 1 - 1e-4, passes)
    values = np.array([0.9999 * marginal(0.9999 * time) for time in times])
    assert mean("published-gidd", passes) == pytest.approx(values.mean(), rel=1e-12)
    excess = ((marginal(0.0) + marginal(1.0)) / 2 - NLL) / passes
    assert mean("published-gidd", passes) / 0.9999 - NLL == pytest.approx(excess, rel=0.1)


@pytest.mark.parametrize(("length", "percent"), [(8, -28.2), (16, -12.8), (64, -1.2)])
def test_maths_gdpo_rounds_its_counts_down(length, percent):
    """The bias where losses do not depend on the count: the expected total weight of a position."""
    plan = estimator("published-gdpo").plan(length, 3, 4000, np.random.default_rng(0))
    assert 100 * (plan.weights.sum(axis=1).mean() - 1) == pytest.approx(percent, abs=0.05)
    assert set(plan.masks.sum(axis=-1)[0]) == {int(t * length) for t in (0.5 - 0.15**0.5, 0.5, 0.5 + 0.15**0.5)}


def test_espo_pairs_a_mask_with_its_complement():
    plan = estimator("published-espo").plan(5, 7, 50, np.random.default_rng(0))
    assert plan.passes == 6
    np.testing.assert_array_equal(plan.masks[:, ::2], ~plan.masks[:, 1::2])
    np.testing.assert_allclose(plan.weights[plan.masks.sum(axis=-1) == 2].max(axis=-1), 6 / 2 / 2 / 3)


class TestExpectedValue:
    def test_maths_of_every_sum_it_is_the_weighted_sum_over_masks(self):
        sizes = all_masks(LENGTH).sum(axis=1)
        for name in ("published-llada", "published-gidd", "published-d1", "published-pll", "published-infodis"):
            weights = estimator(name).expected_weights(LENGTH, 8)[sizes]
            expected = (weights[:, None] * all_masks(LENGTH) * TOTALS).sum()
            assert mean(name, 8) == pytest.approx(expected, rel=1e-12)
        assert mean("published-espo", 2) == pytest.approx((estimand_by_mask(LENGTH) * TOTALS).sum(), rel=1e-12)
        assert mean("published-espo", 2) == pytest.approx(NLL, rel=1e-12)

    def test_maths_the_context_is_given(self):
        given = np.array([[True, False, False, True, False]])
        (target,) = make_targets(ROW, context=given)
        value = expected_value(estimator("published-elbo-kto"), MODEL, ROW, passes=2, context=given)[0]
        assert value == pytest.approx(slow_nll(MODEL, target), rel=1e-12)
        assert value != pytest.approx(NLL, rel=1e-3)

    def test_maths_blocks_are_added_up(self):
        """Block lengths 3, 4, 4 and 2; an unbiased scheme has the exact likelihood of the blocks, a biased one not."""
        model, rows = ArbitraryBlocks(13, 4, 3), np.arange(26).reshape(2, 13) % 4
        exact = estimator("exhaustive").sample(model, rows, passes=15, replicates=1, rng=0)[:, 0]
        np.testing.assert_allclose(
            expected_value(estimator("published-elbo-kto"), model, rows, passes=1), exact, rtol=1e-12
        )
        assert not np.allclose(expected_value(estimator("published-llada"), model, rows, passes=8), exact, rtol=1e-3)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "passes"), [("published-bd3lm", 2), ("published-discrete-elbo", 1), ("published-spg", 2)]
    )
    def test_maths_replicates_of_blocks_have_that_mean(self, name, passes):
        """4 standard errors; the exact likelihood is outside."""
        model, row = ArbitraryBlocks(12, 3), np.arange(12)[None] % 4
        values = estimator(name).sample(model, row, passes=passes, replicates=10_000, rng=3)[0]
        value = expected_value(estimator(name), model, row, passes=passes)[0]
        error = values.std() / len(values) ** 0.5 + 1e-9
        assert abs(values.mean() - value) < 4 * error
        exact = estimator("exhaustive").sample(model, row, passes=15, replicates=1, rng=0)[0, 0]
        assert abs(exact - value) > 4 * error

    def test_too_few_passes_and_too_many_outcomes_are_refused(self):
        with pytest.raises(ids.PassesError, match="published-gidd needs at least 2 passes"):
            mean("published-gidd", 1)
        with pytest.raises(ids.InputError, match=r"published-spg has 31\^5 outcomes, more than 1,048,576; use fewer"):
            mean("published-spg", 5)

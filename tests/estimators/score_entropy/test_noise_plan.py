"""Noise plans: their contract, comparison by value, inputs, and validation."""

from dataclasses import replace

import numpy as np
import pytest

from estimators import Absorbing, InputError, NoisedTokens, NoisePlan, Uniform, estimator, estimator_names, make_targets

NAMES = estimator_names("noised")


def plan_of(name, length=5, passes=8, replicates=3, seed=0):
    return estimator(name).plan(length, passes, replicates, np.random.default_rng(seed))


@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_one_shape_and_positive_weights(self, name):
        plan = plan_of(name)
        assert plan.keys.shape == plan.weights.shape == (3, 8, 5)
        assert plan.total_noise.shape == plan.hidden_fractions.shape == (3, 8)
        assert (plan.replicates, plan.passes, plan.length) == (3, 8, 5)
        assert (plan.weights > 0).all()
        assert (plan.weights == plan.weights[..., :1]).all()
        assert ((plan.hidden_fractions > 0) & (plan.hidden_fractions <= 1)).all()
        np.testing.assert_allclose(plan.hidden_fractions, 1 - np.exp(-plan.total_noise), rtol=1e-12, atol=1e-15)

    def test_more_replicates_extend_fewer(self, name):
        few, many = plan_of(name, replicates=2), plan_of(name, replicates=5)
        assert many.part(slice(2)) == few
        rng = np.random.default_rng(0)
        halves = [estimator(name).plan(5, 8, count, rng) for count in (2, 3)]
        assert NoisePlan.concatenate(halves) == many
        assert halves[0].joined(halves[1:]) == many
        assert many.part(slice(2, None)) == halves[1]

    def test_shorter_plans_from_one_state_are_the_leading_positions(self, name):
        short, long = plan_of(name, length=3), plan_of(name, length=5)
        np.testing.assert_array_equal(short.keys, long.keys[..., :3])
        np.testing.assert_array_equal(short.total_noise, long.total_noise)


def test_plans_compare_by_value_and_are_read_only():
    plan = plan_of("score-entropy(uniform)")
    assert plan == plan_of("score-entropy(uniform)")
    assert hash(plan) == hash(plan_of("score-entropy(uniform)"))
    assert plan != plan_of("score-entropy(uniform)", seed=1)
    assert plan != plan_of("marginal-score-entropy(uniform)")  # another kind of input
    assert plan != plan_of("time-free")
    assert repr(plan) == "NoisePlan(replicates=3, passes=8, length=5)"
    for array in (plan.keys, plan.weights, plan.total_noise):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_inputs_are_the_passes_with_a_nonzero_loss():
    """Scored positions have keys and the context has none; a pass that masks nothing is not run."""
    (target,) = make_targets([[3, 2, 1, 0]], np.array([[False, True, False, True]]))
    keys = np.array([[[0.2, 0.9], [0.8, 0.7], [0.6, 0.1]]])
    amounts = np.log([[2.0, 2.0, 2.0]])  # masks below one half
    for noise, rows in ((Absorbing(), [0, -1, 1]), (Uniform(), [0, 1, 2])):
        plan = NoisePlan(amounts, keys, np.ones(keys.shape), NoisedTokens(noise))
        inputs = plan.inputs(target)
        tokens, acts, spread, total_noise = inputs.columns
        assert inputs.row_of_pass.tolist() == rows
        assert len(inputs) == len(tokens) == len(total_noise) == max(rows) + 1
        assert inputs.question == NoisedTokens(noise)
        assert (tokens == target.tokens).all()
        assert (acts == [True, False, True, False]).all()
        needed = np.array(rows) >= 0
        np.testing.assert_array_equal(spread[:, [0, 2]], keys[0, needed])


def test_a_plan_whose_passes_all_have_zero_loss_has_no_inputs():
    (target,) = make_targets([[0, 1]])
    plan = NoisePlan(np.full((1, 2), 0.1), np.full((1, 2, 2), 0.5), np.ones((1, 2, 2)), NoisedTokens(Absorbing()))
    assert len(plan.inputs(target)) == 0
    assert plan.inputs(target).row_of_pass.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"keys": np.zeros((2, 3))},
            r"one shape \(replicates, passes, length\) and total noise .* got \(1, 2\)",
        ),
        ({"weights": np.ones((1, 2, 4))}, "keys and weights of one shape"),
        ({"total_noise": np.ones((1, 3))}, r"total noise \(replicates, passes\)"),
        ({"total_noise": np.zeros((1, 2))}, "positive and finite total noise"),
        ({"total_noise": np.full((1, 2), np.inf)}, "positive and finite total noise"),
        ({"total_noise": np.full((1, 2), np.nan)}, "positive and finite total noise"),
        ({"weights": np.full((1, 2, 3), np.nan)}, "finite weights"),
    ],
)
def test_ill_formed_plans_are_refused(change, sentence):
    good = NoisePlan(np.ones((1, 2)), np.full((1, 2, 3), 0.5), np.ones((1, 2, 3)), NoisedTokens(Uniform()))
    with pytest.raises(InputError, match=sentence):
        replace(good, **change)


def test_plans_of_different_sizes_cannot_be_concatenated():
    with pytest.raises(InputError, match="one length and one number of passes"):
        NoisePlan.concatenate([plan_of(NAMES[0]), plan_of(NAMES[0], length=4)])

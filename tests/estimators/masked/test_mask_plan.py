"""Mask plans: their contract, comparison by value, and validation."""

import numpy as np
import pytest

from estimators import InputError, MaskPlan, PassesError, estimator, estimator_names


def plan_of(name, length=5, passes=32, replicates=3, seed=0):
    return estimator(name).plan(length, passes, replicates, np.random.default_rng(seed))


@pytest.mark.parametrize("name", estimator_names("masked"))
def test_contract_one_shape_and_weights_only_where_masked(name):
    plan = plan_of(name)
    assert plan.masks.shape == plan.weights.shape == (3, plan.passes, 5)
    assert (plan.replicates, plan.length) == (3, 5)
    assert 0 < plan.passes <= 32  # never more than allowed
    assert not plan.weights[~plan.masks].any()
    assert (plan.weights >= 0).all()
    np.testing.assert_array_equal(plan.weights.any(axis=-1), plan.masks.any(axis=-1))  # no pass has an empty mask


@pytest.mark.parametrize("name", estimator_names("masked"))
def test_contract_more_replicates_extend_fewer(name):
    few, many = plan_of(name, replicates=2), plan_of(name, replicates=5)
    np.testing.assert_array_equal(many.masks[:2], few.masks)
    rng = np.random.default_rng(0)
    halves = [estimator(name).plan(5, 32, count, rng) for count in (2, 3)]
    assert MaskPlan.concatenate(halves) == many


@pytest.mark.parametrize("name", [name for name in estimator_names() if name.startswith("time-integral")])
def test_contract_shorter_plans_from_one_state_are_the_leading_positions(name):
    """Each position of a threshold mask depends on its own key only, so masks show which key each position uses."""
    short, long = plan_of(name, length=3), plan_of(name, length=5)
    np.testing.assert_array_equal(short.masks, long.masks[..., :3])


def test_plans_compare_by_value_and_are_read_only():
    plan = plan_of("uniform-count")
    assert plan == plan_of("uniform-count")
    assert hash(plan) == hash(plan_of("uniform-count"))
    assert plan != plan_of("uniform-count", seed=1)
    assert plan != "plan"
    with pytest.raises(ValueError, match="read-only"):
        plan.masks[0, 0, 0] = True


def test_plans_print_their_first_replicate():
    plan = MaskPlan(np.array([[[True, False], [True, True]]]), np.array([[[0.5, 0], [0.25, 0.25]]]))
    assert str(plan) == "#.  0.5\n##  0.25"


def test_ill_formed_plans_are_refused():
    masks = np.ones((1, 2, 3), dtype=bool)
    with pytest.raises(InputError, match="one shape"):
        MaskPlan(masks, np.ones((1, 2)))
    with pytest.raises(InputError, match="not masked"):
        MaskPlan(~masks, np.ones((1, 2, 3)))
    with pytest.raises(InputError, match="finite"):
        MaskPlan(masks, np.full((1, 2, 3), np.inf))
    with pytest.raises(InputError, match="one length"):
        MaskPlan.concatenate([plan_of("time-free"), plan_of("time-free", length=4)])


def test_exhaustive_states_how_many_passes_it_needs():
    with pytest.raises(PassesError, match="31 passes for 5 scored positions, got 30"):
        plan_of("exhaustive", passes=30)
    with pytest.raises(InputError, match="at least one"):
        plan_of("time-free", length=0)

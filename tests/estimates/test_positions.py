"""Loss maps: the contribution of each position is unbiased."""

import numpy as np
import pytest

import infodis_stats as ids
from estimators import Exhaustive, Job, evaluate, make_targets
from infodis_stats.estimates.positions import position_nll
from tests.support.stat_asserts import assert_mean
from tests.support.toys import ArbitraryLosses

LENGTH = 4


def evaluated(name, replicates, *, passes=4):
    model = ArbitraryLosses(LENGTH, seed=2, skew=3.0)
    (target,) = make_targets(np.zeros((1, LENGTH), dtype=int))
    plan = ids.estimator(name).plan(LENGTH, passes, replicates, np.random.default_rng(5))
    (evaluation,) = evaluate(model, [Job(target, plan)])
    return evaluation


def exact_contributions():
    every = evaluated("exhaustive", 1, passes=2**LENGTH)
    return (every.plan.weights * every.losses)[0].sum(axis=0)


@pytest.mark.parametrize("name", ["uniform-count", "time-free", "uniform-count+stratified"])
def test_each_position_is_unbiased_for_any_model(name):
    """Means over 2,000 groups of 2 replicates are within 4 standard errors; plain weighted means are not."""
    groups = evaluated(name, 4000, passes=1 if "stratified" not in name else 2)
    found, naive = [], []
    for start in range(0, 4000, 2):
        part = slice(start, start + 2)
        plan = ids.MaskPlan(groups.plan.masks[part], groups.plan.weights[part])
        one = ids.Evaluation(groups.target, plan, groups.losses[part], 0)
        found.append(position_nll(one).mean(axis=0))
        naive.append(one.position_losses)
    assert_mean(np.array(found).T, exact_contributions())
    with pytest.raises(AssertionError):
        assert_mean(np.array(naive).T, exact_contributions())


def test_the_baseline_corrects_for_how_often_a_position_is_masked():
    model = ids.load_model("austen")
    (target,) = make_targets([model.encode("universally acknowledged")])
    plan = ids.estimator("uniform-count+stratified").plan(24, 8, 16, np.random.default_rng(5))
    (plain,) = evaluate(model, [Job(target, plan)])
    weighted = (plain.plan.weights * plain.losses).sum(axis=1)
    assert position_nll(plain).var(axis=0).sum() < 0.7 * weighted.var(axis=0).sum()


def test_positions_of_a_text_sum_to_its_nll():
    model, record = ids.load_model("austen"), ids.Record("a", "It is a ", "truth")
    exact = ids.estimate_texts(model, [record], "exhaustive", passes=31, replicates=2)["nll"].item()
    found = ids.estimate_positions(model, record, "exhaustive", passes=31, replicates=2)
    assert found["nll"].sum().item() == pytest.approx(exact, rel=1e-6)
    assert found["token"].values.tolist() == list("truth")
    assert found["position"].values.tolist() == [8, 9, 10, 11, 12]
    sampled = ids.estimate_positions(model, record, passes=16, replicates=16)
    assert (np.abs(sampled["nll"] - found["nll"]) < 6 * sampled["nll_se"]).all()
    assert isinstance(ids.estimator("exhaustive"), Exhaustive)

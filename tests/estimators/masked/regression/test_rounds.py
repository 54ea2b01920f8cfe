"""Rounds of passes that are regressed together: their law, their order, and their estimate."""

import numpy as np
import pytest
import torch

from estimators import Job, evaluate, make_targets
from estimators.masked.regression.rounds import RegressionRound, pooled
from tests.support.stat_asserts import assert_unbiased
from tests.support.toys import ArbitraryLosses, slow_nll

ROUNDS = [(RegressionRound(opening=True), 9), (RegressionRound(smallest=2), 8)]


def draw_rounds(length, rng, rounds=ROUNDS):
    return [each.plan(length, passes, 1, rng) for each, passes in rounds]


@pytest.mark.parametrize("length", [1, 2, 5, 12])
def test_the_sizes_of_each_pass_have_the_law_of_its_stratum(length):
    for each, passes in ROUNDS:
        masks = each.plan(length, passes, 2000, np.random.default_rng(0)).masks
        counts = np.stack([np.bincount(sizes, minlength=length + 1)[1:] for sizes in masks.sum(axis=-1).T])
        expected = 2000 * each.strata(length, passes)
        assert (np.abs(counts - expected) <= 5 * np.sqrt(np.maximum(expected, 1e-9)) + 1e-6).all()
        np.testing.assert_allclose(each.strata(length, passes).sum(axis=1), 1.0)


def test_the_pass_that_masks_everything_comes_last_and_once():
    rng = np.random.default_rng(0)
    plans = draw_rounds(6, rng)
    (result,) = pooled([each for each, _ in ROUNDS], plans, [[plan.masks * 1.0 for plan in plans]])
    assert result.plan.masks.all(axis=-1).tolist() == [[False] * 16 + [True]]
    np.testing.assert_allclose(result.plan.weights[0, -1], 1 / 6)
    assert result.estimate == pytest.approx(6.0)
    assert result.variance.variance[0] < 1e-3  # of a flat loss: the prior shrinks a little


def estimates(length, replicates, rounds=ROUNDS, seed=0):
    """The pooled estimates of an arbitrary, inconsistent model, and the squared standard errors."""
    model = ArbitraryLosses(length, seed=3)
    (target,) = make_targets([[0] * length])
    rng = np.random.default_rng(seed)
    plans = [draw_rounds(length, rng, rounds) for _ in range(replicates)]
    jobs = [Job(target, plan) for of_replicate in plans for plan in of_replicate]
    losses = [evaluation.losses for evaluation in evaluate(model, jobs, batch_size=4096)]
    results = [
        pooled([each for each, _ in rounds], of_replicate, [losses[len(rounds) * number :][: len(rounds)]])[0]
        for number, of_replicate in enumerate(plans)
    ]
    return np.array([each.estimate for each in results]), np.array([each.variance.variance[0] for each in results])


def test_the_estimate_is_unbiased_for_an_inconsistent_model():
    values, variances = estimates(6, 300)
    (target,) = make_targets([[0] * 6])
    exact = slow_nll(ArbitraryLosses(6, seed=3), target)
    assert_unbiased(values, exact)
    with pytest.raises(AssertionError):  # control: a bias of 5 % shows
        assert_unbiased(values + 0.05 * exact, exact)
    assert 0.8 * values.var() < variances.mean() < 3.0 * values.var()  # few passes and noise of no pattern: too large


def test_targets_of_one_mask_share_the_regression():
    rng = np.random.default_rng(1)
    plans, rounds = draw_rounds(7, rng), [each for each, _ in ROUNDS]
    noise = [[torch.rand(plan.masks.shape, generator=torch.Generator().manual_seed(seed)).numpy() * plan.masks
              for plan in plans] for seed in (0, 1)]  # fmt: skip
    together = pooled(rounds, plans, noise)
    for number, own in enumerate(noise):
        (alone,) = pooled(rounds, plans, [own])
        assert together[number].estimate == pytest.approx(alone.estimate, rel=1e-12)
        np.testing.assert_allclose(together[number].residuals, alone.residuals, rtol=1e-9)


def test_shorter_targets_share_the_uniforms_of_longer_ones():
    long, short = (
        RegressionRound().plan(length, 8, 1, np.random.default_rng(5)).masks.sum(axis=-1) / length
        for length in (24, 20)
    )
    assert np.abs(long - short).max() < 0.1

"""Every estimator is unbiased for every model: enumerated where the randomness can be enumerated, else simulated."""

import itertools
import math

import numpy as np
import pytest

from estimators import (
    IID,
    MaskPlan,
    PointEstimator,
    UniformCount,
    all_masks,
    estimand_weights,
    estimator,
    estimator_names,
    make_targets,
)
from toys import ArbitraryLosses, slow_nll

LENGTH = 4


def passes_for(name):
    return 2**LENGTH - 1 if name == "exhaustive" else 6


class MeanOverMasked(UniformCount):
    """A wrong weight: 1 instead of L/m, as if a mean of losses were a likelihood."""

    def masks(self, points):
        masks, weights = super().masks(points)
        return masks, np.ones_like(weights)


class EveryPoint:
    """A generator whose children all return one prescribed point, so that a test can enumerate the cube."""

    def __init__(self, level, keys):
        self.values = np.concatenate([[level], keys])

    def spawn(self, count):
        return [self] * count

    def random(self, shape):
        return np.repeat(self.values[: shape[0], None], shape[1], axis=1)


def weight_by_mask(plan: MaskPlan):
    """Sum of the token weights of each mask and position, per replicate: (replicates, 2**L - 1, L)."""
    code = plan.masks @ 2 ** np.arange(plan.length)
    total = np.zeros((plan.replicates, 2**plan.length, plan.length))
    np.add.at(total, (np.arange(plan.replicates)[:, None], code), plan.weights)
    return total[:, 1:]


def estimand_by_mask(length):
    masks = all_masks(length)
    return masks * estimand_weights(length)[masks.sum(axis=1)][:, None]


def expected_weights(sampler, passes):
    """E[sum_k W 1{S_k = S}] by enumeration: all orders of the keys, all pieces of the level.

    A rank map's mask changes with the level only where the size does. The pieces contain those jumps and, for equal
    strata, their images within a stratum, so the midpoint rule is exact. By linearity every pass may be driven by one
    and the same point.
    """
    laws = (np.arange(1, LENGTH + 1) ** -power for power in (0.0, 0.25, 1.0))
    jumps = np.concatenate([[0], *(np.cumsum(law) / law.sum() for law in laws)])
    jumps = np.concatenate([jumps, 1 - jumps])
    jumps = np.unique(np.round(np.concatenate([jumps, jumps * passes % 1]), 14))
    total = np.zeros((2**LENGTH - 1, LENGTH))
    for low, high in itertools.pairwise(jumps):
        for order in itertools.permutations(range(LENGTH)):
            plan = sampler.plan(LENGTH, passes, 1, EveryPoint((low + high) / 2, (np.array(order) + 0.5) / LENGTH))
            total += (high - low) / math.factorial(LENGTH) * weight_by_mask(plan)[0]
    return total


RANK_ESTIMATORS = [name for name in estimator_names() if not name.startswith("time-integral")]


@pytest.mark.parametrize("name", RANK_ESTIMATORS)
def test_maths_unbiased_by_enumeration(name):
    np.testing.assert_allclose(
        expected_weights(estimator(name), passes_for(name)), estimand_by_mask(LENGTH), rtol=1e-10, atol=1e-12
    )


def test_maths_control_a_wrong_weight_fails_the_enumeration():
    wrong = expected_weights(PointEstimator(MeanOverMasked(), IID()), 6)
    assert not np.allclose(wrong, estimand_by_mask(LENGTH), rtol=1e-2)


def worst_z(sampler, passes, replicates=20_000):
    """Largest z-score over masks and positions of the simulated expected weights."""
    weights = weight_by_mask(sampler.plan(LENGTH, passes, replicates, np.random.default_rng(7)))
    error = weights.mean(axis=0) - estimand_by_mask(LENGTH)
    spread = weights.std(axis=0) / math.sqrt(replicates)
    hit = all_masks(LENGTH) & (spread > 1e-12)
    np.testing.assert_allclose(error[~hit], 0, atol=1e-12)  # what does not vary is exact
    return np.abs(error[hit] / spread[hit]).max(initial=0)


@pytest.mark.parametrize("name", estimator_names())
def test_maths_unbiased_by_simulation(name):
    """32 masks and positions: 4.5 standard errors leave a chance of 2e-4 over all of them, at a fixed seed."""
    assert worst_z(estimator(name), passes_for(name)) < 4.5


@pytest.mark.parametrize("wrong", [PointEstimator(MeanOverMasked()), estimator("time-integral(eps=0.05)")], ids=str)
def test_maths_control_biased_estimators_fail_the_simulation(wrong):
    assert worst_z(wrong, 6) > 4.5


@pytest.mark.parametrize("name", estimator_names())
def test_maths_every_position_has_expected_weight_one(name):
    """E[sum_k W[k, i]] = 1: within 4.5 standard errors; time-integral at eps = 0 has no finite one and is left out."""
    plan = estimator(name).plan(LENGTH, passes_for(name), 20_000, np.random.default_rng(3))
    sums = plan.weights.sum(axis=1)
    if estimator(name).finite_variance:
        bound = 4.5 * sums.std(axis=0) / math.sqrt(len(sums)) + 1e-12
        assert (np.abs(sums.mean(axis=0) - 1) <= bound).all()


@pytest.mark.parametrize("name", estimator_names())
def test_contract_inconsistent_conditionals_and_context(name):
    """The mean over a random order, not the likelihood of any one law; the context is never masked."""
    model = ArbitraryLosses(6, seed=1)
    given = np.array([[True, False, False, True, False, False]])
    (target,) = make_targets([[0, 1, 2, 3, 0, 1]], context=given)
    estimates = estimator(name).sample(
        model, [target.tokens], passes=passes_for(name), replicates=4000, rng=11, context=given
    )[0]
    error = estimates.mean() - slow_nll(model, target)
    assert abs(error) < 4 * estimates.std() / math.sqrt(len(estimates)) + 1e-9
    plan = estimator(name).plan(target.length, passes_for(name), 3, np.random.default_rng(0))
    assert plan.length == 4

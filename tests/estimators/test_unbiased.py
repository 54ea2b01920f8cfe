"""Every estimator of masks is unbiased for every model: enumerated where the randomness can be, else simulated."""

import math

import numpy as np
import pytest

from estimators import IID, PointEstimator, UniformCount, estimator, estimator_names, make_targets
from tests.support.enumeration import estimand_by_mask, expected_weights, worst_z
from tests.support.toys import ArbitraryLosses, fitting_passes, slow_nll

LENGTH = 4


class MeanOverMasked(UniformCount):
    """A wrong weight: 1 instead of L/m, as if a mean of losses were a likelihood."""

    def masks(self, points):
        masks, weights = super().masks(points)
        return masks, np.ones_like(weights)


# The others have their biases tested.
UNBIASED = [name for name in estimator_names("masked") if estimator(name).unbiased]
# Not by points of a cube: a threshold cuts the keys too; masks without replacement have their own enumeration.
OTHERWISE = ("time-integral", "without-replacement", "published-radd")
ENUMERATED = [name for name in UNBIASED if not name.startswith(OTHERWISE)]


@pytest.mark.parametrize("name", ENUMERATED)
def test_maths_unbiased_by_enumeration(name):
    """Where keys are stratified, in every combination of strata: fewer passes and positions, or it takes forever."""
    balanced = name.endswith(("+latin-hypercube", "+sobol"))
    length, passes, cells = (3, 4, 4) if balanced else (LENGTH, fitting_passes(name, LENGTH), 1)
    expected = expected_weights(estimator(name), length, passes, cells)
    np.testing.assert_allclose(expected, estimand_by_mask(length), rtol=1e-10, atol=1e-12)


def test_maths_control_a_wrong_weight_fails_the_enumeration():
    wrong = expected_weights(PointEstimator(MeanOverMasked(), IID()), LENGTH, 6)
    assert not np.allclose(wrong, estimand_by_mask(LENGTH), rtol=1e-2)


SIMULATED = [name for name in UNBIASED if name not in ENUMERATED]


@pytest.mark.parametrize("name", [*SIMULATED, "uniform-count", "exhaustive"])
def test_maths_unbiased_by_simulation(name):
    """32 masks and positions: 4.5 standard errors leave a chance of 2e-4 over all of them, at a fixed seed."""
    assert worst_z(estimator(name), fitting_passes(name, LENGTH), estimand_by_mask(LENGTH)) < 4.5


@pytest.mark.parametrize("wrong", [PointEstimator(MeanOverMasked()), estimator("time-integral(eps=0.05)")], ids=str)
def test_maths_control_biased_estimators_fail_the_simulation(wrong):
    assert worst_z(wrong, 6, estimand_by_mask(LENGTH)) > 4.5


def test_maths_every_position_has_expected_weight_one():
    """E[sum_k W[k, i]] = 1, which the estimand implies: a flat loss is estimated as if it were told."""
    for length in (1, 2, 5, 9):
        np.testing.assert_allclose(estimand_by_mask(length).sum(axis=0), 1.0, rtol=1e-12)


@pytest.mark.parametrize("name", UNBIASED)
def test_contract_inconsistent_conditionals_and_context(name):
    """The mean over a random order, not the likelihood of any one law; the context is never masked."""
    model = ArbitraryLosses(6, seed=1)
    given = np.array([[True, False, False, True, False, False]])
    (target,) = make_targets([[0, 1, 2, 3, 0, 1]], context=given)
    estimates = estimator(name).sample(
        model, [target.tokens], passes=fitting_passes(name, LENGTH), replicates=4000, rng=11, context=given
    )[0]
    error = estimates.mean() - slow_nll(model, target)
    assert abs(error) < 4 * estimates.std() / math.sqrt(len(estimates)) + 1e-9
    plan = estimator(name).plan(target.length, fitting_passes(name, LENGTH), 3, np.random.default_rng(0))
    assert plan.length == 4

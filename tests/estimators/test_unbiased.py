"""Mask estimators are unbiased for every model: by enumeration where that is possible, else by simulation."""

import math

import numpy as np
import pytest

from estimators import IID, PointEstimator, UniformCount, estimator, estimator_names, make_targets
from tests.support.enumeration import estimand_by_mask, expected_weights, worst_z
from tests.support.toys import ArbitraryLosses, fitting_passes, slow_nll

LENGTH = 4


class MeanOverMasked(UniformCount):
    """A wrong weight, 1 instead of L/m: the mean of the losses instead of their sum."""

    def masks(self, points):
        masks, weights = super().masks(points)
        return masks, np.ones_like(weights)


# The biases of the others are tested in masked/published/.
UNBIASED = [name for name in estimator_names("masked") if estimator(name).unbiased]
# These do not fit the enumeration: threshold masks depend on the values of the keys, not just on their order;
# masks without replacement, which auto takes here, and published rates are enumerated elsewhere.
OTHERWISE = ("time-integral", "without-replacement", "published-radd", "published-smdm", "auto")
ENUMERATED = [name for name in UNBIASED if not name.startswith(OTHERWISE)]


@pytest.mark.parametrize("name", ENUMERATED)
def test_maths_unbiased_by_enumeration(name):
    """Stratified keys are enumerated over all combinations of strata, so with fewer passes and positions."""
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
    """32 pairs of mask and position: 4.5 standard errors are exceeded with probability 2e-4 over all; fixed seed."""
    assert worst_z(estimator(name), fitting_passes(name, LENGTH), estimand_by_mask(LENGTH)) < 4.5


@pytest.mark.parametrize("wrong", [PointEstimator(MeanOverMasked()), estimator("time-integral(eps=0.05)")], ids=str)
def test_maths_control_biased_estimators_fail_the_simulation(wrong):
    assert worst_z(wrong, 6, estimand_by_mask(LENGTH)) > 4.5


def test_maths_every_position_has_expected_weight_one():
    """E[sum_k W[k, i]] = 1, as the estimand implies: the estimate of a constant loss is unbiased."""
    for length in (1, 2, 5, 9):
        np.testing.assert_allclose(estimand_by_mask(length).sum(axis=0), 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == "regression" else name for name in UNBIASED]
)
def test_contract_inconsistent_conditionals_and_context(name):
    """The estimand is the mean over a random order, not the likelihood of one law; the context is never masked."""
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

"""Thousands of scored positions: the memory of a plan grows only with passes times positions."""

import tracemalloc

import numpy as np
import pytest

from estimators import PassesError, estimator, estimator_names

LENGTH, PASSES = 4096, 16
TOO_FEW = (
    "chain",
    "chain+antithetic",
    "exhaustive",
    "published-pll",
    "triangular",
    "triangular+latin-hypercube",
    "without-replacement",
)


@pytest.mark.parametrize("name", [name for name in estimator_names() if name not in TOO_FEW])
def test_making_a_plan_needs_little_more_memory_than_the_plan(name):
    """A plan keeps 9 or 16 bytes per pass and position; 16 * 9 are allowed. 4,096^2 bytes would be 28 * 9."""
    tracemalloc.start()
    plan = estimator(name).plan(LENGTH, PASSES, 1, np.random.default_rng(0))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 9 * PASSES * LENGTH
    assert plan.length == LENGTH
    assert np.isfinite(plan.weights).all()


@pytest.mark.parametrize("name", TOO_FEW)
def test_too_few_passes_are_reported_in_a_short_sentence(name):
    with pytest.raises(PassesError, match=str(LENGTH)) as error:
        estimator(name).plan(LENGTH, PASSES, 1, np.random.default_rng(0))
    assert len(str(error.value)) < 150

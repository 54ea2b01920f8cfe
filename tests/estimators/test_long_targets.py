"""Thousands of scored positions: plans grow with passes times positions and with nothing else."""

import tracemalloc

import numpy as np
import pytest

from estimators import PassesError, estimator, estimator_names

LENGTH, PASSES = 4096, 16


@pytest.mark.parametrize("name", estimator_names())
def test_a_plan_needs_no_memory_but_its_own(name):
    """A plan keeps 9 bytes a pass and position; 16 times that is allowed, and 4,096^2 bytes are 28 times it."""
    tracemalloc.start()
    try:
        plan = estimator(name).plan(LENGTH, PASSES, 1, np.random.default_rng(0))
    except PassesError as error:
        assert str(LENGTH) in str(error)  # noqa: PT017
        assert len(str(error)) < 150  # noqa: PT017
        return
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 16 * 9 * PASSES * LENGTH
    assert plan.length == LENGTH
    assert np.isfinite(plan.weights).all()

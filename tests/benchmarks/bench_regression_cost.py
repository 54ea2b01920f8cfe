"""Overhead of the regression estimator: time per estimate, from few short passes to many long ones."""

import numpy as np
import pytest

from estimators import estimator

REGRESSION = estimator("regression")


@pytest.mark.parametrize(("length", "passes"), [(4, 6), (16, 16), (32, 32), (64, 64), (64, 128), (64, 256), (1024, 16)])
def test_reducing_one_replicate(benchmark, length, passes):
    rng = np.random.default_rng(0)
    plan = REGRESSION.plan(length, passes, 1, rng)
    losses = plan.masks * rng.gamma(1.0, 1.0, plan.masks.shape)
    benchmark.pedantic(REGRESSION.reduce, (plan, losses), rounds=5, warmup_rounds=1)

"""Cost of planning 16 passes over 4,096 scored positions, against one forward pass of a small network."""

import numpy as np
import pytest
import torch

from estimators import PassesError, estimator, estimator_names

LENGTH, PASSES = 4096, 16


@pytest.mark.parametrize("name", [name for name in estimator_names() if not name.startswith("published")])
def test_planning_one_replicate(benchmark, name):
    one, rng = estimator(name), np.random.default_rng(0)
    try:
        one.plan(LENGTH, PASSES, 1, rng)
    except PassesError as error:
        pytest.skip(str(error))
    benchmark.pedantic(one.plan, (LENGTH, PASSES, 1, rng), rounds=5, warmup_rounds=1)


def test_for_comparison_a_forward_pass_of_a_small_network(benchmark):
    """One row of 4,096 positions through one layer of width 256 (0.8 million parameters)."""
    layer = torch.nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True).eval()
    row = torch.randn(1, LENGTH, 256, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        benchmark.pedantic(layer, (row,), rounds=3, warmup_rounds=1)

"""The fully masked pass of the cautions shares the batches of the draws; it is run only where their plan lacks it."""

import numpy as np
import pytest

import infodis_stats as ids
from tests.support.toys import ArbitraryLosses

LENGTH = 9
TOKENS = np.zeros((6, LENGTH), dtype=np.int64)
ASKED = {"estimator": "uniform-count", "passes": 4, "names": list("abcdef"), "batch_size": 8}


def shared(model, result, rounds=1):
    """Check that all batches but the last of a round are full, and that every row is counted."""
    assert sum(count < 8 for count in model.calls) <= rounds
    assert model.rows == result["forward_passes"].sum() == result.attrs["forward_passes"]


def test_full_masks_share_the_batches_of_the_draws():
    model, done = ArbitraryLosses(LENGTH, seed=1), []
    result = ids.estimate_nll(model, TOKENS, **ASKED, replicates=2, progress=done.append)
    shared(model, result)
    assert sum(done) == 6 * 4 * 2  # the further passes are no progress
    full = model.table[-1].sum().item()
    np.testing.assert_allclose(result["full_mask_ratio"], full / result["nll"])


@pytest.mark.parametrize("name", ["regression", "triangular"])
def test_plans_with_the_full_mask_get_none(name):
    model = ArbitraryLosses(LENGTH, seed=1)
    result = ids.estimate_nll(model, TOKENS[:1], name, passes=16, replicates=2)
    assert np.isfinite(result["full_mask_ratio"].item())
    assert model.rows == result["forward_passes"].item() <= 32


def test_of_two_models_each_runs_its_own():
    models = [ArbitraryLosses(LENGTH, seed=seed) for seed in (1, 2)]
    result = ids.estimate_model_log_ratio(*models, TOKENS, **ASKED, replicates=2)
    assert models[0].calls == models[1].calls
    assert models[0].rows + models[1].rows == result["forward_passes"].sum()
    assert sum(count < 8 for count in models[0].calls) == 1


def test_rounds_run_it_once():
    model = ArbitraryLosses(LENGTH, seed=1)
    result = ids.estimate_nll(model, TOKENS, **ASKED, precision=1.0, interval="student-t")
    rounds = len({8, *result["replicates"].values.tolist()})
    assert rounds > 2
    shared(model, result, rounds)

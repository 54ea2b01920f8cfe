"""Log ratios of two models: exact values, shared masks, and one estimator for both."""

import json

import numpy as np
import pytest
import torch

import infodis_stats as ids
from tests.support.stat_asserts import assert_unbiased
from tests.support.toys import ArbitraryLosses, slow_nll

POLICY, REFERENCE = (ids.MarkovChain.random(order=1, alphabet="ACGT", seed=seed) for seed in (0, 1))
TOKENS = POLICY.sample(3, length=8, seed=2)
TRUTH = REFERENCE.nll(TOKENS) - POLICY.nll(TOKENS)


class Humble:
    """A law without its guarantee that the conditionals are consistent; it records its masks."""

    def __init__(self, law):
        self.law, self.masks = law, []

    def token_nll(self, tokens, masked):
        self.masks.append(masked.clone())
        return self.law.token_nll(tokens, masked)


def test_two_laws_give_the_exact_difference():
    result = ids.estimate_model_log_ratio(POLICY, REFERENCE, TOKENS, passes=8, replicates=3, names=["a", "b", "c"])
    np.testing.assert_allclose(result["log_ratio"], TRUTH, atol=1e-12)
    np.testing.assert_allclose(result["exact"], TRUTH, atol=1e-12)
    assert result["sequence"].values.tolist() == ["a", "b", "c"]
    assert result["estimator"].values.tolist() == ["chain"] * 3
    assert POLICY.fingerprint() in result.attrs["model"]
    assert REFERENCE.fingerprint() in result.attrs["second_model"]


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("estimator", ["uniform-count", pytest.param("regression", marks=pytest.mark.slow)])
def test_inconsistent_models_are_unbiased_against_enumeration(coupled, estimator):
    first, second = ArbitraryLosses(5, seed=1), ArbitraryLosses(5, seed=2)
    target, *_ = ids.make_targets([[0, 1, 2, 3, 4]])
    result = ids.estimate_model_log_ratio(
        first, second, target.tokens[None], estimator, coupled=coupled, passes=8, replicates=300
    )
    truth = slow_nll(second, target) - slow_nll(first, target)
    assert_unbiased(result["log_ratio_replicate"].values, [truth])
    with pytest.raises(AssertionError):  # control: the other sign
        assert_unbiased(result["log_ratio_replicate"].values, [-truth])


def test_models_share_masks_only_if_coupled():
    for coupled in (True, False):
        one, two = Humble(POLICY), Humble(REFERENCE)
        result = ids.estimate_model_log_ratio(one, two, TOKENS, "uniform-count", coupled=coupled, passes=4)
        same = [torch.cat(model.masks).tolist() for model in (one, two)]
        assert (same[0] == same[1]) is coupled
        assert result["forward_passes"].sum() == sum(len(rows) for rows in same)


def test_auto_takes_one_estimator_for_both_models():
    """A chain is exact under the law, but the other model has no such guarantee and decides, in either order."""
    for models in ((POLICY, Humble(REFERENCE)), (Humble(POLICY), REFERENCE)):
        result = ids.estimate_model_log_ratio(*models, TOKENS, passes=8, replicates=4)
        assert result["estimator"].values.tolist() == ["regression"] * 3
        assert json.loads(result.attrs["choices"]).keys() == {"regression"}
        assert result.attrs["estimator"] == "coupled auto"
        assert "exact" not in result


def test_coupling_reduces_the_variance_for_similar_models():
    near = ids.MarkovChain(POLICY.initial, 0.9 * POLICY.transition + 0.1 * REFERENCE.transition, "ACGT")
    arguments = {"estimator": "uniform-count", "passes": 8, "replicates": 256}
    coupled = ids.estimate_model_log_ratio(POLICY, near, TOKENS, **arguments)
    apart = ids.estimate_model_log_ratio(POLICY, near, TOKENS, coupled=False, **arguments)
    assert (coupled["correlation"] > 0.9).all()
    # Independent sides: |correlation| of 256 replicates exceeds 4 / sqrt(256) with probability 1e-4.
    assert (np.abs(apart["correlation"]) < 0.25).all()
    # The log ratio of two variances of 256 normal replicates has an sd of 0.13; terms here are more skewed.
    gain = (apart["log_ratio_se"] / coupled["log_ratio_se"]) ** 2
    np.testing.assert_allclose(np.log(gain), np.log(coupled["coupling_gain"]), atol=0.6)


def test_a_model_against_itself_is_zero_and_open():
    result = ids.estimate_model_log_ratio(Humble(POLICY), Humble(POLICY), TOKENS, "uniform-count", passes=4)
    np.testing.assert_array_equal(result["log_ratio_replicate"], 0)
    assert ids.summary(result).to_dataframe()["likelier"].tolist() == ["open"] * 3


def test_numbers_depend_only_on_the_sequence():
    arguments = {"estimator": "time-free", "passes": 8, "replicates": 4, "seed": 7, "context": 2}
    whole = ids.estimate_model_log_ratio(POLICY, REFERENCE, TOKENS, **arguments)
    part = ids.estimate_model_log_ratio(POLICY, REFERENCE, TOKENS[:0:-1], batch_size=3, **arguments)
    np.testing.assert_array_equal(part["log_ratio_replicate"], whole["log_ratio_replicate"][:0:-1])
    given = REFERENCE.nll(TOKENS, context=2) - POLICY.nll(TOKENS, context=2)
    np.testing.assert_allclose(whole["exact"], given, atol=1e-12)


def test_bad_input_names_the_model():
    small = ids.MarkovChain.random(order=1, alphabet="AB", seed=0)
    with pytest.raises(ids.InputError, match=r"sequence 0 under the second model, position \d+: token"):
        ids.estimate_model_log_ratio(POLICY, small, [[0, 1, 3, 2]])
    with pytest.raises(ids.InputError, match="at least 2 replicates"):
        ids.estimate_model_log_ratio(POLICY, REFERENCE, TOKENS, replicates=1, interval="student-t")


def test_models_with_other_alphabets_are_refused():
    laws = [ids.MarkovChain.random(order=1, alphabet=alphabet, seed=0) for alphabet in ("ACGT", "ACTG", "ACGTN")]
    tokens = np.array([[0, 1, 2, 3]])
    with pytest.raises(ids.InputError, match="token 2 is 'G' under the first model and 'T' under the second"):
        ids.estimate_model_log_ratio(laws[0], laws[1], tokens, passes=4)
    austen, other = ids.load_model("austen"), ids.MarkovChain.random(order=1, alphabet="zyxw", seed=0)
    with pytest.raises(ids.InputError, match=r"token 0 is .* under the first model and 'z' under the second"):
        ids.estimate_model_log_ratio(austen, other, tokens, passes=4)
    for second in (laws[2], Humble(laws[0])):  # the same symbols, and none that are known
        assert np.isfinite(ids.estimate_model_log_ratio(laws[0], second, tokens, passes=4)["log_ratio"]).all()

"""`sampler_nll`: names of estimands, variables, cautions and failures."""

import itertools
import json

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.io.store import netcdf
from tests.support.toys import ArbitraryDistributions, ArbitraryLosses

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)


@pytest.mark.parametrize("rule", ["confidence", "entropy", "margin", "left-to-right", "right-to-left"])
def test_every_rule_gives_the_likelihood_of_a_law(rule):
    tokens = LAW.sample(4, length=7, seed=1)
    result = ids.sampler_nll(LAW, tokens, rule, context=2, names=["a", "b", "c", "d"])
    np.testing.assert_allclose(result["nll"], LAW.nll(tokens, context=2), rtol=0, atol=1e-12)
    assert result["nll"].attrs["units"] == "nat"
    assert result["length"].values.tolist() == result["forward_passes"].values.tolist() == [5] * 4
    assert result["sequence"].values.tolist() == ["a", "b", "c", "d"]
    assert result.attrs["forward_passes"] == 20
    assert "failed" not in result


def test_the_result_names_its_estimand():
    tokens = LAW.sample(1, length=6, seed=1)
    for arguments, estimand in (
        ({}, "sampler(confidence)"),
        ({"rule": "entropy", "tokens_per_step": 4, "block": 3}, "sampler(entropy, tokens_per_step=4, block=3)"),
        ({"rule": "left-to-right"}, "left-to-right"),
        ({"rule": "left-to-right", "block": 2}, "left-to-right"),  # blocks change nothing
        ({"rule": "left-to-right", "tokens_per_step": 2, "block": 3}, "left-to-right(tokens_per_step=2, block=3)"),
        ({"rule": np.arange(6)[::-1]}, "order(6d4802b4bea5)"),
    ):
        result = ids.sampler_nll(LAW, tokens, **arguments)
        assert result.estimand == estimand
        netcdf(result)  # can be stored
    assert json.loads(result.attrs["order"]) == [5, 4, 3, 2, 1, 0]
    blocks = ids.sampler_nll(ArbitraryDistributions(4, block_size=2), tokens)
    assert (blocks.estimand, blocks.attrs["block"], blocks.attrs["block_size"]) == (
        "sampler(confidence, block=2)",
        2,
        2,
    )


def test_an_order_is_the_chain_rule_in_that_order():
    model, tokens = ArbitraryDistributions(3), np.array([[0, 2, 1, 1]])
    expected, masked = 0.0, torch.ones(1, 4, dtype=torch.bool)
    for place in (2, 0, 3, 1):
        expected += float(model.token_nll(torch.from_numpy(tokens), masked)[0, place])
        masked[0, place] = False
    for order in ([2, 0, 3, 1], np.array([2, 0, 3, 1]), (2, 0, 3, 1)):
        assert float(ids.sampler_nll(model, tokens, order)["nll"][0]) == pytest.approx(expected, abs=1e-12)


def test_on_an_inconsistent_model_no_two_estimands_are_the_same():
    model = ArbitraryDistributions(3, seed=5)
    tokens = np.array(list(itertools.product(range(3), repeat=4)))
    rules = ("confidence", "entropy", "margin", "left-to-right", "right-to-left")
    nlls = [ids.sampler_nll(model, tokens, rule)["nll"].values for rule in rules]
    any_order = ids.estimate_nll(model, tokens, "exhaustive", passes=15, replicates=1)["nll"].values
    for first, second in itertools.combinations([*nlls, any_order], 2):
        assert np.abs(first - second).max() > 0.1
    assert np.exp(-any_order).sum() < 1.0  # an upper bound of a likelihood; decoders have likelihoods
    np.testing.assert_allclose([np.exp(-nll).sum() for nll in nlls], 1.0, rtol=0, atol=1e-10)


class Near:
    """Two positions whose confidences differ by 1e-4 and as much rounding as is asked for."""

    def __init__(self, rounding):
        self.offset = 1e-4 + rounding

    def token_log_probs(self, tokens, masked):
        first = torch.tensor([0.6, 0.6 * np.exp(self.offset), 0.3], dtype=torch.float64)[masked[0].nonzero()[:, 0]]
        return torch.stack([first, 1 - first], dim=1).log()


def test_a_choice_within_rounding_has_a_caution():
    near, far = (ids.sampler_nll(Near(rounding), [[0, 1, 1]]) for rounding in (4e-6, 1e-2))
    assert float(near["closest_choice"][0]) == pytest.approx(4e-6, rel=1e-3)
    assert near["cautions"].sel(caution="close-choice").values.tolist() == [True]
    assert float(far["closest_choice"][0]) > 1e-3
    assert not far["cautions"].any()
    assert ids.sampler_nll(Near(1e-2), [[0, 1, 1]], "margin")["closest_choice"].attrs["units"] == "1"
    assert "closest_choice" not in ids.sampler_nll(LAW, LAW.sample(1, length=3, seed=0), "left-to-right")


def test_half_precision_needs_larger_distances():
    rows = [ids.load_model("austen").encode("a fine day")]
    model = ids.load_model("austen")
    for accelerated, cautious in ((model, False), (ids.accelerated(model, autocast=torch.bfloat16), True)):
        result = ids.sampler_nll(accelerated, rows)
        assert 2e-5 < float(result["closest_choice"][0]) < 0.1
        assert result["cautions"].any() == cautious


def test_sequences_of_probability_0_fail_alone():
    law = ids.CodeLaw(length=4, group=4)
    for rule in ("confidence", "left-to-right"):
        result = ids.sampler_nll(law, law.encode(["ABBB", "ABBA"]), rule)
        assert result["nll"].isnull().values.tolist() == [True, False]
        first, second = result["failed"].values.tolist()
        assert "the model gives this token probability 0" in first
        assert second == ""
        with pytest.raises(ids.ModelError, match=r"sequence 0, position . .*probability 0"):
            ids.sampler_nll(law, law.encode(["ABBB"]), rule)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ids.sampler_nll(ArbitraryLosses(3), [[0, 1, 0]]), "has no method token_log_probs"),
        (lambda: ids.sampler_nll(ids.load_model("austen-uniform"), [[0, 1]]), "has no method token_log_probs"),
        (lambda: ids.sampler_nll(Near(0.1), [[0, 1, 1]], "left-to-right"), "left-to-right needs token_nll"),
        (lambda: ids.sampler_nll(LAW, [[0, 1]], 3), "rule must be one of confidence.* got int"),
        (lambda: ids.sampler_nll(LAW, [[0, 1]], "random"), "rule must be one of confidence.* got 'random'"),
        (lambda: ids.sampler_nll(LAW, [[0, 1]], [[0, 1]]), "one-dimensional array of integers"),
        (lambda: ids.sampler_nll(LAW, [[0, 1]], block=0), "block must be a positive integer, got 0"),
        (lambda: ids.sampler_nll(LAW, [[0, 1]], batch_size=0), "batch_size must be a positive integer"),
        (lambda: ids.sampler_nll(LAW, [[0, 1]], device="moon"), "the device 'moon' is not available here"),
        (lambda: ids.sampler_nll(LAW, [[0, 1]], context=2), "all 2 tokens are context"),
        (lambda: ids.sampler_nll(LAW, [[0, 7]]), "sequence 0, position 1: token 7"),
    ],
)
def test_each_mistake_is_one_sentence(call, words):
    with pytest.raises(ids.InputError, match=words) as raised:
        call()
    assert len(str(raised.value).splitlines()) == 1


def test_no_sequence_is_lost_between_calls_of_many_lengths():
    rows = [LAW.sample(1, length=length, seed=length)[0] for length in (1, 12, 3, 12, 7, 2)]
    result = ids.sampler_nll(LAW, rows, block=4, batch_size=2)
    np.testing.assert_allclose(result["nll"], [LAW.nll(row[None])[0] for row in rows], rtol=0, atol=1e-12)
    assert np.isposinf(result["closest_choice"].values[0])  # one position leaves no choice

"""The two main calls, `estimate_nll` and `estimate_log_ratio`: numbers, labels and errors."""

import json

import numpy as np
import pytest
from scipy import stats

import infodis_stats as ids
from infodis_stats.results.validity import caution_sentences
from tests.support.stat_asserts import assert_rate

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(3, length=8, seed=1)


def test_estimates_summarise_the_replicates():
    result = ids.estimate_nll(LAW, TOKENS, "time-free", passes=8, replicates=5, seed=2, level=0.9, interval="student-t")
    draws = ids.estimator("time-free").sample(LAW, TOKENS, passes=8, replicates=5, rng=2)
    np.testing.assert_array_equal(result["nll_replicate"], draws)
    np.testing.assert_allclose(result["nll"], draws.mean(axis=1))
    np.testing.assert_allclose(result["nll_se"], stats.sem(draws, axis=1))
    expected = stats.t.interval(0.9, 4, draws.mean(axis=1), stats.sem(draws, axis=1))
    np.testing.assert_allclose(result["nll_ci"].transpose("ci_bound", ...), expected)
    assert result["nll_ci"]["ci_bound"].values.tolist() == ["lower", "upper"]


def test_everything_is_labelled():
    result = ids.estimate_nll(LAW, TOKENS, "exhaustive", passes=255, replicates=2, names=["a", "b", "c"])
    assert result["nll"].sel(sequence="b").item() == pytest.approx(LAW.nll(TOKENS)[1], abs=1e-12)
    for name in result.data_vars:
        assert result[name].attrs["units"] in ("nat", "1")
        assert result[name].attrs["long_name"]
    assert result.attrs["forward_passes"] == 3 * 255 == int(result["forward_passes"].sum())
    assert result.attrs["estimator"] == "exhaustive"
    assert result.attrs["choices"] == "{}"
    assert result["estimator"].values.tolist() == ["exhaustive"] * 3
    assert LAW.fingerprint() in result.attrs["model"]
    assert set(json.loads(result.attrs["versions"])) >= {"torch", "numpy", "infodis-stats"}


class Inconsistent:
    """The law without its guarantee that the conditionals are consistent."""

    token_nll = staticmethod(LAW.token_nll)


def test_auto_reports_its_choice_and_the_reason():
    rows = [TOKENS[0], TOKENS[1][:3], TOKENS[2]]
    result = ids.estimate_nll(Inconsistent(), rows, passes=8, replicates=4)
    assert result.attrs["estimator"] == "auto"
    assert result["estimator"].values.tolist() == ["regression", "exhaustive", "regression"]
    choices = json.loads(result.attrs["choices"])
    assert set(choices) == set(result["estimator"].values.tolist())
    assert "exact" in choices["exhaustive"]
    # Random streams derive from the name of the chosen estimator.
    chosen = ids.estimate_nll(Inconsistent(), rows[:1], "regression", passes=8, replicates=4)
    np.testing.assert_array_equal(chosen["nll_replicate"][0], result["nll_replicate"][0])


def test_auto_depends_on_whether_the_conditionals_are_consistent():
    result = ids.estimate_nll(LAW, TOKENS, passes=8, replicates=4)
    assert json.loads(result.attrs["choices"]).keys() == {"chain"}
    np.testing.assert_allclose(result["nll"], LAW.nll(TOKENS), atol=1e-12)
    ratio = ids.estimate_log_ratio(Inconsistent(), TOKENS, TOKENS[:, :5], passes=8, replicates=4)
    assert ratio.attrs["estimator"] == "coupled auto"
    assert ratio["estimator"].values.tolist() == ["regression"] * 3  # of the longer side


def test_a_number_depends_only_on_its_target():
    arguments = {"passes": 8, "replicates": 4, "seed": 7}
    whole = ids.estimate_nll(LAW, TOKENS, **arguments)
    np.testing.assert_array_equal(ids.estimate_nll(LAW, TOKENS, batch_size=3, **arguments)["nll"], whole["nll"])
    np.testing.assert_array_equal(ids.estimate_nll(LAW, TOKENS[::-1], **arguments)["nll"], whole["nll"][::-1])
    np.testing.assert_array_equal(ids.estimate_nll(LAW, TOKENS[1:2], **arguments)["nll"], whole["nll"][1:2])


def test_context_is_given_and_not_scored():
    scattered = np.zeros_like(TOKENS, dtype=bool)
    scattered[:, [0, 3, 6]] = True
    for context, length in ((3, 5), (scattered, 5)):
        result = ids.estimate_nll(LAW, TOKENS, "exhaustive", passes=31, replicates=2, context=context)
        np.testing.assert_allclose(result["nll"], LAW.nll(TOKENS, context=context), atol=1e-12)
        assert result["length"].values.tolist() == [length] * 3


def test_cautions_are_reported():
    assert caution_sentences(ids.estimate_nll(LAW, TOKENS, "uniform-count")) == {}
    heavy = ids.estimate_nll(LAW, TOKENS, "time-integral", replicates=3, interval="student-t")
    assert list(caution_sentences(heavy)) == ["infinite-variance", "few-replicates"]
    assert heavy["cautions"].dims == ("sequence", "caution")
    assert heavy["cautions"].sel(caution="infinite-variance").values.all()


def test_cautions_are_set_only_for_their_items():
    """Only the second sequence has a hard token: its first symbol determines the other five."""
    name = "uniform-count+latin-hypercube"
    law = ids.MarkovChain([0.5, 0.5], [[0.5, 0.5], [1e-6, 1 - 1e-6]], "AB")
    tokens = law.encode(["AAAAAA", "BBBBBB"])
    result = ids.estimate_nll(law, tokens, name, passes=32)
    assert result["cautions"].sel(caution="few-hard-tokens").values.tolist() == [False, True]
    (alone,) = ids.estimate_nll(law, tokens[:1], name, passes=32)["cautions"].values
    np.testing.assert_array_equal(alone, result["cautions"].values[0])
    verdict = next(one for one in ids.diagnose(result).verdicts if one.check == "few-hard-tokens")
    assert verdict.items == (1,)
    assert verdict.measured == "1 of 2 rows: 1"


def test_ratios_have_the_sign_of_first_over_second():
    first, second = TOKENS, LAW.sample(3, length=5, seed=9)
    truth = LAW.nll(second) - LAW.nll(first)
    exact = ids.estimate_log_ratio(LAW, first, second, "exhaustive", passes=255, replicates=2)
    np.testing.assert_allclose(exact["log_ratio"], truth, atol=1e-12)
    assert exact["log_ratio"].dims == ("pair",)
    result = ids.estimate_log_ratio(LAW, first, second, "uniform-count", passes=64, replicates=16, level=0.999)
    lower, upper = result["log_ratio_ci"].values.T
    assert ((lower < truth) & (truth < upper)).all()


def test_coupling_is_reported_and_helps_for_near_copies():
    edited = TOKENS.copy()
    edited[:, 4] = (edited[:, 4] + 1) % 4
    coupled = ids.estimate_log_ratio(LAW, TOKENS, edited, "uniform-count", replicates=256)
    apart = ids.estimate_log_ratio(LAW, TOKENS, edited, "uniform-count", replicates=256, coupled=False)
    assert (coupled["coupling_gain"] > 1.2).all()
    assert (coupled["correlation"] > 0.2).all()
    # Independent sides: |correlation| of 256 replicates exceeds 4 / sqrt(256) with probability 1e-4.
    assert (np.abs(apart["correlation"]) < 0.25).all()
    # The log ratio of two variances of 256 normal replicates has an sd of 0.13.
    gain = (apart["log_ratio_se"] / coupled["log_ratio_se"]) ** 2
    np.testing.assert_allclose(np.log(gain), np.log(coupled["coupling_gain"]), atol=0.6)


def covers(law, tokens, replicates, **arguments):
    result = ids.estimate_nll(law, tokens, "uniform-count+stratified", replicates=replicates, **arguments)
    lower, upper = result["nll_ci"].values.T
    truth = law.nll(tokens)
    return int(((lower <= truth) & (truth <= upper)).sum())


@pytest.mark.slow
def test_intervals_have_nominal_coverage_on_a_held_out_law():
    law = ids.MarkovChain.random(order=2, alphabet="ABC", seed=77)
    tokens = law.sample(1500, length=10, seed=78)
    assert_rate(covers(law, tokens, 8, passes=8), len(tokens), 0.95)


@pytest.mark.slow
def test_control_intervals_at_a_lower_level_fail_the_same_check():
    law = ids.MarkovChain.random(order=2, alphabet="ABC", seed=77)
    tokens = law.sample(1500, length=10, seed=78)
    with pytest.raises(AssertionError):
        assert_rate(covers(law, tokens, 8, passes=8, level=0.9), len(tokens), 0.95)


class Nothing:
    def token_nll(self, tokens, masked):
        return masked * float("nan")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"replicates": 1, "interval": "student-t"}, "a student-t interval needs at least 2 replicates, got 1"),
        ({"passes": 0}, "passes must be a positive integer"),
        ({"level": 95}, "between 0 and 1, got 95"),
        ({"estimator": "chian"}, "there is no estimator 'chian'"),
        ({"estimator": 3}, "estimator must be an Estimator or its name, got int"),
        ({"context": 8}, "sequence 0: all 8 tokens are context"),
        ({"tokens": [[0, 1, 4]]}, r"sequence 0, position 2: token 4 is outside the alphabet ACGT \(0 to 3\)"),
        ({"tokens": []}, "no sequence"),
        ({"model": Nothing()}, "sequence 0, position .*NaN"),
        ({"names": ["a"]}, "1 names for 3 sequences"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    with pytest.raises(ids.InfodisError, match=sentence) as caught:
        ids.estimate_nll(**({"model": LAW, "tokens": TOKENS} | arguments))
    assert "\n" not in str(caught.value)


def test_bad_ratios_are_one_sentence():
    with pytest.raises(ids.InputError, match="at least 2 replicates"):
        ids.estimate_log_ratio(LAW, TOKENS, TOKENS, passes=8, replicates=1)
    with pytest.raises(ids.InputError, match="got 3 and 2"):
        ids.estimate_log_ratio(LAW, TOKENS, TOKENS[:2])


def test_ratios_of_different_contexts_need_a_second_context():
    first, second = LAW.encode(["ACGT"]), LAW.encode(["CCGA"])
    with pytest.raises(ids.InputError, match=r"pair 0: its sides are given different tokens; .* pass second_context"):
        ids.estimate_log_ratio(LAW, first, second, context=2)
    asked = ids.estimate_log_ratio(LAW, first, second, context=2, second_context=2)
    np.testing.assert_allclose(asked["log_ratio"], LAW.nll(second, context=2) - LAW.nll(first, context=2), atol=1e-12)
    # One context may apply to sides of different length.
    ids.estimate_log_ratio(LAW, first, first[:, :3], context=2)


def test_ratios_have_intervals_at_their_level_and_cautions_of_their_worse_side():
    first, second = TOKENS, LAW.sample(3, length=8, seed=9)
    result = ids.estimate_log_ratio(
        LAW, first, second, "time-free", passes=8, replicates=5, seed=2, level=0.7, interval="student-t"
    )
    draws = ids.Coupled(ids.estimator("time-free")).sample(LAW, first, second, passes=8, replicates=5, rng=2)
    expected = stats.t.interval(0.7, 4, draws.mean(axis=1), stats.sem(draws, axis=1))
    np.testing.assert_allclose(result["log_ratio_ci"].transpose("ci_bound", ...), expected)
    law = ids.TableLaw(["AAAAAA", "CAAAAA", "GCGCGC"], [0.98, 0.01, 0.01], "ACG")
    hard, even = law.encode(["CAAAAA"]), law.encode(["GCGCGC"])
    for one, two in ((hard, even), (even, hard)):
        keys = caution_sentences(ids.estimate_log_ratio(law, one, two, "uniform-count+latin-hypercube", passes=4))
        assert {"few-hard-tokens", "near-deterministic"} <= keys.keys()
    keys = caution_sentences(ids.estimate_log_ratio(law, even, even, "uniform-count+latin-hypercube", passes=4))
    assert "few-hard-tokens" not in keys
    assert "near-deterministic" in keys
    # The fully masked pass is part of each replicate of a chain.
    assert "near-deterministic" not in caution_sentences(ids.estimate_log_ratio(law, even, hard, "chain", passes=6))

"""Extreme numbers: results are correct, or a typed error says in one sentence what is wrong. Warnings are errors."""

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import (
    InfodisError,
    InputError,
    ModelError,
    PassesError,
    RateMatrix,
    ScoreEntropy,
    estimator,
    estimator_names,
)
from estimators.registry import estimator as by_name
from infodis_stats.results.validity import caution_sentences
from tests.support.stat_asserts import assert_unbiased
from tests.support.toys import ArbitraryLosses

RARE = np.exp(-25.0)
NAMES = estimator_names()
MASKED = [name for name in NAMES if "score-entropy" not in name]
NOISED = [name for name in NAMES if "score-entropy" in name]
FAST = {
    "auto",
    "time-integral+stratified",
    "time-free",
    "uniform-count+sobol",
    "systematic",
    "chain",
    "block-chain+antithetic",
    "triangular",
    "without-replacement",
    "regression",
    "exhaustive",
    "published-radd",
    "published-infodis",
    "score-entropy(absorbing)",
    "score-entropy(uniform,polynomial)+antithetic",
    "marginal-score-entropy(uniform,polynomial)+stratified",
}


def each(names):
    """Mark as slow all but one estimator of each mechanism."""
    return [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in names]


NEEDS_TWO = ["published-infodis", "published-infodis-text8", "published-gdpo"]
ZERO_AT_ONE = [name for name in NAMES if name != "published-spg"]  # the logarithm of a noisy mean is not 0
SIZES_ALONE = ["auto", "uniform-count", "uniform-count+stratified", "chain", "block-chain", "regression", "systematic"]


def independent(first):
    """Return a chain and a hidden chain of independent symbols A and C; A has this probability."""
    law = [first, 1 - first]
    return [
        ids.MarkovChain(law, [law, law], "AC"),
        ids.HiddenMarkov([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [law, law], "AC"),
    ]


ONE_SYMBOL = [
    ids.TableLaw(["AAAA"], [1.0]),
    ids.MarkovChain([1.0], [[1.0]], "A"),
    ids.HiddenMarkov([0.5, 0.5], np.full((2, 2), 0.5), [[1.0], [1.0]], "A"),
    ids.CodeLaw(4, 2, "checksum", "A"),
]
SURE = [
    ids.TableLaw(["ACAC", "CACA"], [1.0, 0.0]),
    ids.MarkovChain([1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]], "AC"),
    ids.HiddenMarkov([1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]], np.eye(2), "AC"),
    ids.IndependentLaw([[1.0, 0.0], [0.0, 1.0]] * 2, "AC"),
]
SINGLE = [
    ids.TableLaw(["A", "C", "G"], [0.5, 0.25, 0.25]),
    ids.MarkovChain([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], "AC"),
    ids.HiddenMarkov.random(seed=0),
]


def kind(law):
    return law.name


def silent_nans(result):
    """Return variables with non-finite values, except degrees: they are infinite if an error is known exactly."""
    return [
        name
        for name, values in result.data_vars.items()
        if values.dtype.kind == "f" and name != "degrees" and not np.isfinite(values).all()
    ]


def estimate(law, strings, name, **options):
    """Estimate, and check that nothing fails silently."""
    options = {"passes": 16, "replicates": 4} | options
    result = ids.estimate_nll(law, law.encode(strings), name, **options)
    ratio = {"full_mask_ratio"} if name in NOISED or result["nll"].max() < 1e-9 else set()
    assert not set(silent_nans(result)) - ratio
    assert str(ids.summary(result))
    return result


class TestProbabilityOne:
    @pytest.mark.parametrize("name", each(ZERO_AT_ONE))
    @pytest.mark.parametrize("law", ONE_SYMBOL + SURE, ids=kind)
    def test_maths_certain_sequences_have_zero_nll(self, law, name):
        result = estimate(law, ["ACAC" if "C" in law.alphabet else "AAAA"], name)
        np.testing.assert_allclose(result["nll"], 0, atol=1e-12)
        np.testing.assert_allclose(result["nll_ci"], 0, atol=1e-12)

    @pytest.mark.parametrize("law", ONE_SYMBOL + SURE, ids=kind)
    def test_results_derived_from_them_are_finite(self, law):
        rows = ["ACAC" if "C" in law.alphabet else "AAAA"] * 3
        result = estimate(law, rows, "uniform-count")
        averaged = ids.average(result, "population")
        assert averaged["nll"] == 0
        assert averaged["perplexity"] == 1
        ratios = ids.estimate_log_ratio(law, law.encode(rows), law.encode(rows), "uniform-count")
        assert ids.decide(ratios)["likelier"].values.tolist() == ["open"] * 3
        ranked = ids.rank_candidates(law, law.encode(rows), "uniform-count", most_passes=256)
        assert ranked["status"].values.tolist() == ["open"] * 3
        for one in (result, ratios):
            assert ids.diagnose(one).verdict == "caution"  # points from estimators that sample
        sizes = ids.estimate_sizes(law, law.encode(rows), "uniform-count", bins=2)
        assert not sizes["size_nll"].any()

    def test_a_rate_matrix_needs_two_states(self):
        with pytest.raises(InputError, match="2"):
            RateMatrix([[0.0]])


class TestProbabilityZero:
    @pytest.mark.parametrize("name", each(ZERO_AT_ONE))
    @pytest.mark.parametrize("law", SURE, ids=kind)
    def test_impossible_sequences_are_named_and_others_correct(self, law, name):
        result = ids.estimate_nll(law, law.encode(["ACAC", "AACC"]), name, replicates=4)
        np.testing.assert_allclose(result["nll"].values, [0, np.nan], atol=1e-12)
        assert result["failed"][0] == ""
        assert "probability 0" in str(result["failed"][1].item()) or "infinite" in str(result["failed"][1].item())

    @pytest.mark.parametrize("name", each(NAMES))
    def test_a_single_impossible_sequence_is_one_sentence(self, name):
        law = ids.TableLaw(["ACGT", "CAGT"], [0.5, 0.5])
        with pytest.raises(ModelError, match=r"^sequence 'odd', .*(probability 0|infinite score entropy)") as raised:
            ids.estimate_nll(law, law.encode(["CCGT"]), name, names=["odd"])
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("name", each(NAMES))
    def test_an_impossible_context_is_reported(self, name):
        law = ids.TableLaw(["ACGT", "CAGT"], [0.5, 0.5])
        with pytest.raises(InfodisError, match=r"^sequence 0"):
            ids.estimate_nll(law, law.encode(["CCGT"]), name, context=2, passes=16)

    @pytest.mark.parametrize("name", ["auto", "uniform-count", "score-entropy(uniform,polynomial)"])
    @pytest.mark.parametrize("impossible", ["first", "second"])
    def test_an_impossible_side_of_a_ratio_is_reported(self, name, impossible):
        law = ids.TableLaw(["ACGT", "CAGT"], [0.5, 0.5])
        fine, wrong = law.encode(["ACGT", "CAGT"]), law.encode(["ACGT", "CCGT"])
        sides = (wrong, fine) if impossible == "first" else (fine, wrong)
        result = ids.estimate_log_ratio(law, *sides, name)
        assert np.isfinite(result["log_ratio"].values).tolist() == [True, False]
        assert result["failed"].values[0] == ""
        assert result["failed"].values[1]

    def test_an_impossible_candidate_is_reported(self):
        law = ids.TableLaw(["ACGT", "CAGT"], [0.5, 0.5])
        for name in ("uniform-count", "score-entropy(uniform,polynomial)"):
            with pytest.raises(ModelError, match="candidate 1"):
                ids.rank_candidates(law, law.encode(["ACGT", "CCGT"]), name, most_passes=256)

    def test_control_possible_sequences_are_accepted(self):
        law = ids.TableLaw(["ACGT", "CAGT"], [RARE, 1 - RARE])
        assert "failed" not in ids.estimate_nll(law, law.encode(["ACGT"]), "uniform-count")


class TestLengthOne:
    @pytest.mark.parametrize("name", each(NAMES))
    @pytest.mark.parametrize("law", SINGLE, ids=kind)
    def test_one_position_is_correct(self, law, name):
        if name in NEEDS_TWO:
            with pytest.raises(PassesError, match="at least 2 scored positions"):
                estimate(law, ["A", "C"], name)
            return
        result = estimate(law, ["A", "C"], name)
        if name in SIZES_ALONE:  # the only position is masked in every pass
            np.testing.assert_allclose(result["nll"], result["exact"], rtol=1e-12)

    @pytest.mark.parametrize("name", each(name for name in NOISED if by_name(name).steady))
    @pytest.mark.parametrize("law", SINGLE, ids=kind)
    def test_maths_one_position_under_noise(self, law, name):
        result = estimate(law, ["A"], name, passes=32, replicates=400)
        assert_unbiased(result["nll_replicate"].values[0], result["exact"].values[0])

    @pytest.mark.parametrize("name", each(NAMES))
    def test_a_context_of_all_but_one_position(self, name):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
        if name in NEEDS_TWO:
            with pytest.raises(PassesError, match="at least 2 scored positions"):
                estimate(law, ["ACGT"], name, context=3)
            return
        result = estimate(law, ["ACGT", "CCGT"], name, context=3)
        # One position given the same neighbour: the law is the same, whatever comes before.
        np.testing.assert_allclose(*result["exact"].values, rtol=1e-12)
        if name in SIZES_ALONE:
            np.testing.assert_allclose(result["nll"], result["exact"], rtol=1e-12)

    def test_a_context_of_all_positions_is_rejected(self):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
        with pytest.raises(InputError, match="nothing is left to score"):
            ids.estimate_nll(law, law.encode(["ACGT"]), context=4)


class TestFarFromZero:
    @pytest.mark.parametrize("name", each(name for name in MASKED if "published" not in name))
    @pytest.mark.parametrize("law", independent(RARE), ids=kind)
    def test_maths_rare_independent_symbols(self, law, name):
        # Every masked token costs 25 nats under any mask.
        passes = 4095 if name == "exhaustive" else 32
        result = estimate(law, ["A" * 12], name, passes=passes, replicates=2)
        np.testing.assert_allclose(result["exact"], 300, rtol=1e-9)
        if result["nll_se"][0] < 1e-9:
            np.testing.assert_allclose(result["nll"], 300, rtol=1e-9)
        elif by_name(name).finite_variance:
            assert (
                abs(result["nll"][0] - 300) < 12 * result["nll_se"][0]
            )  # two replicates: t with one degree of freedom

    @pytest.mark.slow
    @pytest.mark.parametrize("law", independent(RARE), ids=kind)
    @pytest.mark.parametrize("name", ["uniform-count+stratified", "block-chain", "score-entropy(absorbing)+stratified"])
    def test_maths_a_log_likelihood_of_minus_1e5(self, law, name):
        result = estimate(law, ["A" * 4096], name, passes=4, replicates=2)
        np.testing.assert_allclose(result["exact"], 25 * 4096, rtol=1e-9)
        assert abs(result["nll"][0] - 25 * 4096) <= 12 * result["nll_se"][0] + 1e-6
        assert np.isfinite(ids.average(result, "these")["perplexity"])

    @pytest.mark.slow
    @pytest.mark.parametrize("name", NAMES)
    def test_4096_positions(self, name):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
        tokens = law.sample(1, 4096, seed=1)
        if name.startswith(("chain", "triangular", "without-replacement", "exhaustive", "published-pll")):
            with pytest.raises(PassesError, match="4096"):
                ids.estimate_nll(law, tokens, name, passes=4, replicates=2)
            return
        result = ids.estimate_nll(law, tokens, name, passes=4, replicates=2)
        assert not set(silent_nans(result)) - {"full_mask_ratio"}
        sampler = by_name(name)
        if sampler.unbiased and sampler.finite_variance:
            assert (
                abs(result["nll"] - result["exact"])[0] < 64 * result["nll_se"][0]
            )  # t with one degree of freedom exceeds this with probability 0.01

    @pytest.mark.parametrize("loss", [1e3, 1e5, 3e37])
    def test_averages_of_huge_losses(self, loss):
        class Huge:
            def token_nll(self, tokens, masked):
                return (masked * loss * (1 + tokens)).to(torch.float32)

        tokens = np.random.default_rng(0).integers(0, 4, (4, 12))
        result = ids.estimate_nll(Huge(), tokens, "uniform-count")
        np.testing.assert_allclose(
            result["nll"], loss * (1 + tokens).sum(axis=1), rtol=0.3
        )  # in float64: float32 would overflow
        assert ids.estimate_nll(Huge(), tokens, "chain")["nll"].values == pytest.approx(loss * (1 + tokens).sum(axis=1))
        for of in ("these", "population"):
            averaged = ids.average(result, of)
            assert np.isfinite(averaged["nll_per_token"])
            assert averaged["perplexity"] == np.inf  # beyond e^709
            assert not np.isnan(averaged["perplexity_se"])
            assert "∞" in str(ids.summary(averaged))
        assert ids.diagnose(result).verdict == "fine"

    def test_the_perplexity_of_equal_huge_losses_has_no_error(self):
        class Same:
            def token_nll(self, tokens, masked):
                return masked * 1e3

        averaged = ids.average(ids.estimate_nll(Same(), np.zeros((3, 4), dtype=int), "chain"), "these")
        assert averaged["perplexity"] == np.inf
        assert averaged["perplexity_se"] == 0


class TestSubtleZeros:
    def test_losses_only_on_the_full_mask_have_a_caution(self):
        # A A A ... has probability e^-25, and one A determines the others: only the full mask has a loss.
        law = ids.TableLaw(["A" * 64, "C" * 64], [RARE, 1 - RARE])
        result = estimate(law, ["A" * 64], "uniform-count", passes=4)
        assert result["nll"] == 0
        assert result["full_mask_ratio"] == np.inf
        assert "near-deterministic" in caution_sentences(result)
        assert ids.diagnose(result).verdict == "do not use"  # this law has exact values

    def test_control_certain_sequences_have_no_caution(self):
        law = ids.TableLaw(["A" * 64, "C" * 64], [1.0, 0.0])
        result = estimate(law, ["A" * 64], "uniform-count", passes=4)
        assert "near-deterministic" not in caution_sentences(result)


class TestDuplicates:
    @pytest.mark.parametrize("name", each(NAMES))
    def test_equal_sequences_have_independent_random_numbers(self, name):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
        result = estimate(law, ["ACGTAC"] * 3, name, passes=64)
        replicates = result["nll_replicate"].values
        varies = np.ptp(replicates) > 1e-9
        assert varies == (len({tuple(row) for row in replicates.round(9).tolist()}) == 3)
        assert len(set(result["exact"].values.tolist())) == 1

    def test_their_mean_has_a_smaller_error(self):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
        result = estimate(law, ["ACGTAC"] * 64, "uniform-count")
        averaged = ids.average(result, "population")
        assert averaged["nll_se"] < result["nll_se"].mean() / 4
        assert averaged["mask_share"] > 0.5  # only the masks vary

    def test_equal_candidates_stay_open(self):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
        found = ids.rank_candidates(law, law.encode(["ACGTAC"] * 3), "uniform-count", most_passes=256)
        assert found["status"].values.tolist() == ["open"] * 3


class TestNetworks:
    @pytest.fixture
    def denoiser(self):
        torch.manual_seed(0)
        config = ids.DenoiserConfig("AC", length=16, layers=1, width=8, heads=1)
        return ids.Denoiser(config)

    @pytest.mark.parametrize("name", each(MASKED))
    def test_one_position_and_duplicates_are_correct(self, denoiser, name):
        tokens = [np.array([0]), np.array([1]), np.array([0])]
        if name in NEEDS_TWO:
            with pytest.raises(PassesError, match="at least 2 scored positions"):
                ids.estimate_nll(denoiser, tokens, name)
            return
        assert not silent_nans(ids.estimate_nll(denoiser, tokens, name, passes=16, replicates=4))

    def test_weights_that_overflow_are_one_sentence(self, denoiser):
        with torch.no_grad():
            for weights in denoiser.parameters():
                weights.mul_(1e38)
        with pytest.raises(ModelError, match=r"^sequence 0, position \d"):
            ids.estimate_nll(denoiser, [[0, 1, 0, 1]], "uniform-count")


class TestScores:
    def test_scores_that_are_nan_are_reported(self):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)

        class Broken:
            vocabulary_size = 4

            def log_ratios(self, noised, acts, total_noise, noise):
                found = law.log_ratios(noised, acts, total_noise, noise)
                return torch.where((noised[:, :1, None] == 0) & ~acts[:, :1, None], torch.nan, found)

        tokens = law.encode(["CACGT", "AACGT", "CACGT"])
        for name in ("score-entropy(uniform,polynomial)", "score-entropy(absorbing)"):
            result = ids.estimate_nll(Broken(), tokens, name, context=1)
            assert [bool(one) for one in result["failed"].values] == [False, True, False]
            assert "NaN as a log score ratio" in str(result["failed"][1].item())

    def test_a_pilot_that_fails_is_reported(self):
        law = ids.TableLaw(["ACGT", "CAGT"], [0.5, 0.5])
        result = ids.estimate_nll(law, law.encode(["ACGT", "CCGT"]), "score-entropy(absorbing,pilot=32)")
        assert [bool(one) for one in result["failed"].values] == [False, True]
        assert isinstance(estimator("score-entropy(absorbing,pilot=32)"), ScoreEntropy)

    def test_mask_estimators_do_not_use_scores(self):
        with pytest.raises(InputError, match="no score ratios"):
            ids.estimate_nll(ArbitraryLosses(3), [[0, 1, 0]], "score-entropy(uniform)")

"""Which side of a pair is likelier: the labels, and the guarantee of each error control."""

import numpy as np
import pytest
import torch
from scipy import stats

import infodis_stats as ids
from infodis_stats import analysis
from infodis_stats.results.validity import NO_CLAIM

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
COUNT = 400
FIRST, SECOND = LAW.sample(COUNT, length=8, seed=1), LAW.sample(COUNT, length=8, seed=2)
SECOND[::2] = FIRST[::2]  # every second pair is the same sequence twice: its log ratio is zero
FEW = slice(0, 40)


@pytest.fixture(scope="module")
def result():
    """Masks are independent; otherwise equal sides would agree in every replicate."""
    return ids.estimate_log_ratio(
        LAW, FIRST, SECOND, "uniform-count+stratified", coupled=False, passes=16, replicates=8
    )


def test_labels_follow_the_p_values(result):
    decided = ids.decide(result, 0.1)
    statistic, skewness = result["log_ratio"] / result["log_ratio_se"], result["skewness"]
    # Hall's transformation, written out.
    statistic += skewness * statistic**2 / 3 + skewness**2 * statistic**3 / 27 + skewness / 6
    tails = np.minimum(stats.t.sf(statistic, result["degrees"]), stats.t.cdf(statistic, result["degrees"]))
    np.testing.assert_allclose(decided["p_value"], 2 * tails, rtol=1e-5)
    np.testing.assert_allclose(decided["adjusted"], stats.false_discovery_control(decided["p_value"].values))
    sides = np.where(result["log_ratio"] > 0, "first", "second")
    doubtful = result["cautions"].sel(caution=list(NO_CLAIM)).any("caution")
    np.testing.assert_array_equal(decided["withheld"], (decided["adjusted"] < 0.1) & doubtful)
    expected = np.where((decided["adjusted"] < 0.1) & ~doubtful, sides, "open")
    assert decided["likelier"].values.tolist() == expected.tolist()
    assert decided.attrs["claims"] == (expected != "open").sum()
    assert decided.attrs["guarantee"] == "of the claims made, 10 % are false on average"
    assert decided["cautions"].equals(result["cautions"])
    assert decided["adjusted"].attrs["long_name"]


def test_no_claim_is_made_where_an_interval_may_miss_without_showing_it(result):
    """The caution of every other pair is set by hand."""
    marked = result.copy(deep=True)
    marked["cautions"].loc[{"pair": marked["pair"][::2], "caution": "skewed"}] = True
    decided = ids.decide(marked, 0.1)
    assert (decided["likelier"].values[::2] == "open").all()
    np.testing.assert_array_equal(decided["withheld"][::2], decided["adjusted"][::2] < 0.1)
    assert decided["withheld"].values.any()
    np.testing.assert_array_equal(decided["likelier"][1::2], ids.decide(result, 0.1)["likelier"][1::2])


class RareMasks:
    """Of the second side, 2 % of the masks cost 20 nats more per token; the first costs 0.4 nats more under all.

    Token 1 is the number of the pair, which has masks and losses of its own: all pairs are equally likely.
    """

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        losses = np.zeros(masked.shape)
        for row, (mask, (second, pair)) in enumerate(zip(masked.numpy(), tokens[:, :2].tolist(), strict=True)):
            rng = np.random.default_rng([pair, *np.packbits(mask).tolist()])
            extra = 20.0 * (rng.random() < 0.02) if second else 0.4
            losses[row] = 1.0 + 0.1 * rng.normal(size=len(mask)) + extra
        return torch.tensor(losses) * masked


def test_no_claim_is_made_where_rare_masks_decide():
    """Nothing in a pair that missed the rare masks shows them; other pairs do."""
    first = np.zeros((60, 24), dtype=np.int64)
    first[:, 1] = np.arange(60)
    second = first.copy()
    second[:, 0] = 1
    ratio = ids.estimate_log_ratio(RareMasks(), first, second, "uniform-count+stratified", passes=32, replicates=1)
    assert (ratio["effective_passes"] < 2).mean() > 0.1
    decided = ids.decide(ratio, 0.1)
    assert decided.attrs["claims"] == 0
    assert decided["withheld"].values.sum() > 10
    blind = ids.decide(ratio.drop_vars("effective_passes"), 0.1)
    assert blind.attrs["claims"] > 10, "control: without what the other pairs show, ties are claimed"


def test_weaker_controls_make_more_claims(result):
    claims = [
        ids.decide(result, 0.1, control).attrs["claims"] for control in ("family-wise", "false-discovery", "each")
    ]
    assert 0 < claims[0] < claims[1] < claims[2]


def test_estimates_keep_the_guarantee(result):
    """With 400 independent pairs, the share of false claims is close to its expectation."""
    exact = result["exact"].values
    truth = np.where(exact > 1e-12, "first", np.where(exact < -1e-12, "second", "open"))

    def false(control):
        found = ids.decide(result, 0.1, control)["likelier"].values
        return int(((found != "open") & (found != truth)).sum()), int((found != "open").sum())

    wrong, claims = false("false-discovery")
    # Four binomial standard deviations above 10 %.
    assert wrong <= 0.1 * claims + 4 * np.sqrt(0.09 * claims)
    assert claims > 50
    wrong, _ = false("family-wise")
    assert wrong == 0
    wrong, _ = false("each")
    assert wrong > 0.1 * COUNT / 2 - 4 * np.sqrt(0.09 * COUNT / 2)  # control: a tenth of the equal pairs


def test_the_summary_shows_family_wise_claims(result):
    few = result.isel(pair=FEW)
    expected = ids.decide(few, 0.05, "family-wise")["likelier"].values
    assert ids.summary(few).to_dataframe()["likelier"].tolist() == expected.tolist()


def test_points_are_decided_and_zero_is_open():
    exact = ids.estimate_log_ratio(LAW, FIRST[FEW], SECOND[FEW], "exhaustive", passes=255, replicates=2)
    decided = ids.decide(exact, control="family-wise")
    zero = exact["exact"].values == 0
    np.testing.assert_array_equal(decided["p_value"], zero)
    np.testing.assert_array_equal(decided["likelier"] == "open", zero)


@pytest.mark.parametrize(
    ("interval", "replicates"),
    [("student-t", 2), ("student-t", 8), ("design", 1), ("design", 4), ("auto", 1), ("auto", 8)],
)
def test_claims_match_intervals_that_exclude_zero(interval, replicates):
    few = {"passes": 8, "replicates": replicates, "interval": interval, "level": 0.9}
    one = ids.estimate_log_ratio(LAW, FIRST[FEW], SECOND[FEW], "uniform-count+stratified", coupled=False, **few)
    lower, upper = one["log_ratio_ci"].values.T
    expected = np.where(lower > 0, "first", np.where(upper < 0, "second", "open"))
    assert set(expected) == {"first", "second", "open"}
    decided = ids.decide(one, 0.1, "each")
    expected[decided["withheld"]] = "open"
    assert decided["likelier"].values.tolist() == expected.tolist()
    # Control: at another level they differ.
    assert ids.decide(one, 0.5, "each")["likelier"].values.tolist() != expected.tolist()


def test_varying_numbers_of_replicates_are_respected():
    rounds = {"passes": 4, "replicates": 4, "precision": 0.5, "interval": "student-t"}
    one = ids.estimate_log_ratio(LAW, FIRST[FEW], SECOND[FEW], "uniform-count", coupled=False, **rounds)
    draws = one["log_ratio_replicate"].values
    assert np.isnan(draws).any()
    expected = stats.ttest_1samp(draws, 0, axis=1, nan_policy="omit").pvalue
    np.testing.assert_allclose(ids.decide(one)["p_value"], expected)


def test_anytime_intervals_are_not_decided_by_a_t_test():
    one = ids.estimate_log_ratio(LAW, FIRST[:2], SECOND[:2], "uniform-count", passes=4, interval="anytime")
    with pytest.raises(ids.InputError, match="a t test is not valid for anytime intervals"):
        ids.decide(one)


def test_two_models_are_decided_like_two_sides():
    other = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=1)
    decided = ids.decide(ids.estimate_model_log_ratio(LAW, other, FIRST[:5], passes=8))
    truth = np.where(LAW.nll(FIRST[:5]) < other.nll(FIRST[:5]), "first", "second")
    assert decided["likelier"].dims == ("sequence",)
    assert decided["likelier"].values.tolist() == truth.tolist()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"error": 5}, "error must be between 0 and 1, got 5"),
        ({"control": "fdr"}, "control must be one of false-discovery, family-wise, each, got 'fdr'"),
        ({"result": 3}, "a decision needs the result of estimate_log_ratio"),
    ],
)
def test_bad_input_is_one_sentence(result, arguments, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        ids.decide(**({"result": result} | arguments))


def test_control_pairs_of_equal_sequences_stay_open():
    """All hypotheses are null: no claims under family-wise control, but some without adjustment."""
    draws = np.random.default_rng(5).normal(size=(400, 8))
    found = analysis.Estimates.of_replicates(draws)
    assert (analysis.family_wise_signs(found) >= 0.01).all()
    assert (analysis.signs(found) < 0.05).any()

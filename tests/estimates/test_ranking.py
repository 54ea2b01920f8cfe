"""Ranking of candidates: the likeliest is found at the stated error rate and depends on nothing irrelevant."""

import numpy as np
import pytest
import torch

import infodis_stats as ids
from infodis_stats.estimates import replicate_races
from tests.estimates.test_races import Shifted
from tests.support.toys import ArbitraryLosses

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = [LAW.encode([text])[0] for text in ("ACGTACGTAC", "ACAAAAAAAA", "ACCCGGTT", "ACTTTTTTTTTT")]
ASKED = {"estimator": "uniform-count", "context": 2, "passes": 8, "seed": 1}


def test_the_likeliest_is_found_and_others_are_sampled_less():
    result = ids.rank_candidates(LAW, TOKENS, **(ASKED | {"passes": 2}))
    exact = result["exact"].values
    best = int(exact.argmin())
    assert result["leader"] == best
    assert result["status"].values.tolist() == ["best" if one == best else "eliminated" for one in range(4)]
    assert result["p_value"] <= 0.05
    ratios = exact[best] - exact
    lower, upper = result["log_ratio_ci"].values.T
    assert ((lower <= ratios) & (ratios <= upper)).all()
    assert (upper[np.arange(4) != best] < 0).all()
    assert lower[best] == upper[best] == result["log_ratio"].values[best] == 0
    assert result["replicates"].values.max() == result["replicates"].values[best]
    assert len(set(result["replicates"].values.tolist())) > 1
    assert result.attrs["forward_passes"] == result["forward_passes"].sum()


def test_numbers_match_the_estimator_under_shared_masks():
    result = ids.rank_candidates(LAW, [TOKENS[0], TOKENS[0]], **ASKED)
    assert result["status"].values.tolist() == ["open", "open"]  # twins: no sample can separate them
    assert result["replicates"].values.tolist() == [8, 8]
    np.testing.assert_array_equal(result["log_ratio_ci"], 0)
    result = ids.rank_candidates(LAW, TOKENS[:2], **ASKED)
    count = int(result["replicates"].max())
    np.testing.assert_allclose(result["nll"], result["exact"], atol=6 / np.sqrt(count))  # the sd is 1 to 2 nats


def test_order_and_batch_size_change_nothing():
    whole = ids.rank_candidates(LAW, TOKENS, **ASKED)
    for other in (
        ids.rank_candidates(LAW, TOKENS, **ASKED, batch_size=3),
        ids.rank_candidates(LAW, TOKENS[::-1], **ASKED).isel(candidate=slice(None, None, -1)),
    ):
        for name in ("nll", "log_ratio_ci", "status", "replicates"):
            np.testing.assert_array_equal(other[name], whole[name])


def test_sizes_divide_the_sums_and_may_change_the_winner():
    short, long = LAW.encode(["ACGT"])[0], LAW.encode(["ACAAAAAAAA"])[0]
    few, many = LAW.nll([short], context=2)[0], LAW.nll([long], context=2)[0]
    assert few < many
    assert few / 2 > many / 8
    assert ids.rank_candidates(LAW, [short, long], **ASKED)["leader"] == 0
    divided = ids.rank_candidates(LAW, [short, long], **ASKED, sizes=[2, 8])
    assert divided["leader"] == 1
    lower, upper = divided["log_ratio_ci"].values[0]
    assert lower <= many / 8 - few / 2 <= upper < 0


@pytest.mark.parametrize("sizes", [[1], [1, 0], [1, float("nan")], "ab", [1, -2], object()])
def test_sizes_are_positive_numbers(sizes):
    with pytest.raises(ids.InputError, match="sizes must be 2 positive numbers, one per candidate"):
        ids.rank_candidates(LAW, TOKENS[:2], **ASKED, sizes=sizes)


def test_an_exact_estimator_decides_at_the_first_look():
    result = ids.rank_candidates(LAW, TOKENS, context=2)
    assert result["forward_passes"].max() <= 15
    assert (result["status"] == "best").sum() == 1
    assert result["p_value"] == 0


def test_undecided_candidates_stay_open():
    result = ids.rank_candidates(Mirrored(), MIRRORED, "uniform-count", passes=4, most_passes=60)
    assert result["status"].values.tolist() == ["open", "open"]
    assert result["replicates"].values.tolist() == [15, 15]
    assert result["p_value"] > 0.05


class Mirrored:
    """Two sequences of equal likelihood whose losses differ for every mask: the second mirrors the first."""

    def __init__(self, length=6):
        self.table = ArbitraryLosses(length, seed=3)

    def token_nll(self, tokens, masked):
        second = tokens[:, :1] == 1
        own, mirrored = self.table.token_nll(tokens, masked), self.table.token_nll(tokens, masked.flip(1)).flip(1)
        return torch.where(second, mirrored, own)


MIRRORED = [[0] * 6, [1] * 6]


def decided_ties(error, races):
    model, count = Mirrored(), 0
    for seed in range(races):
        result = ids.rank_candidates(
            model, MIRRORED, "uniform-count", passes=8, most_passes=512, seed=seed, error=error
        )
        count += int((result["status"] == "best").any())
    return count


def test_mirrored_sequences_are_equally_likely():
    result = ids.estimate_nll(Mirrored(), MIRRORED, "exhaustive", passes=63, replicates=2)
    assert result["nll"][0] == pytest.approx(result["nll"][1].item(), rel=1e-12)


@pytest.mark.slow
def test_ties_are_decided_no_more_often_than_the_error_rate():
    assert decided_ties(0.05, 600) <= 600 * 0.05 + 4 * np.sqrt(600 * 0.05 * 0.95)
    assert decided_ties(0.5, 600) > 600 * 0.05 + 4 * np.sqrt(600 * 0.05 * 0.95)  # control: another error rate


@pytest.mark.slow
@pytest.mark.parametrize("error", [0.05, 0.5])
def test_races_of_auto_decide_ties_no_more_often_than_the_error_rate(error):
    model, decided = Mirrored(10), 0
    for seed in range(100):
        result = ids.rank_candidates(model, [[0] * 10, [1] * 10], seed=seed, error=error, most_passes=65)
        decided += int((result["status"] == "best").any())
    assert decided <= 100 * error + 4 * np.sqrt(100 * error * (1 - error))
    assert error == 0.05 or decided > 100 * 0.05 + 4 * np.sqrt(100 * 0.05 * 0.95)  # control


def pooled(seed, **how):
    model = Shifted(9, seed, 0.08, noise=1.5)
    return model, ids.rank_candidates(model, POOLED, **how)


POOLED = [[token] * 9 for token in range(4)]


def test_races_of_auto_start_at_few_passes_and_their_intervals_say_the_same_as_the_status():
    missed = counted = 0
    for seed in range(8):
        model, result = pooled(seed, most_passes=128)
        leader = int(result["leader"])
        exact = ids.estimate_nll(model, POOLED, "exhaustive", passes=511, replicates=1)["nll"].values
        lower, upper = result["log_ratio_ci"].values.T
        assert lower[leader] == upper[leader] == 0
        assert (result["status"].values[leader] == "best") == (result["p_value"] <= 0.05)
        ends = np.delete(upper, leader) < 0
        out = np.delete(result["status"].values == "eliminated", leader)
        assert (out | ~ends).all()  # only a candidate that an earlier leader beat may have 0 in its interval
        counted += int((out & ends).sum())
        missed += int(((exact[leader] - exact < lower) | (exact[leader] - exact > upper)).sum())
        assert result["replicates"].values.tolist() == [1] * 4
        assert result.attrs["forward_passes"] == result["forward_passes"].sum()
        assert result["forward_passes"].min() < 128  # the first look of replicates
    assert counted > 16
    assert missed == 0  # of 24, at 90 % for all of a race


def test_order_batch_size_and_copies_change_nothing_in_races_of_auto():
    model, whole = pooled(3)
    others = (
        ids.rank_candidates(model, POOLED, batch_size=3),
        ids.rank_candidates(model, POOLED, passes=5, replicates=1),
        ids.rank_candidates(model, POOLED[::-1]).isel(candidate=slice(None, None, -1)),
    )
    for other in others:
        np.testing.assert_allclose(other["nll"], whole["nll"], rtol=1e-12)
        np.testing.assert_allclose(other["log_ratio_ci"], whole["log_ratio_ci"], rtol=1e-9)
        np.testing.assert_array_equal(other["status"], whole["status"])
        np.testing.assert_array_equal(other["forward_passes"], whole["forward_passes"])
    best = POOLED[int(whole["leader"])]
    copies = ids.rank_candidates(model, [best, best, POOLED[3]])
    assert copies["status"].values.tolist()[:2] == ["open", "open"]
    assert copies["forward_passes"].values[1] == 0  # it is scored once
    assert copies["p_value"] == 1
    assert copies["nll"][0] == copies["nll"][1]


def test_ties_up_to_rounding_stay_open():
    law = ids.IndependentLaw([[0.1, 0.2, 0.3, 0.4]] * 8, alphabet="ACGT")
    result = ids.rank_candidates(law, law.encode(["ACGTACGG", "GGGACCAT"]))
    assert result["nll"][0] != result["nll"][1]  # in the last digit
    assert result["status"].values.tolist() == ["open", "open"]
    assert result["p_value"] == 1


def test_texts_and_names():
    austen = ids.load_model("austen")
    result = ids.rank_texts(austen, "It is a truth ", ["universally", "zniverselly", "univ"], passes=8)
    assert result["candidate"].values.tolist() == ["universally", "zniverselly", "univ"]
    assert result["status"].sel(candidate="zniverselly") == "eliminated"
    with pytest.raises(ids.InputError, match="at least 2 different answers, got 1"):
        ids.rank_texts(austen, "It is a truth ", ["univ", "univ"])
    with pytest.raises(ids.InputError, match="at least 2 different answers, got 0"):
        ids.rank_texts(austen, "It is a truth ", [])


def test_questions_with_the_same_answers_have_independent_masks():
    models = [Masks(), Masks()]
    for model, given in zip(models, (0, 1), strict=True):
        ids.rank_candidates(model, [[given, *[0] * 8], [given, *[1] * 8]], "time-free", context=1, passes=4)
    assert not torch.equal(models[0].seen[0], models[1].seen[0])


class Masks:
    """Constant losses of 0.5, with a record of the masks."""

    def __init__(self):
        self.seen = []

    def token_nll(self, tokens, masked):
        self.seen.append(masked)
        return masked * 0.5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"candidates": TOKENS[:1]}, "a ranking needs at least 2 candidates, got 1"),
        ({"replicates": 1}, "at least 2 replicates, got 1"),
        ({"error": 0.0}, "error must be between 0 and 1, got 0.0"),
        ({"error": float("nan")}, "error must be between 0 and 1, got nan"),
        ({"most_passes": 63}, "most_passes must cover the first round, .* = 64, got 63"),
        ({"context": 3}, "candidate 1 has a different context from candidate 0"),
        ({"names": ["a", "a", "b", "c"]}, "'a' stands more than once"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    with pytest.raises(ids.InfodisError, match=sentence) as caught:
        ids.rank_candidates(LAW, **({"candidates": TOKENS} | ASKED | arguments))
    assert "\n" not in str(caught.value)


class Checked:
    """Every token costs 1 nat, and ``shift`` more in a sequence of ones, where the last masked one costs nothing."""

    def __init__(self, shift: float) -> None:
        self.shift = shift

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        ones = tokens[:, :1] == 1
        alone = ones & (masked.sum(dim=1, keepdim=True) == 1)
        return torch.where(masked & ~alone, 1.0 + self.shift * ones, 0.0).double()


def test_masks_that_no_pass_has_eliminate_nobody():
    """Ones are likelier by 0.36 nats, all of it in masks of one position; elsewhere they cost 0.01 nats more."""
    zeros, ones = np.zeros(64, dtype=np.int64), np.ones(64, dtype=np.int64)
    asked = {"estimator": "uniform-count+stratified", "passes": 4, "most_passes": 64}
    wrong = 0
    for seed in range(20):
        result = ids.rank_candidates(Checked(0.01), [zeros, ones], seed=seed, **asked)
        wrong += result["status"].values.tolist() == ["best", "eliminated"]
        lower, upper = result["log_ratio_ci"].values[1 - int(result["leader"])]
        assert lower < (0.36 if result["leader"] == 0 else -0.36) < upper
    assert wrong == 0


def test_control_a_clear_difference_is_settled():
    zeros, ones = np.zeros(64, dtype=np.int64), np.ones(64, dtype=np.int64)
    asked = {"estimator": "uniform-count+stratified", "passes": 4, "most_passes": 64}
    result = ids.rank_candidates(Checked(0.5), [zeros, ones], **asked)
    assert result["status"].values.tolist() == ["best", "eliminated"]


def test_control_the_spread_alone_eliminates_the_likelier(monkeypatch):
    zeros, ones = np.zeros(64, dtype=np.int64), np.ones(64, dtype=np.int64)
    monkeypatch.setattr(replicate_races, "unseen_sizes", lambda side, replicates: np.zeros(1))
    monkeypatch.setattr(replicate_races, "rule_of_three", lambda passes, level: 0.0)
    asked = {"estimator": "uniform-count+stratified", "passes": 4, "most_passes": 64}
    statuses = [ids.rank_candidates(Checked(0.01), [zeros, ones], seed=seed, **asked)["status"] for seed in range(20)]
    assert sum(status.values.tolist() == ["best", "eliminated"] for status in statuses) > 3

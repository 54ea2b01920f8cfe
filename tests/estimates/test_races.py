"""Races: winners are settled at the stated error, by every score, and depend on nothing irrelevant."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import make_targets
from infodis_stats.estimates import races, target_samples
from infodis_stats.estimates.questions import Budget, Question
from infodis_stats.estimates.races import race
from infodis_stats.estimates.settings import Execution
from tests.support.stat_asserts import assert_mean
from tests.support.toys import slow_nll

FIXED = Budget(error=None, passes=16)


def question(rows, context=None, scores=None, key="race"):
    targets = tuple(replace(target, key=key) for target in make_targets(rows, context))
    return Question("which?", targets, scores or {"acc": np.eye(len(targets))})


class Shifted:
    """Losses that no law has: each token has its own, of its neighbours' masks and of chance, and costs ``shift`` more.

    Sequences of equal tokens are compared.
    """

    def __init__(self, length, seed, shift, noise=1.0):
        rng = np.random.default_rng(seed)
        code = np.arange(2**length)[:, None] >> np.arange(length + 1) & 1
        left, right = np.roll(code, 1, axis=1)[:, :length], code[:, 1:]
        own = rng.gamma(2.0, 0.5, size=(3, 4, 1, length))
        chance = rng.gamma(1.0, 0.1, size=(4, 2**length, length))
        cost = shift * np.arange(4)[:, None, None]
        self.table = torch.from_numpy(noise * (own[0] + own[1] * left + own[2] * right + chance) + cost)

    def token_nll(self, tokens, masked):
        code = (masked * 2 ** torch.arange(masked.shape[1])).sum(dim=1, keepdim=True)
        return torch.where(masked, self.table[tokens, code, torch.arange(masked.shape[1])], 0.0)


def test_a_single_token_costs_one_pass():
    (finish,) = race(Shifted(1, 0, 1.0), [question([[0], [1], [2]])], budget=Budget())
    assert finish.forward_passes.tolist() == [1, 1, 1]
    assert finish.nll_se.tolist() == [0.0] * 3
    assert finish.settled == {"acc": True}


def test_short_targets_are_exact_from_the_start_and_longer_ones_once_their_masks_fit():
    model = Shifted(6, 0, 0.0)
    rows = [[0] * 4, [1] * 4, [1] * 5]
    (finish,) = race(model, [question(rows)], budget=Budget(error=1e-12))
    exact = [slow_nll(model, target) for target in make_targets(rows)]
    np.testing.assert_allclose(finish.nll, exact, rtol=1e-9)
    assert finish.forward_passes[:2].tolist() == [15, 15]
    assert finish.settled["acc"]
    assert finish.leaders["acc"] == int(np.argmin(exact))


def test_scores_have_their_own_winners_and_all_are_settled():
    model = Shifted(12, 1, 0.0, noise=0.05)
    rows = [[0] * 6, [0] * 12]
    scores = {"acc": np.eye(2), "acc_norm": np.diag([1 / 2, 1 / 40])}
    (finish,) = race(model, [question(rows, scores=scores)], budget=Budget())
    assert finish.leaders == {"acc": 0, "acc_norm": 1}
    assert finish.settled == {"acc": True, "acc_norm": True}


def test_mutual_information_is_a_score_of_two_targets():
    model = Shifted(4, 2, 0.3)
    rows = [[0, 1, 1], [0, 2, 2], [1, 1], [2, 2]]
    matrix = np.array([[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]])
    (finish,) = race(model, [question(rows, scores={"information": matrix})], budget=Budget())
    exact = matrix @ [slow_nll(model, target) for target in make_targets(rows)]
    assert finish.leaders["information"] == int(exact.argmin())
    assert finish.win["information"].tolist() == [float(number == exact.argmin()) for number in range(2)]


def test_of_equal_candidates_the_first_wins_and_nothing_is_open():
    scores = {"acc": np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])}
    (finish,) = race(Shifted(10, 3, 5.0), [question([[0] * 10, [1] * 10], scores=scores)], budget=Budget())
    assert finish.leaders["acc"] == 0
    assert finish.settled["acc"]
    assert finish.win["acc"].tolist() == [1.0, 0.0, 0.0]


QUESTIONS = [question([[0] * 10, [1] * 12, [2] * 9], key=f"race:{number}") for number in range(5)]


def test_numbers_do_not_depend_on_other_questions_batches_or_the_order(monkeypatch):
    model = Shifted(12, 4, 0.05)
    whole = list(race(model, QUESTIONS, budget=Budget()))
    monkeypatch.setattr(races, "TOGETHER", 2)
    others = [
        list(race(model, QUESTIONS[::-1], budget=Budget()))[::-1],
        list(race(model, QUESTIONS, budget=Budget(), execution=Execution(batch_size=3))),
        [next(race(model, [each], budget=Budget())) for each in QUESTIONS],
    ]
    for other in others:
        for one, two in zip(whole, other, strict=True):
            np.testing.assert_array_equal(one.nll, two.nll)
            np.testing.assert_array_equal(one.forward_passes, two.forward_passes)
            assert one.p_values == two.p_values
            np.testing.assert_array_equal(one.win["acc"], two.win["acc"])
    assert len({each.nll[0] for each in whole}) == 5  # questions have masks of their own


def wrong_winners(error, seeds):
    """Settled races, wrong ones, and by how much wrong winners exceed their probabilities, over many small models."""
    settled = wrong = 0
    excess = []
    for seed in range(seeds):
        model = Shifted(8, seed, 0.02 * (seed % 3))
        asked = question([[0] * 8, [1] * 8], key=f"race:{seed}")
        (finish,) = race(model, [asked], budget=Budget(error=error, most_passes=33))
        exact = [slow_nll(model, target) for target in asked.targets]
        missed = finish.leaders["acc"] != int(np.argmin(exact))
        settled += finish.settled["acc"]
        wrong += missed and finish.settled["acc"]
        excess.append(missed - (1.0 - finish.win["acc"][finish.leaders["acc"]]))
    return settled, wrong, np.array(excess)


@pytest.mark.slow
def test_settled_winners_are_wrong_no_more_often_than_stated():
    settled, wrong, excess = wrong_winners(0.01, 500)
    assert settled > 200
    assert wrong <= 0.01 * settled + 3 * np.sqrt(0.01 * settled)
    assert_mean(excess, 0.0)  # as many wrong winners as their probabilities say


@pytest.mark.slow
def test_control_with_errors_of_a_tenth_too_many_are_wrong(monkeypatch):
    honest = races.residual_variance
    monkeypatch.setattr(races, "residual_variance", lambda residuals, masked: honest(0.1 * residuals, masked))
    settled, wrong, excess = wrong_winners(0.01, 500)
    assert wrong > 0.01 * settled + 3 * np.sqrt(0.01 * settled)
    with pytest.raises(AssertionError):
        assert_mean(excess, 0.0)


class Checked:
    """Every token costs 1 nat, and ``shift`` more in a sequence of ones, where the last masked one costs nothing."""

    def __init__(self, shift):
        self.shift = shift

    def token_nll(self, tokens, masked):
        ones = tokens[:, :1] == 1
        alone = ones & (masked.sum(dim=1, keepdim=True) == 1)
        return torch.where(masked & ~alone, 1.0 + self.shift * ones, 0.0).double()


def test_a_difference_within_what_the_passes_missed_settles_nothing(monkeypatch):
    """Ones are likelier by 0.36 nats, all of it in masks of one position; elsewhere they cost 0.01 nats more."""
    asked = [question([[0] * 64, [1] * 64], key=f"race:{seed}") for seed in range(6)]
    budget = Budget(most_passes=17)
    for finish in race(Checked(0.01), asked, budget=budget):
        assert not (finish.settled["acc"] and finish.leaders["acc"] == 0)
    clear = [each.settled["acc"] and each.leaders["acc"] == 0 for each in race(Checked(0.5), asked, budget=budget)]
    assert sum(clear) >= 4  # clear differences are
    monkeypatch.setattr(target_samples, "unseen_sizes", lambda side, replicates: np.zeros(1))
    monkeypatch.setattr(races, "rule_of_three", lambda passes, level: 0.0)
    wrong = [each.settled["acc"] and each.leaders["acc"] == 0 for each in race(Checked(0.01), asked, budget=budget)]
    assert any(wrong)  # control: the spread alone settles them


def test_a_precision_is_reached_or_the_budget_is_spent():
    asked = [question([[0] * 12, [1] * 12])]
    (rough,) = race(Shifted(12, 0, 0.0), asked, budget=Budget(error=None, precision=5.0))
    (fine,) = race(Shifted(12, 0, 0.0), asked, budget=Budget(error=None, precision=1.0))
    (finest,) = race(Shifted(12, 0, 0.0), asked, budget=Budget(error=None, precision=1e-9))
    assert rough.forward_passes.max() < fine.forward_passes.max() <= finest.forward_passes.max() <= 128
    assert (2 * fine.nll_se <= 1.01).all()


def test_a_published_estimator_takes_fixed_passes():
    asked = [question([[0] * 10, [1] * 10])]
    (finish,) = race(Shifted(10, 0, 1.0), asked, budget=FIXED, estimator="published-llada")
    assert finish.forward_passes.tolist() == [16, 16]
    assert all({"biased", "no-error"} <= set(cautions) for cautions in finish.cautions)
    (spread,) = race(Shifted(10, 0, 1.0), asked, budget=FIXED, estimator="published-dream")
    assert all("biased" in cautions for cautions in spread.cautions)
    assert np.isnan(spread.p_values["acc"])  # spread says nothing of a bias
    assert not spread.settled["acc"]
    with pytest.raises(ids.InputError, match="needs a fixed number of passes"):
        list(race(Shifted(10, 0, 1.0), asked, budget=Budget(), estimator="published-llada"))


@pytest.mark.parametrize(("estimator", "exact"), [("published-llada", True), ("published-dream", False)])
def test_a_single_token_is_exact_unless_the_weight_of_its_mask_is_drawn(estimator, exact):
    model = Shifted(1, 0, 1.0)
    asked = [question([[0], [1], [2]])]
    (finish,) = race(model, asked, budget=FIXED, estimator=estimator)
    nll = [slow_nll(model, target) for target in asked[0].targets]
    assert np.allclose(finish.nll, nll) == exact
    assert finish.settled["acc"] == exact
    assert np.isnan(finish.p_values["acc"]) != exact


def test_chains_are_exact_for_a_law_alone():
    law, rows = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0), [[0, 1, 2, 3, 0], [0, 2, 1, 3, 1]]
    for model, exact in ((law, True), (Shifted(5, 0, 0.0), False)):
        chained = [question([[0] * 5, [1] * 5] if model is not law else rows)]
        (finish,) = race(model, chained, budget=Budget(error=None, passes=5), estimator="chain")
        assert (finish.p_values["acc"] == 0.0) == exact
        assert np.isnan(finish.win["acc"]).all() != exact


def test_few_fixed_passes_have_no_error_and_say_so():
    (finish,) = race(Shifted(10, 0, 1.0), [question([[0] * 10, [1] * 10])], budget=Budget(error=None, passes=1))
    assert np.isnan(finish.nll_se).all()
    assert np.isnan(finish.p_values["acc"])
    assert not finish.settled["acc"]
    assert finish.cautions == (("no-error",), ("no-error",))


def test_blocks_of_few_positions_are_exact():
    model = ids.load_model("austen-block4")
    rows = [model.encode("It is a truth universally"), model.encode("It is a truth unxversally")]
    (finish,) = race(model, [question(rows, context=8)], budget=Budget())
    assert finish.forward_passes.tolist() == [15, 15]
    assert finish.settled["acc"]


def test_longer_blocks_are_regressed():
    model = ids.load_model("austen-block16")
    rows = [model.encode("It is a truth universally"), model.encode("It is a truth unxversally acc")]
    (finish,) = race(model, [question(rows, context=8)], budget=Budget())
    assert finish.leaders["acc"] == 0
    assert finish.settled["acc"]
    exact = ids.estimate_nll(model, [rows[0]], passes=64, replicates=4, context=8, seed=7)
    assert abs(finish.nll[0] - exact["nll"].item()) < 4 * np.hypot(finish.nll_se[0], exact["nll_se"].item()) + 1e-6


class Failing:
    def token_nll(self, tokens, masked):
        return torch.where(tokens == 3, float("nan"), 1.0) * masked


def test_a_question_on_which_the_model_fails_is_left_out_and_named():
    asked = [question([[0] * 8, [3] * 8]), question([[0] * 8, [1] * 12])]
    failed, fine = race(Failing(), asked, budget=Budget())
    assert "NaN" in failed.problem
    assert np.isnan(failed.nll).all()
    assert fine.problem is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"error": None}, "needs one of error, passes and precision, got none"),
        ({"passes": 4}, "needs one of error, passes and precision, got error, passes"),
        ({"error": 0.0}, "error must be between 0 and 1, got 0.0"),
        ({"error": None, "passes": 0}, "passes must be a positive integer, got 0"),
        ({"error": None, "precision": float("nan")}, "precision must be a positive number of nats, got nan"),
        ({"most_passes": 8}, "most_passes must be at least 9"),
    ],
)
def test_a_bad_budget_is_one_sentence(arguments, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        Budget(**arguments)


def test_rounds_spend_the_budget_exactly():
    for most in (9, 10, 17, 40, 128, 129, 500):
        assert sum(Budget(most_passes=most).rounds()) == most


def test_the_leader_has_the_best_of_the_estimates_that_are_returned():
    """Estimates of few passes, of candidates that dropped out, are not comparable with those of many."""
    apart = 0
    for seed in range(40):
        model = Shifted(9, seed, 0.08, noise=1.5)
        (finish,) = race(model, [question([[0] * 9, [1] * 9, [2] * 9, [3] * 9], key=f"{seed}")], budget=Budget())
        assert finish.leaders["acc"] == int(finish.nll.argmin())
        assert finish.win["acc"].sum() == pytest.approx(1.0)
        apart += len(set(finish.forward_passes.tolist())) > 1
    assert apart > 10


def test_a_candidate_is_rejected_where_another_beats_it_and_the_leader_never_is():
    model = Shifted(10, 0, 2.0)
    (finish,) = race(model, [question([[0] * 10, [1] * 10, [3] * 10])], budget=Budget())
    assert finish.rejected["acc"][0] == 1.0
    assert (finish.rejected["acc"][1:] <= 0.01).all()
    assert finish.p_values["acc"] == finish.rejected["acc"][1:].max()


def test_chains_are_exact_for_consistent_models_alone():
    rows = [[0] * 4, [1] * 4]
    budget = Budget(error=None, passes=8)  # auto: a chain and its reverse
    (finish,) = race(Shifted(4, 0, 0.0), [question(rows)], budget=budget)
    assert np.isnan(finish.nll_se).all()  # not known from one pair of chains
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    (exact,) = race(law, [question(rows)], budget=budget)
    assert (exact.nll_se < 1e-12).all()


def test_no_target_gets_more_than_its_budget():
    asked = [question([[0] * length, [1] * length], key=str(length)) for length in range(1, 11)]
    for finish in race(Shifted(10, 0, 0.0), asked, budget=Budget(error=1e-300, most_passes=128)):
        assert finish.forward_passes.max() <= 128

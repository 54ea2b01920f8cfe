"""Plans and losses are released text by text, and a text that is too large to be run at once is run in chunks."""

import weakref

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import sampling
from estimators.plan import Plan
from tests.support.toys import ArbitraryLosses

TEXTS = 60
TOKENS = np.random.default_rng(0).integers(0, 4, (TEXTS, 12))


@pytest.fixture
def plans(monkeypatch):
    """Weak references to all plans that are made from now on."""
    made, own = [], ids.MaskPlan.__post_init__

    def noted(plan):
        own(plan)
        made.append(weakref.ref(plan))

    monkeypatch.setattr(ids.MaskPlan, "__post_init__", noted)
    return made


class Watching:
    """A fair coin that counts the plans alive in each call."""

    def __init__(self, plans: list[weakref.ref[Plan]]) -> None:
        self.plans, self.alive = plans, []

    def token_nll(self, tokens, masked):
        self.alive.append(sum(plan() is not None for plan in self.plans))
        return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))


HOW = {"passes": 8, "replicates": 2, "batch_size": 16}
RUNS = {
    "nll": lambda model: ids.estimate_nll(model, TOKENS, "time-free", **HOW),
    "precision": lambda model: ids.estimate_nll(model, TOKENS, "uniform-count", precision=9.0, **HOW),
    "ratio": lambda model: ids.estimate_log_ratio(model, TOKENS, TOKENS[::-1].copy(), "time-free", **HOW),
    "two models": lambda model: ids.estimate_model_log_ratio(model, model, TOKENS, "time-free", **HOW),
    "sizes": lambda model: ids.estimate_sizes(model, TOKENS, "time-free", **HOW),
    "order gap": lambda model: ids.order_gap(model, TOKENS, orders=3, batch_size=16),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_contract_few_texts_hold_plans_at_once(plans, run):
    model = Watching(plans)
    run(model)
    assert len(plans) >= TEXTS
    assert max(model.alive) <= 16
    assert sum(plan() is not None for plan in plans) == 0  # nor does a cache


def test_control_draws_that_are_kept_keep_theirs(plans):
    model = Watching(plans)
    cells = [ids.Cell(ids.estimator("time-free"), target, 8, 2) for target in ids.make_targets(TOKENS)]
    draws = list(ids.draw(model, cells, 0, batch_size=16))
    assert max(model.alive) > 50
    assert len(draws) == TEXTS


LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
FIRST, SECOND = TOKENS[:2, :5], TOKENS[2:4, :5]
ASKED = {"passes": 6, "replicates": 10, "seed": 3}


class TestChunks:
    @pytest.mark.parametrize(
        "run",
        [
            lambda one, two, **how: ids.estimate_nll(one, FIRST, "uniform-count+stratified", **how),
            lambda one, two, **how: ids.estimate_log_ratio(LAW, FIRST, SECOND, "time-free", **how),
            lambda one, two, **how: ids.estimate_model_log_ratio(one, two, FIRST, "time-free", **how),
        ],
        ids=["nll", "ratio", "two models"],
    )
    def test_contract_chunks_have_the_numbers_of_the_whole(self, monkeypatch, run):
        models = ArbitraryLosses(5, seed=1), ArbitraryLosses(5, seed=2)
        whole = run(*models, **ASKED)
        monkeypatch.setattr(sampling, "LARGEST_PLAN", 4 * 6 * 5)  # 4, 4 and 2 replicates
        chunked = run(*models, **ASKED)
        for name in whole.data_vars:
            if name == "forward_passes":  # chunks do not share masks, and only the first one looks for the full mask
                assert (chunked[name] >= whole[name]).all()
            else:
                np.testing.assert_array_equal(chunked[name], whole[name])

    def test_rounds_may_add_up_to_more_than_a_plan(self, monkeypatch):
        monkeypatch.setattr(sampling, "LARGEST_PLAN", 10 * 6 * 5)
        asked = ASKED | {"precision": 0.3, "interval": "student-t"}
        assert ids.estimate_nll(ArbitraryLosses(5), FIRST, "time-free", **asked)["replicates"].max() > 10

    def test_a_replicate_is_not_cut(self, monkeypatch):
        monkeypatch.setattr(sampling, "LARGEST_PLAN", 6 * 5 - 1)
        with pytest.raises(ids.InputError, match="6 passes x 10 replicates over 5 positions does not fit into memory"):
            ids.estimate_nll(ArbitraryLosses(5), FIRST, **ASKED)

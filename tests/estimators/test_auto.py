"""`auto`: its choice is idempotent, always feasible, and exact where it claims to be."""

import numpy as np
import pytest

import infodis_stats as ids
from estimators import Absorbing, Auto, Cell, Coupled, Uniform, draw, estimator, make_pairs, make_targets
from tests.support.stat_asserts import assert_unbiased
from tests.support.toys import ArbitraryLosses

LENGTHS, PASSES = [1, 2, 3, 5, 6, 7, 8, 9, 33, 4096], [1, 2, 3, 4, 5, 8, 16, 33, 512, 10_000]


@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("passes", PASSES)
def test_the_choice_for_a_plan_is_the_choice_that_drew_it(length, passes, consistent):
    """Chains can leave passes unused, and there can be fewer distinct masks than passes requested."""
    choice = Auto(consistent).choose(length, passes)
    assert choice.why
    if length * passes <= 40_000:
        plan = choice.estimator.plan(length, passes, 1, np.random.default_rng(0))
        assert plan.passes <= passes
        assert Auto(consistent).choose(plan.length, plan.passes).estimator == choice.estimator


@pytest.mark.parametrize(
    ("length", "passes", "chosen"),
    [
        (4, 7, "chain"),
        (4, 8, "chain+antithetic"),
        (4, 10, "without-replacement"),
        (4, 15, "exhaustive"),
        (6, 5, "block-chain+antithetic"),
        (5, 5, "regression"),
        (5, 13, "chain+antithetic"),
        (6, 7, "regression"),
        (6, 8, "regression"),
        (6, 12, "chain+antithetic"),
        (6, 17, "regression"),
        (8, 8, "regression"),
        (8, 16, "chain+antithetic"),
        (9, 18, "regression"),
        (40, 3, "block-chain"),
        (40, 4, "regression"),
    ],
)
def test_the_choice_where_positions_or_passes_are_few(length, passes, chosen):
    assert Auto().choose(length, passes).estimator.name == chosen


def test_plan_and_reduce_are_those_of_the_chosen_estimator():
    masks = Auto().plan(20, 16, 3, np.random.default_rng(0))
    regression = estimator("regression")
    np.testing.assert_array_equal(masks.masks, regression.plan(20, 16, 3, np.random.default_rng(0)).masks)
    losses = masks.masks * np.random.default_rng(1).random(masks.masks.shape)
    np.testing.assert_array_equal(Auto().reduce(masks, losses), regression.reduce(masks, losses))


def test_draws_report_the_chosen_estimator():
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    (target,) = make_targets(law.sample(1, length=6, seed=0))
    (exact,) = draw(law, [Cell(Auto(), target, 6, 5)], 0)
    assert exact.cell.sampler.name == "chain"
    np.testing.assert_allclose(exact.estimates, law.nll([target.tokens])[0])
    (other,) = draw(ArbitraryLosses(6), [Cell(Auto(), target, 4, 5)], 0)
    assert other.cell.sampler.name == "block-chain+antithetic"
    (named,) = draw(ArbitraryLosses(6), [Cell(estimator("block-chain+antithetic"), target, 4, 5)], 0)
    np.testing.assert_array_equal(other.estimates, named.estimates)
    (pair,) = make_pairs([[0, 1, 2, 0, 1, 2]], [[0, 1]])
    (ratio,) = draw(law, [Cell(Coupled(Auto()), pair, 6, 5)], 0)
    assert ratio.cell.sampler == Coupled(estimator("chain"))


@pytest.mark.parametrize(
    ("length", "passes"),
    [
        (2, 3),
        (4, 7),
        (4, 9),
        (5, 4),
        (6, 13),
        pytest.param(9, 5, marks=pytest.mark.slow),
        pytest.param(9, 16, marks=pytest.mark.slow),
    ],
)
def test_maths_unbiased_whatever_it_chooses(length, passes):
    """1,000 replicates, within 4 standard errors."""
    model, tokens = ArbitraryLosses(length, seed=5), [[0, 1, 2, 3, 0, 1, 2, 3, 0][:length]]
    exact = estimator("exhaustive").sample(model, tokens, passes=2**length - 1, replicates=1, rng=0)[0, 0]
    estimates = Auto().sample(model, tokens, passes=passes, replicates=1000, rng=1)[0]
    assert abs(estimates.mean() - exact) <= 4 * estimates.std() / np.sqrt(1000) + 1e-9


class Ratios:
    """A law's score ratios under one noise, without its masked losses."""

    def __init__(self, law, noise, consistent=False):
        self.log_ratios, self.vocabulary_size, self.noise = law.log_ratios, law.vocabulary_size, noise
        self.consistent = consistent


@pytest.mark.parametrize(
    ("noise", "consistent", "name"),
    [
        (Uniform(), False, "score-entropy(uniform,polynomial)+stratified"),
        (Uniform(), True, "marginal-score-entropy(uniform,polynomial)+stratified"),
        (Absorbing(), True, "score-entropy(absorbing,polynomial)+stratified"),
    ],
)
def test_a_model_with_score_ratios_gets_a_score_entropy_estimator(noise, consistent, name):
    """A network's ratios need not be consistent with one law: the marginal estimator would then have another mean."""
    law = ids.MarkovChain.random(order=1, alphabet="AC", seed=0)
    (target,) = make_targets(law.sample(1, length=4, seed=0))
    (chosen,) = draw(Ratios(law, noise, consistent), [Cell(Auto(), target, 8, 400)], 0)
    assert chosen.cell.sampler == estimator(name)
    assert_unbiased(chosen.estimates, law.nll([target.tokens])[0])
    (masked,) = draw(law, [Cell(Auto(), target, 8, 4)], 0)  # a law that supports both gets a mask estimator
    assert masked.cell.sampler.name == "chain"


def test_a_declared_cost_of_a_pass_weighs_the_cost_of_the_regression():
    """At 64 positions a regression takes 32 ms; with 16 passes it saves 80 % of the passes, with 128 six times them."""

    def chosen(passes, cost):
        return estimator(f"auto(pass_cost={cost})").choose(64, passes).estimator.name

    assert chosen(16, 2e-3) == "block-chain+antithetic"
    assert chosen(16, 3e-3) == chosen(128, 1e-4) == Auto().choose(64, 16).estimator.name == "regression"
    assert Auto(pass_cost=1e-9).choose(3, 8).estimator.name == "exhaustive"


def test_the_declared_cost_is_in_the_attributes_and_changes_no_other_number():
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    tokens = law.sample(1, length=40, seed=0)

    class Network:
        token_nll = staticmethod(law.token_nll)

    results = [
        ids.estimate_nll(Network(), tokens, passes=16, seed=0, estimator=name)
        for name in ("auto", "auto(pass_cost=0.5)", "auto(pass_cost=1e-05)", "block-chain+antithetic")
    ]
    assert results[1].attrs["estimator"] == "auto(pass_cost=0.5)"
    np.testing.assert_array_equal(results[0]["nll"], results[1]["nll"])
    np.testing.assert_array_equal(results[2]["nll"], results[3]["nll"])
    assert results[0]["nll"].item() != results[2]["nll"].item()


def test_contract_the_name_gives_the_same_estimator():
    for cost in (0.0039062499609375, 1e-5, np.float32(0.1), 3):
        assert estimator(Auto(pass_cost=cost).name) == Auto(pass_cost=cost)


@pytest.mark.parametrize("value", ["1e-3", True, [1.0]])
def test_a_cost_of_another_type_is_refused(value):
    with pytest.raises(ids.InputError, match="auto needs a positive number of seconds for pass_cost"):
        Auto(pass_cost=value)


@pytest.mark.parametrize("name", ["auto(pass_cost)", "time-integral(eps)"])
def test_a_parameter_without_a_value_is_refused(name):
    with pytest.raises(ids.InputError, match=r"needs a value, such as \w"):
        estimator(name)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_cost_that_is_no_positive_number_is_refused(value):
    with pytest.raises(ids.InputError, match="auto needs a positive number of seconds for pass_cost"):
        estimator(f"auto(pass_cost={value})")
    with pytest.raises(ids.InputError, match="chain has no pass_cost, only auto has"):
        estimator(f"chain(pass_cost={value})")

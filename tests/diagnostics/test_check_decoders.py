"""Checks of distributions over the vocabulary, and of decoders beside the any-order value."""

import numpy as np
import pytest

import infodis_stats as ids
from tests.support.toys import ArbitraryDistributions, ArbitraryLosses


class Texts(ArbitraryDistributions):
    """Distributions of 4 symbols for texts of them."""

    longest = 24

    def __init__(self, factor=1.0):
        super().__init__(4)
        self.vocabulary, self.factor = 4, factor

    def token_log_probs(self, tokens, masked):
        return (self.factor * super().token_log_probs(tokens, masked)).log_softmax(dim=1)

    def token_nll(self, tokens, masked):
        losses = super().token_nll(tokens, masked)
        return losses if self.factor == 1.0 else ArbitraryDistributions(4).token_nll(tokens, masked)


def verdicts(check):
    return {verdict.check: verdict for verdict in check.diagnosis.verdicts}


def test_differences_from_the_any_order_value_are_those_of_sampler_nll():
    model = Texts()
    check = ids.check_model(model, seed=3)
    found = verdicts(check)
    assert (found["decoders"].verdict, found["distributions"].verdict) == ("fine", "fine")
    rows = np.random.default_rng(3).choice(4, size=(6, 24))[:3, :12]
    any_order = ids.order_gap(model, rows, orders=8, seed=3)["order_nll"].mean("order").values
    for rule, name in (("confidence", "confidence_difference"), ("left-to-right", "left_to_right_difference")):
        expected = (ids.sampler_nll(model, rows, rule)["nll"].values - any_order).mean()
        assert check.measured[name] == pytest.approx(expected, abs=1e-9)
        assert abs(expected) > 0.01
    likelihoods = np.exp(-ids.order_gap(model, rows, orders=8, seed=3)["order_nll"].values)
    bound = (-np.log(likelihoods.mean(axis=1)) - any_order).mean()
    assert check.measured["order_marginal_difference"] == pytest.approx(bound, abs=1e-9)
    exact = ids.bracket_nll(model, rows[:, :9])
    assert (exact["marginal_upper"] < exact["nll"]).all()


def test_under_a_law_there_is_no_difference():
    check = ids.check_model(ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0))
    assert check.measured["confidence_difference"] == pytest.approx(0.0, abs=1e-9)
    assert check.measured["left_to_right_difference"] == pytest.approx(0.0, abs=1e-9)
    assert check.measured["order_marginal_difference"] == pytest.approx(0.0, abs=1e-9)


def test_distributions_of_another_model_are_not_to_be_used():
    found = verdicts(ids.check_model(Texts(factor=0.5)))["distributions"]
    assert found.verdict == "do not use"
    assert "other log-probabilities" in found.reason


def test_models_without_distributions_have_neither_check():
    model = ArbitraryLosses(12)
    model.vocabulary, model.longest = 4, 12
    assert not {"decoders", "distributions"} & set(verdicts(ids.check_model(model)))

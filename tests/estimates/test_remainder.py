"""The remainder of truncated noise: exact if it can be enumerated, otherwise bounded, and always reported."""

import itertools
import json

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import Absorbing, Geometric, LogLinear, RateMatrix, ScoreEntropy, Stratified, Uniform, make_targets
from infodis_stats.estimates import remainder
from infodis_stats.estimates.positions import position_nll
from infodis_stats.estimates.remainder import noise_remainder
from infodis_stats.results.validity import caution_sentences
from tests.support.stat_asserts import assert_unbiased

RATES = RateMatrix([[-1.0, 0.3, 0.2, 0.5], [0.4, -0.9, 0.3, 0.5], [0.3, 0.3, -0.7, 0.5], [0.3, 0.3, 0.2, -1.5]])
LAWS = {
    "table": ids.TableLaw.random(count=9, length=3, alphabet="ABC", seed=1),
    "markov": ids.MarkovChain.random(order=1, alphabet="ABC", seed=2),
    "hidden": ids.HiddenMarkov.random(states=2, alphabet="ABC", seed=3),
}


def by_enumeration(law, tokens, given, noise, total_noise):
    """Return the divergence of the noised target from the noised law, by enumeration of clean and noised sequences."""
    symbols, length = law.vocabulary_size, len(tokens)
    kernel = noise.kernel(torch.tensor([total_noise], dtype=torch.float64), symbols)[0].numpy()
    clean = np.array(list(itertools.product(range(symbols), repeat=length)))
    prior = np.exp(-law.nll(clean)) * (clean[:, :given] == tokens[:given]).all(axis=1)
    prior /= prior.sum()
    total = 0.0
    for states in itertools.product(range(len(kernel)), repeat=length - given):
        chance = kernel[list(states)]
        own = np.prod(chance[np.arange(length - given), tokens[given:]])
        mixed = prior @ np.prod(chance[np.arange(length - given), clean[:, given:]], axis=1)
        total += own * np.log(own / mixed) if own > 0 else 0.0
    return total


def found(law, tokens, given, noise, total_noise):
    (target,) = make_targets(tokens[None], given)
    estimator = ScoreEntropy(noise, Geometric(largest=total_noise))
    integral = float(law.nll(tokens[None], context=given)[0])
    return noise_remainder(law, target, estimator, integral)


@pytest.mark.parametrize("total_noise", [0.3, 3.0])
@pytest.mark.parametrize("noise", [Absorbing(), Uniform(), RATES], ids=lambda noise: noise.name)
@pytest.mark.parametrize(("kind", "given"), [("table", 0), ("markov", 0), ("markov", 1), ("hidden", 1)])
def test_exact_remainders_match_enumeration(kind, given, noise, total_noise):
    law = LAWS[kind]
    tokens = law.sample(1, 3, seed=4)[0]
    expected = by_enumeration(law, tokens, given, noise, total_noise)
    answer = found(law, tokens, given, noise, total_noise)
    assert answer.lower == answer.upper == answer.known
    np.testing.assert_allclose(answer.known, expected, rtol=1e-9)
    other = ids.MarkovChain.random(order=1, alphabet="ABC", seed=9)  # control: another law has another remainder
    assert abs(found(other, tokens, given, noise, total_noise).known - expected) > 1e-3 * expected


@pytest.mark.parametrize("total_noise", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("noise", [Absorbing(), Uniform(), RATES], ids=lambda noise: noise.name)
@pytest.mark.parametrize("seed", range(4))
def test_bounds_contain_the_exact_remainder(monkeypatch, noise, total_noise, seed):
    law = LAWS["markov"]
    tokens = law.sample(1, 6, seed=seed)[0]
    exact = found(law, tokens, 1, noise, total_noise).known
    monkeypatch.setattr(remainder, "MOST_STATES", 0)
    bounds = found(law, tokens, 1, noise, total_noise)
    assert 0 <= bounds.lower <= exact <= bounds.upper
    assert bounds.lower < bounds.upper
    if noise == Absorbing() and total_noise == 5.0:  # hardly anything is visible, and never two positions
        np.testing.assert_allclose(bounds.lower, exact, rtol=0.05)


@pytest.mark.parametrize("total_noise", [0.5, 5.0])
def test_bounds_coincide_for_one_masked_position(monkeypatch, total_noise):
    """The position is visible alone or not at all: both bounds are its probability times its loss."""
    law, tokens = LAWS["markov"], LAWS["markov"].sample(1, 4, seed=3)[0]
    exact = found(law, tokens, 3, Absorbing(), total_noise).known
    monkeypatch.setattr(remainder, "MOST_STATES", 0)
    bounds = found(law, tokens, 3, Absorbing(), total_noise)
    np.testing.assert_allclose([bounds.lower, bounds.upper], exact, rtol=1e-9)
    np.testing.assert_allclose(exact, np.exp(-total_noise) * law.nll(tokens[None], context=3)[0], rtol=1e-9)


@pytest.mark.parametrize("total_noise", [0.5, 5.0])
def test_the_upper_bound_is_exact_for_two_masked_positions(monkeypatch, total_noise):
    """Either one position is visible or both are, which costs the whole NLL: the integral plus the remainder."""
    law, tokens = LAWS["markov"], LAWS["markov"].sample(1, 3, seed=3)[0]
    (target,) = make_targets(tokens[None], 1)
    estimator = ScoreEntropy(Absorbing(), Geometric(largest=total_noise))
    exact = noise_remainder(law, target, estimator, 0.0).known
    monkeypatch.setattr(remainder, "MOST_STATES", 0)
    integral = law.nll(tokens[None], context=1)[0] - exact
    np.testing.assert_allclose(noise_remainder(law, target, estimator, integral).upper, exact, rtol=1e-9)


def test_the_upper_bound_allows_for_the_error_of_the_integral(monkeypatch):
    """With two positions the bound at the exact integral is the remainder, so half of the estimates fall below it."""
    law, name = LAWS["markov"], "score-entropy(absorbing,polynomial,end=0.8)"
    tokens = law.sample(100, 3, seed=6)
    exact = ids.estimate_nll(law, tokens, name, passes=8, replicates=4, context=1)["remainder_upper"].values
    monkeypatch.setattr(remainder, "MOST_STATES", 0)
    result = ids.estimate_nll(law, tokens, name, passes=8, replicates=4, context=1)
    assert (result["remainder_upper"].values >= exact).mean() > 0.97


def test_complete_noise_has_no_remainder():
    law = LAWS["markov"]
    (target,) = make_targets(law.sample(1, 3, seed=0))
    nothing = noise_remainder(law, target, ScoreEntropy(Uniform(), LogLinear()), 1.0)
    assert (nothing.known, nothing.lower, nothing.upper) == (0.0, 0.0, 0.0)


CUT = "score-entropy(absorbing,polynomial,end=0.8)+stratified"
CUT_UNIFORM = "marginal-score-entropy(uniform,end=0.5)+stratified"


@pytest.mark.parametrize("name", [CUT, CUT_UNIFORM])
def test_integral_and_remainder_sum_to_the_nll(name):
    law = LAWS["table"]
    result = ids.estimate_nll(law, law.sequences[:4], name, passes=16, replicates=200, seed=1)
    assert_unbiased(result["nll_replicate"].values, result["exact"].values)
    assert (result["remainder_lower"] > 0.05).all()
    control = result["nll_replicate"].values - result["remainder_lower"].values[:, None]
    with pytest.raises(AssertionError):
        assert_unbiased(control, result["exact"].values)


@pytest.mark.parametrize("coupled", [True, False])
def test_ratios_have_the_difference_of_the_remainders(coupled):
    law = LAWS["markov"]
    first, second = law.sample(3, 4, seed=5), law.sample(3, 4, seed=6)
    second[:, 0] = first[:, 0]  # given to both
    result = ids.estimate_log_ratio(law, first, second, CUT, coupled=coupled, passes=16, replicates=300, context=1)
    assert_unbiased(result["log_ratio_replicate"].values, result["exact"].values)
    control = result["log_ratio_replicate"].values - 2 * result["remainder_lower"].values[:, None]
    with pytest.raises(AssertionError):
        assert_unbiased(control, result["exact"].values)


def test_each_of_two_models_has_its_remainder():
    first, second = LAWS["markov"], LAWS["hidden"]
    tokens = first.sample(3, 4, seed=5)
    result = ids.estimate_model_log_ratio(first, second, tokens, CUT_UNIFORM, passes=16, replicates=200)
    assert_unbiased(result["log_ratio_replicate"].values, result["exact"].values)
    with pytest.raises(ids.InputError, match="a pilot runs one model, but there are two"):
        ids.estimate_model_log_ratio(first, second, tokens, "score-entropy(uniform,pilot=32)")


def test_bounds_widen_the_interval_and_are_reported():
    law = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
    tokens = law.sample(2, 24, seed=1)
    name = "marginal-score-entropy(uniform,geometric,largest=2)+stratified"
    result = ids.estimate_nll(law, tokens, name, passes=32, replicates=8)
    lower, upper = result["nll_ci"].values.T
    assert (result["remainder_upper"] > 0.5).all()
    assert (upper - result["nll"] > result["remainder_upper"]).all()
    assert ((lower < result["exact"]) & (result["exact"] < upper)).all()
    cautions = caution_sentences(result)
    assert cautions["unfinished-noise"].endswith(
        f"up to {result['remainder_upper'].values.max():.3g} nats of some sequence"
    )
    assert "biased" not in cautions
    with pytest.raises(ids.InputError, match="standard errors do not include them"):
        ids.average(result, "these")
    ratios = ids.estimate_log_ratio(law, tokens[:1], tokens[1:], name, passes=32, replicates=8)
    with pytest.raises(ids.InputError, match="standard errors do not include them"):
        ids.decide(ratios)
    lower, upper = ratios["log_ratio_ci"].values.T
    assert (
        lower < ratios["log_ratio"] + ratios["remainder_lower"]
    ).all()  # the interval is wider on both sides by the unknown remainder
    assert (upper > ratios["log_ratio"] + ratios["remainder_upper"]).all()
    small = ids.estimate_nll(law, tokens, name.replace("2)", "9)"), passes=32, replicates=8)
    assert 0 < small["remainder_upper"].values.max() < 0.01
    assert ids.average(small, "these")["nll"] > 0
    assert "unfinished-noise" not in caution_sentences(small)
    finished = ids.estimate_nll(law, tokens, "marginal-score-entropy(uniform)+stratified", passes=32, replicates=8)
    assert "remainder_upper" not in finished


def test_a_requested_precision_excludes_a_remainder():
    law = LAWS["markov"]
    tokens = law.sample(1, 4, seed=1)
    with pytest.raises(ids.InputError, match="use a schedule that does"):
        ids.estimate_nll(law, tokens, CUT, precision=0.5)
    with pytest.raises(ids.InputError, match="use a schedule that does"):
        ids.estimate_log_ratio(law, tokens, tokens, CUT, precision=0.5)
    assert ids.estimate_nll(law, tokens, "marginal-score-entropy(uniform)+stratified", precision=0.5)["reached"].all()


class RatiosOnly:
    """A model of score ratios for one noise only, like a trained network."""

    def __init__(self, law, noise):
        self._law, self.noise, self.vocabulary_size = law, noise, law.vocabulary_size

    def log_ratios(self, noised, acts, total_noise, noise):
        return self._law.log_ratios(noised, acts, total_noise, noise).float()


def test_a_model_with_only_ratios_is_estimated_and_bounded():
    law = LAWS["markov"]
    tokens = law.sample(2, 5, seed=7)
    model, names = RatiosOnly(law, Absorbing()), ("score-entropy(absorbing,polynomial)+stratified", CUT)
    whole, cut = (ids.estimate_nll(model, tokens, name, passes=32, replicates=16) for name in names)
    truth = law.nll(tokens)
    for result in (whole, cut):
        lower, upper = result["nll_ci"].values.T
        assert ((lower < truth) & (truth < upper)).all()
        assert "exact" not in result
        assert np.isnan(result["full_mask_ratio"]).all()
    assert (cut["remainder_lower"] < cut["remainder_upper"]).all()
    chosen = ids.estimate_nll(model, tokens)
    assert set(chosen["estimator"].values) == {names[0]}
    assert json.loads(chosen.attrs["choices"]).keys() == {names[0]}
    with pytest.raises(ids.InputError, match="RatiosOnly does not price masked tokens"):
        ids.estimate_nll(model, tokens, "uniform-count")
    with pytest.raises(ids.InputError, match="was made for absorbing noise, the estimator asks for uniform noise"):
        ids.estimate_nll(model, tokens, "score-entropy(uniform)")


def test_marginal_estimators_need_ratios_that_come_from_one_law():
    law, model = LAWS["markov"], RatiosOnly(LAWS["markov"], Uniform())
    tokens, name = law.sample(2, 5, seed=7), "marginal-score-entropy(uniform,polynomial)+stratified"
    with pytest.raises(ids.InputError, match=r"^RatiosOnly does not declare .* \(consistent = True\), and averages"):
        ids.estimate_nll(model, tokens, name, passes=32)
    model.consistent = True
    for item in (model, law):
        assert np.isfinite(ids.estimate_nll(item, tokens, name, passes=32)["nll"]).all()


def test_mask_methods_reject_estimators_without_masks():
    law = LAWS["markov"]
    with pytest.raises(ids.InputError, match="redraws weighted sums of masked losses"):
        ids.estimate_nll(law, law.sample(1, 4, seed=1), CUT, interval="design-bootstrap")
    (target,) = make_targets(law.sample(1, 4, seed=1))
    (evaluation,) = ids.evaluate(law, [ids.Job(target, ids.estimator(CUT).plan(4, 8, 2, np.random.default_rng(0)))])
    with pytest.raises(ids.InputError, match="loss maps need masks"):
        position_nll(evaluation)
    with pytest.raises(ids.InputError, match="sizes need masks"):
        ids.estimate_sizes(law, law.sample(1, 4, seed=1), "score-entropy(uniform)")


def test_custom_schedules_are_unbiased():
    law = LAWS["markov"]
    estimator = ScoreEntropy(RATES, Geometric(smallest=0.01, largest=30.0), Stratified(), marginal=True)
    tokens = law.sample(3, 4, seed=8)
    result = ids.estimate_nll(law, tokens, estimator, passes=16, replicates=200)
    assert_unbiased(result["nll_replicate"].values, result["exact"].values)


def test_rare_tokens_under_noise_have_a_caution():
    """With two tokens of 12 nats, 84 % of the intervals cover. Masks, and tokens of 4 nats, need no caution."""
    for nats, said in ((12.0, True), (4.0, False)):
        rare = np.exp(-nats)
        law = ids.MarkovChain(np.ones(()), [1 - rare, rare], alphabet="AB")
        tokens = law.encode(["AAABAAAB"])
        for name in ("marginal-score-entropy(uniform,polynomial)+stratified", "uniform-count+stratified"):
            result = ids.estimate_nll(law, tokens, name, passes=64, replicates=8)
            cautions = caution_sentences(result)
            assert ("rare-tokens" in cautions) == (said and name.startswith("marginal"))

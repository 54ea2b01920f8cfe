"""Averages over documents, and the split of a budget between documents and masks."""

import numpy as np
import pytest
from scipy import stats

import infodis_stats as ids
from estimators import Cell, draw, make_targets
from estimators.plan import pass_terms
from infodis_stats import analysis
from infodis_stats.laws.stationary import stationary
from infodis_stats.results.error_bars import interval_kind
from infodis_stats.results.sample import Sample
from infodis_stats.results.validity import caution_sentences
from tests.support.stat_asserts import assert_rate

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
ROWS = [*LAW.sample(6, length=8, seed=1), *LAW.sample(6, length=16, seed=2)]


@pytest.fixture(scope="module")
def result():
    return ids.estimate_nll(LAW, ROWS, "uniform-count+stratified", passes=8, replicates=8)


def test_nlls_are_averaged_per_document_and_per_token(result):
    for of in ("these", "population"):
        found = ids.average(result, of, level=0.9)
        assert found["nll"].item() == pytest.approx(result["nll"].values.mean())
        per_token = result["nll"].values.sum() / (6 * 8 + 6 * 16)
        assert found["nll_per_token"].item() == pytest.approx(per_token)
        assert found["bits_per_token"].item() == pytest.approx(per_token / np.log(2))
        assert found["perplexity"].item() == pytest.approx(np.exp(per_token))
        np.testing.assert_allclose(found["perplexity_ci"], np.exp(found["nll_per_token_ci"]))
        assert found["perplexity_se"].item() == pytest.approx(np.exp(per_token) * found["nll_per_token_se"].item())
        assert (found.attrs["of"], found.attrs["documents"], found.attrs["tokens"]) == (of, 12, 144)
        assert all(found[name].attrs["units"] and found[name].attrs["long_name"] for name in found.data_vars)
    means = stats.sem(result["nll"].values)
    assert ids.average(result, "population")["nll_se"].item() == pytest.approx(means)
    masks = np.sqrt((result["nll_se"] ** 2).sum().item()) / 12
    assert ids.average(result, "these")["nll_se"].item() == pytest.approx(masks)


def test_varying_numbers_of_replicates_are_respected():
    rounds = {"passes": 4, "replicates": 4, "precision": 0.5, "interval": "student-t"}
    one = ids.estimate_nll(LAW, ROWS, "uniform-count", **rounds)
    draws = one["nll_replicate"].values
    assert np.isnan(draws).any()
    errors = np.array([stats.sem(row[~np.isnan(row)]) ** 2 for row in draws])
    assert ids.average(one, "these")["nll_se"].item() == pytest.approx(np.sqrt(errors.sum()) / 12)
    within = (errors * one["forward_passes"].values).mean()
    assert ids.split_budget(one, 10_000).attrs["within"] == pytest.approx(within)


@pytest.fixture(scope="module")
def samples():
    """100 samples of 12 sequences each, with their estimates."""
    tokens = LAW.sample(100 * 12, length=8, seed=5)
    return tokens, ids.estimate_nll(LAW, tokens, "uniform-count+stratified", passes=4, replicates=5)


def hits(samples, of, value_of):
    """Return how many samples have an interval that covers their value."""
    tokens, whole = samples
    count = 0
    for start in range(0, len(tokens), 12):
        found = ids.average(whole.isel(sequence=slice(start, start + 12)), of)
        lower, upper = found["nll_per_token_ci"].values
        count += lower <= value_of(tokens[start : start + 12]) <= upper
    return count


def truth(tokens):
    return LAW.nll(tokens).mean() / 8


def entropy(_):
    """Return the exact entropy per symbol of eight symbols from the start of the chain, by the chain rule."""
    state, total = LAW.initial, stats.entropy(LAW.initial)
    for _ in range(7):
        total += state @ stats.entropy(LAW.transition, axis=1)
        state = state @ LAW.transition
    return total / 8


def test_these_documents_have_only_mask_error(samples):
    assert_rate(hits(samples, "these", truth), 100, 0.95)


def test_the_population_mean_of_a_chain_is_its_entropy(samples):
    assert_rate(hits(samples, "population", entropy), 100, 0.95)


@pytest.mark.slow
def test_control_mask_error_is_too_small_for_the_population(samples):
    with pytest.raises(AssertionError):
        assert_rate(hits(samples, "these", entropy), 100, 0.95)


@pytest.fixture(scope="module")
def single_replicates():
    """Twelve documents, repeated 1,000 times with one replicate each: estimates, their errors and their passes."""
    law = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0, concentration=0.3)
    targets = make_targets(law.sample(12, length=16, seed=11))
    draws = list(draw(law, [Cell(ids.estimator("uniform-count+stratified"), one, 16, 1000) for one in targets], 0))
    values = np.array([one.estimates for one in draws])
    bars = [interval_kind("design").error_bars(Sample(one, 1), 0.95) for one in draws]
    passes = [pass_terms(one.evaluations[0].plan, one.evaluations[0].losses) for one in draws]
    return law.nll(np.stack([one.tokens for one in targets])).mean(), values, bars, passes


def covered(truth, values, errors, degrees):
    """Return how many averages have an interval that covers their value."""
    columns = (analysis.Estimates(*one) for one in zip(values.T, errors.T, degrees.T, strict=True))
    ends = [analysis.average(one, "these").interval for one in columns]
    return sum(end.lower <= truth <= end.upper for end in ends)


def test_one_replicate_per_document_is_enough(single_replicates):
    truth, values, bars, _ = single_replicates
    errors, degrees = (np.array([getattr(one, name) for one in bars]) for name in ("standard_error", "degrees"))
    assert_rate(covered(truth, values, errors, degrees), 1000, 0.95)


@pytest.mark.slow
def test_control_treating_passes_as_independent_overestimates_the_error(single_replicates):
    """Strata differ in their means, which adds to the spread of the passes but not to the error."""
    truth, values, _, passes = single_replicates
    errors = np.array([one.std(axis=1, ddof=1) / 4 for one in passes])
    with pytest.raises(AssertionError):
        assert_rate(covered(truth, values, errors, np.full(errors.shape, 15.0)), 1000, 0.95)


def test_results_of_one_replicate_can_be_averaged_and_split():
    one = ids.estimate_nll(LAW, ROWS, "uniform-count+latin-hypercube", passes=16, replicates=1)
    these = ids.average(one, "these")
    assert these["nll_se"].item() == pytest.approx(np.sqrt((one["nll_se"] ** 2).sum().item()) / 12)
    assert ids.average(one, "population")["nll_se"].item() == pytest.approx(stats.sem(one["nll"].values))
    share = (one["nll_se"] ** 2).mean() / one["nll"].var(ddof=1)
    assert these["mask_share"].item() == pytest.approx(share.item())
    split = ids.split_budget(one, 1000)
    assert split.attrs["within"] == pytest.approx((one["nll_se"] ** 2 * one["forward_passes"]).mean().item())
    ratios = ids.estimate_log_ratio(LAW, ROWS[:6], ROWS[1:6] + ROWS[:1], passes=16, replicates=1)
    assert 0 <= ids.average(ratios, "these")["win_rate"].item() <= 1
    single = ids.average(one.isel(sequence=[0]), "these")
    np.testing.assert_allclose(single["nll_ci"], one["nll_ci"][0])


def test_long_documents_cost_the_entropy_rate_per_token():
    """Only the first of 200 symbols is drawn from another law: a difference below 1 % of a nat."""
    tokens = LAW.sample(12, length=200, seed=6)
    rate = stationary(LAW.transition) @ stats.entropy(LAW.transition, axis=1)
    found = ids.average(ids.estimate_nll(LAW, tokens, "uniform-count", passes=4), "population")
    assert abs(found["nll_per_token"].item() - rate) < 4 * found["nll_per_token_se"].item() + 0.01


def test_ratios_have_a_win_rate():
    first, second = LAW.sample(30, length=8, seed=7), LAW.sample(30, length=8, seed=8)
    exact = ids.estimate_log_ratio(LAW, first, second, "exhaustive", passes=255, replicates=2)
    wins = (exact["exact"] > 0).mean().item()
    found = ids.average(exact, "these")
    assert found["win_rate"].item() == wins
    np.testing.assert_array_equal(found["win_rate_ci"], [wins, wins])
    assert "win_rate_se" not in found
    lower, upper = ids.average(exact, "population")["win_rate_ci"].values
    assert lower < wins < upper
    noisy = ids.average(ids.estimate_log_ratio(LAW, first, second, "uniform-count", passes=8), "these")
    lower, upper = noisy["win_rate_ci"].values
    assert lower <= wins <= upper


@pytest.fixture(scope="module")
def skewed():
    """One sequence of 120 tokens among ten of about 10."""
    lengths = (8, 8, 9, 9, 10, 10, 11, 12, 8, 9, 120)
    rows = [LAW.sample(1, length=length, seed=length)[0] for length in lengths]
    return ids.estimate_nll(LAW, rows, "uniform-count+stratified", passes=16, replicates=4)


class TestDomination:
    def test_a_long_document_is_a_caution_for_the_population_only(self, skewed):
        population, these = (ids.average(skewed, of) for of in ("population", "these"))
        assert population["average"].values.tolist() == ["nll", "nll_per_token", "bits_per_token_macro"]
        assert population["dominated"].values.tolist() == [True, True, False]  # each document counts the same
        assert population["effective_documents"].sel(average="nll") < 1.5
        assert set(caution_sentences(population)) - set(caution_sentences(these)) == {"few-documents-dominate"}
        assert "dominated" not in these
        text = str(ids.summary(population))
        assert "Caution (few-documents-dominate): a few documents dominate" in text
        assert "(nll, nll_per_token)." in text
        assert "few-documents-dominate" not in str(ids.summary(these))

    def test_the_interval_reaches_further_where_the_tail_is(self, skewed):
        found = ids.average(skewed, "population")
        estimate, (lower, upper) = found["nll"].item(), found["nll_ci"].values - found["nll"].item()
        half = stats.t.ppf(0.975, 10) * found["nll_se"].item()
        assert half > estimate
        assert lower == pytest.approx(-estimate)  # the interval ends at 0
        assert upper > 2 * half

    def test_documents_of_similar_length_have_no_caution(self, result):
        found = ids.average(result, "population")
        assert not found["dominated"].any()
        assert "few-documents-dominate" not in caution_sentences(found)

    def test_results_that_lack_the_caution_get_it(self, skewed):
        older = skewed.drop_sel(caution="few-documents-dominate")
        assert "few-documents-dominate" in caution_sentences(ids.average(older, "population"))


@pytest.mark.slow
def test_splits_have_their_predicted_errors():
    """The spread of means over many data sets is the predicted error, for both documents and masks."""
    pilot = ids.estimate_nll(LAW, LAW.sample(200, length=16, seed=9), "uniform-count", passes=4, replicates=8)
    split = ids.split_budget(pilot, budget=400, document_cost=4)
    assert split.attrs["pilot_passes"] == pytest.approx(8 * 4, rel=0.1)
    row = split.sel(document_passes=8, method="nearest")  # two replicates of four passes
    documents = int(row["documents"])
    assert documents == 400 // (int(row["document_passes"]) + 4)
    tokens = LAW.sample(documents * 100, length=16, seed=10)
    draws = ids.estimator("uniform-count").sample(LAW, tokens, passes=4, replicates=2, rng=1)
    spread = draws.mean(axis=1).reshape(100, documents).mean(axis=1).std(ddof=1)
    # The spread of 100 means has a relative error of 7 %, the prediction from the components of the pilot about 5 %.
    assert spread == pytest.approx(row["expected_se"].item(), rel=0.35)  # four standard errors of both
    best = split.attrs["best"]
    optimum = np.sqrt(4 * split.attrs["within"] / split.attrs["between"])
    assert best == round(optimum)
    assert split["expected_se"].sel(document_passes=best).item() == split["expected_se"].min().item()


def test_free_documents_need_few_passes_and_exact_ones_no_more():
    pilot = ids.estimate_nll(LAW, ROWS, "uniform-count", passes=8)
    split = ids.split_budget(pilot, 10_000)
    assert split.attrs["best"] == split["document_passes"].values.min()
    exact = ids.split_budget(ids.estimate_nll(LAW, ROWS, passes=16), 10_000)
    assert exact.sizes["document_passes"] == 1


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda one: ids.average(one, "all"), "of must be 'these' or 'population', got 'all'"),
        (lambda one: ids.average(one.isel(sequence=[0]), "population"), "at least 2 documents"),
        (lambda one: ids.average(one.drop_vars("degrees"), "these"), "an average needs the result of"),
        (lambda one: ids.split_budget(one, 10), "a budget of 10 passes does not buy two documents, which cost"),
        (lambda one: ids.split_budget(one.isel(sequence=slice(3)), 1000), "at least 4 documents, got 3"),
        (lambda one: ids.split_budget(one, 1000, -1), "a number of passes of at least 0, got -1"),
    ],
)
def test_bad_input_is_one_sentence(result, call, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        call(result)

"""Results are labelled data sets."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import infodis_stats as ids
from infodis_stats import analysis
from infodis_stats.results.error_bars import ErrorBar
from infodis_stats.results.labels import replicates_dataset

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(4, length=6, seed=1)
UNFINISHED = "score-entropy(uniform,end=0.9)"


def results_of_every_kind():
    """Yield the name and an example of each kind of data set that the package returns."""
    nll = ids.estimate_nll(LAW, TOKENS)
    ratio = ids.estimate_log_ratio(LAW, TOKENS[:2], TOKENS[2:])
    austen = ids.load_model("austen")
    record = ids.Record("opening", "It is a truth ", "universally")
    yield "nll", nll
    yield "nll to a precision", ids.estimate_nll(LAW, TOKENS, "uniform-count", precision=2.0)
    yield "nll of unfinished noise", ids.estimate_nll(LAW, TOKENS, UNFINISHED)
    yield "log ratio", ratio
    yield "model log ratio", ids.estimate_model_log_ratio(LAW, LAW, TOKENS)
    yield "texts", ids.estimate_texts(austen, [record], passes=4, precision=50.0)
    yield "positions", ids.estimate_positions(austen, record, passes=4, replicates=2)
    yield "sizes", ids.estimate_sizes(LAW, TOKENS)
    yield "ranking", ids.rank_candidates(LAW, TOKENS)
    yield "scan", ids.scan_substitutions(LAW, TOKENS[0], passes=4, replicates=2)
    yield "information", ids.estimate_information(LAW, ids.Uniform(), length=4, sequences=8)
    yield "order gap", ids.order_gap(LAW, TOKENS, orders=3)
    yield "order swaps", ids.order_swaps(LAW, TOKENS)
    yield "average", ids.average(nll, "these")
    yield "win rate", ids.average(ratio, "population")
    yield "budget", ids.split_budget(nll, 4000)
    yield "decision", ids.decide(ratio)
    yield "variances", ids.compare_variances(nll, ids.estimate_nll(LAW, TOKENS, "time-free"))


def undeclared(dataset):
    return [name for name, variable in dataset.data_vars.items() if not {"units", "long_name"} <= set(variable.attrs)]


def test_every_variable_has_units_and_a_long_name():
    assert {kind: names for kind, result in results_of_every_kind() if (names := undeclared(result))} == {}


@pytest.mark.parametrize("kind", ["study", "ratio_study", "frontier_study", "calibration_study", "information_study"])
def test_every_variable_of_a_study_has_units_and_a_long_name(kind, request):
    tree = request.getfixturevalue(kind)
    groups = {group: tree[group].to_dataset() for group in tree.children}
    assert {group: names for group, dataset in groups.items() if (names := undeclared(dataset))} == {}


def test_control_a_variable_without_units_is_reported():
    assert undeclared(xr.Dataset({"gap": 1.0})) == ["gap"]


def test_replicates_are_labelled_with_their_interval():
    draws = np.array([[3.0, 4.0, 6.0], [3.0, 3.0, 3.0]])
    dataset = replicates_dataset("nll", draws, labels=("sequence", ["x", "y"]), level=0.9, length=[4, 5])
    low, high = stats.t.interval(0.9, 2, draws[0].mean(), stats.sem(draws[0]))
    np.testing.assert_allclose(dataset["nll_ci"].sel(sequence="x"), [low, high])
    assert dataset["nll_se"].values.tolist() == [pytest.approx(stats.sem(draws[0])), 0.0]
    assert dataset["nll_ci"].attrs["ci_prob"] == 0.9
    assert dataset["length"].attrs["units"] == "1"


@pytest.mark.parametrize("end", ["lower", "upper"])
def test_an_interval_contains_its_estimate_up_to_rounding(end):
    values = np.array([[1.0, 2.0, 3.5]])
    mean = values.mean()
    beyond = np.nextafter(mean, np.inf if end == "lower" else -np.inf)
    ends = {"lower": mean - 1.0, "upper": mean + 1.0} | {end: beyond}
    bar = ErrorBar("hall", 1.0, 2.0, **ends)
    dataset = replicates_dataset("nll", values, labels=("sequence", [0]), level=0.95, bars=[bar])
    assert dataset["nll_ci"].sel(ci_bound=end).item() == dataset["nll"].item() == mean
    # Control: an interval that misses by more than rounding stays as it is.
    far = ErrorBar("hall", 1.0, 2.0, **(ends | {end: mean + (0.1 if end == "lower" else -0.1)}))
    dataset = replicates_dataset("nll", values, labels=("sequence", [0]), level=0.95, bars=[far])
    assert dataset["nll_ci"].sel(ci_bound=end).item() != mean


def two_bars(name, lower, upper, estimates):
    bars = [ErrorBar("design", 1.0, 3.0, low, high) for low, high in zip(lower, upper, strict=True)]
    dataset = replicates_dataset(name, np.array(estimates), labels=("item", range(len(bars))), level=0.95, bars=bars)
    return dataset[f"{name}_ci"].values.tolist()


def test_intervals_of_likelihoods_do_not_reach_below_0():
    case = ([-1.0, 0.5], [3.0, 1.5], [[1.0, 1.0], [1.0, 1.0]])
    assert two_bars("nll", *case) == [[0.0, 3.0], [0.5, 1.5]]
    assert two_bars("log_ratio", *case) == [[-1.0, 3.0], [0.5, 1.5]]  # control: a ratio has any sign


def test_negative_estimates_stay_in_their_intervals():
    assert two_bars("nll", [-3.0, -3.0], [1.0, -1.0], [[-1.0, -1.0], [-2.0, -2.0]]) == [[-1.0, 1.0], [-3.0, -1.0]]


def test_intervals_at_0_cover_as_often_as_those_that_reach_below():
    """A sequence that the law nearly determines: many intervals of few passes would reach below 0."""
    law = ids.MarkovChain([0.9, 0.1], [[0.98, 0.02], [0.3, 0.7]], "AB")
    tokens = law.sample(400, length=6, seed=3)
    result = ids.estimate_nll(law, tokens, "uniform-count", passes=4, replicates=2, interval="student-t")
    lower, upper = result["nll_ci"].values.T
    raw = analysis.student_t(result["nll_replicate"].values)
    truth, slack = result["exact"].values, 1e-9
    below = raw.lower < 0
    assert below.mean() > 0.2
    assert (lower >= 0).all()
    covers = (lower - slack <= truth) & (truth <= upper + slack)
    np.testing.assert_array_equal(covers[below], (truth <= raw.upper + slack)[below])
    assert covers[below].any()
    # Control: cut at the estimate instead of 0, intervals cover less.
    estimate = result["nll"].values
    assert ((estimate <= truth) & (truth <= upper))[below].mean() < covers[below].mean() - 0.1


def test_perplexities_are_at_least_1():
    law = ids.MarkovChain([0.9, 0.1], [[0.98, 0.02], [0.3, 0.7]], "AB")
    result = ids.estimate_nll(law, law.sample(3, length=6, seed=3), "uniform-count", passes=4, replicates=2)
    for of in ("these", "population"):
        averaged = ids.average(result, of, level=0.999999)
        for name in ("nll", "nll_per_token", "bits_per_token", "bits_per_token_macro"):
            lower, upper = averaged[f"{name}_ci"].values
            assert lower == 0
            assert 0 < averaged[name] < upper
        assert averaged["perplexity_ci"].values[0] == 1
    ratio = ids.estimate_log_ratio(law, law.sample(3, length=6, seed=3), law.sample(3, length=6, seed=4), "time-free")
    assert ids.average(ratio, "population", level=0.9999)["log_ratio_ci"].values[0] < 0  # control

"""Averages over documents: their standard errors against closed forms, the bootstrap and simulation."""

import numpy as np
import pytest
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis import Estimates, average, win_rate
from tests.support.stat_asserts import assert_mean, assert_rate

SIZES = np.array([8, 16, 24, 40, 64, 10, 30, 50])
TRUTH = 2.0 * SIZES + np.array([1.0, -3.0, 5.0, 2.0, -8.0, 0.0, 4.0, -1.0])
over = Estimates.of_replicates


def documents(rng, count=1, replicates=4):
    """Estimates for the documents, with errors proportional to their length, repeated `count` times."""
    return TRUTH[:, None] + 0.05 * SIZES[:, None] * rng.normal(size=(count, len(SIZES), replicates))


def test_the_average_over_these_documents_by_its_definition():
    (draws,) = documents(np.random.default_rng(0))
    found = average(over(draws), "these", SIZES, level=0.9)
    errors = draws.var(axis=1, ddof=1) / 4
    assert found.estimate == pytest.approx(draws.mean(axis=1).sum() / SIZES.sum())
    assert found.standard_error == pytest.approx(np.sqrt(errors.sum()) / SIZES.sum())
    half = stats.t.ppf(0.95, errors.sum() ** 2 / (errors**2 / 5).sum() - 2) * found.standard_error
    assert (found.interval.upper - found.interval.lower) / 2 == pytest.approx(half)


def test_a_population_mean_is_the_t_interval_of_the_means():
    (draws,) = documents(np.random.default_rng(1))
    found = average(over(draws), "population")
    means = draws.mean(axis=1)
    expected = stats.t.interval(0.95, len(means) - 1, means.mean(), stats.sem(means))
    np.testing.assert_allclose((found.interval.lower, found.interval.upper), expected)


def test_known_standard_errors_need_no_replicates():
    found = average(Estimates([1.0, 5.0], [0.3, 0.4], [np.inf, np.inf]), "these")
    assert (found.estimate, found.standard_error) == (3.0, pytest.approx(0.25))
    assert found.interval.upper == pytest.approx(3 + stats.norm.ppf(0.975) * 0.25)
    one = Estimates([1.0], [0.3], [5.0])
    half = stats.t.ppf(0.975, 5) * 0.3
    assert average(one, "these").interval.upper == pytest.approx(1 + half)  # a single document keeps its interval


def test_padding_is_not_counted_as_replicates():
    (draws,) = documents(np.random.default_rng(2))
    draws[3, 2:] = np.nan
    errors = [stats.sem(row[~np.isnan(row)]) ** 2 for row in draws]
    assert average(over(draws), "these").standard_error == pytest.approx(np.sqrt(np.sum(errors)) / len(SIZES))


def test_the_ratio_of_a_population_has_the_standard_error_of_the_bootstrap():
    rng = np.random.default_rng(3)
    sizes = rng.integers(10, 60, 80)
    draws = (2 * sizes + 6 * rng.normal(size=80))[:, None] + rng.normal(size=(80, 4))
    index = rng.integers(0, 80, (4000, 80))
    ratios = draws.mean(axis=1)[index].sum(axis=1) / sizes[index].sum(axis=1)
    # 4,000 resamples give the bootstrap standard error to 1.1 %; the two differ by terms of order 1/80.
    assert average(over(draws), "population", sizes).standard_error == pytest.approx(ratios.std(), rel=0.06)
    with pytest.raises(AssertionError):  # control: ignore the variation of the documents' lengths
        assert average(over(draws), "population").standard_error / sizes.mean() == pytest.approx(ratios.std(), rel=0.06)


def covered(found, value):
    return bool(found.interval.lower <= value <= found.interval.upper)


def test_the_interval_for_these_documents_covers():
    draws = documents(np.random.default_rng(4), 2000)
    truth = TRUTH.sum() / SIZES.sum()
    assert_mean([average(over(one), "these", SIZES).estimate for one in draws], truth)
    hits = sum(covered(average(over(one), "these", SIZES), truth) for one in draws)
    assert_rate(hits, 2000, 0.95)


def population(rng, count=20):
    """Documents of random length, 2 nats per token on average; they vary more between each other than by masks."""
    sizes = rng.integers(10, 60, count)
    truth = 2 * sizes + 3 * np.sqrt(sizes) * rng.normal(size=count)
    return truth[:, None] + np.sqrt(4 * sizes)[:, None] * rng.normal(size=(count, 4)), sizes


@pytest.mark.slow
def test_the_interval_for_a_population_covers():
    rng = np.random.default_rng(5)
    hits = {"mean": 0, "ratio": 0, "these": 0}
    for _ in range(2000):
        draws, sizes = population(rng)
        hits["mean"] += covered(average(over(draws), "population"), 2 * 34.5)
        hits["ratio"] += covered(average(over(draws), "population", sizes), 2.0)
        hits["these"] += covered(average(over(draws), "these", sizes), 2.0)
    assert_rate(hits["mean"], 2000, 0.95)
    # The linearised ratio of 20 documents covers up to 1 point less.
    rate = hits["ratio"] / 2000
    assert 0.94 - 4 * np.sqrt(0.95 * 0.05 / 2000) < rate < 0.95 + 4 * np.sqrt(0.95 * 0.05 / 2000)
    with pytest.raises(AssertionError):  # control: the variance from masks alone is too small
        assert_rate(hits["these"], 2000, 0.95)


def signs(rng, truth, replicates):
    return truth[:, None] + rng.normal(size=(len(truth), replicates))


def test_win_rates_of_smoothly_distributed_values_are_nearly_unbiased():
    rng = np.random.default_rng(6)
    found, plain = [], []
    for _ in range(500):
        truth = rng.normal(0.8, 1.0, size=400)
        draws = signs(rng, truth, 8)
        share = (truth > 0).mean()
        found.append(win_rate(over(draws), "these").estimate - share)
        plain.append((draws.mean(axis=1) > 0).mean() - share)
    # Noise of variance 1/8 changes P(Z > -0.8) to P(Z > -0.8 / sqrt(9/8)), 1.3 % less.
    share, once = stats.norm.cdf(0.8 / np.sqrt([1, 9 / 8]))
    assert_mean(plain, once - share)
    # Second-order terms remain: 0.2 % for a known variance, slightly more for an estimated one. 500 tables give the
    # mean to 0.09 %, so half of the plain share's bias is four standard errors away.
    assert abs(np.mean(found)) < abs(once - share) / 2
    with pytest.raises(AssertionError):
        assert_mean(plain, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("replicates", [3, 8])
def test_win_rate_intervals_cover_in_the_worst_case(replicates):
    """Ten values are clearly above zero and ten barely below: claims about the latter are false, no other is missed."""
    rng = np.random.default_rng(7)
    truth = np.where(np.arange(20) % 2, -1e-6, 8.0)
    hits = plain = 0
    for _ in range(2000):
        draws = signs(rng, truth, replicates)
        hits += covered(win_rate(over(draws), "these"), 0.5)
        claims = stats.ttest_1samp(draws, 0, axis=1, alternative="greater").pvalue < 0.025
        plain += claims.sum() <= 10
    # The bound allows for one false claim among ten; two are a miss: P(binomial(10, 0.025) >= 2) = 2.46 % exactly.
    assert_rate(hits, 2000, stats.binom.cdf(1, 10, 0.025))
    with pytest.raises(AssertionError):  # control: the number of claims itself is not a bound
        assert_rate(plain, 2000, stats.binom.cdf(1, 10, 0.025))


def test_the_interval_covers_despite_near_ties_and_the_plain_interval_does_not():
    rng = np.random.default_rng(8)
    hits = plain = 0
    for _ in range(300):
        truth = np.where(rng.random(100) < 0.5, 0.02, rng.choice([-3.0, 3.0], size=100))
        draws = signs(rng, truth, 8)
        hits += covered(win_rate(over(draws), "population"), 0.75)
        share = (draws.mean(axis=1) > 0).mean()
        plain += abs(share - 0.75) < 1.96 * np.sqrt(share * (1 - share) / 100)
    assert hits / 300 > 0.95
    assert plain / 300 < 0.5


def test_exact_signs_and_ties_are_counted_exactly():
    draws = np.repeat([[3.0], [0.1], [-2.0], [0.0]], 4, axis=1)
    found = win_rate(over(draws), "these")
    assert (found.estimate, found.interval.lower, found.interval.upper) == (0.625, 0.625, 0.625)
    assert win_rate(over(np.ones((3, 2))), "population").interval.upper == 1  # where Wilson's formula rounds
    wider = win_rate(over(draws), "population").interval
    assert 0 < wider.lower < 0.625 < wider.upper < 1
    point = average(over(draws), "these")
    assert point.interval.lower == point.interval.upper == point.estimate


def test_the_win_rates_of_both_sides_sum_to_one():
    draws = signs(np.random.default_rng(9), np.linspace(-1, 2, 40), 6)
    one, other = win_rate(over(draws), "population"), win_rate(over(-draws), "population")
    assert one.estimate == pytest.approx(1 - other.estimate)
    assert one.interval.lower == pytest.approx(1 - other.interval.upper)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"of": "all"}, "of must be 'these' or 'population', got 'all'"),
        ({"estimates": over([[1.0, 2.0]]), "of": "population"}, "at least 2 documents, got 1"),
        ({"sizes": [1, 2]}, "sizes must be positive and have shape"),
        ({"level": 95}, "between 0 and 1, got 95"),
        ({"estimates": over([1.0, 2.0])}, r"estimates of shape \(D,\) with at least 1 document, got shape \(\)"),
        ({"estimates": over([[1.0, np.nan], [1.0, 2.0]])}, "a standard error for each document, but 1 have none"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    (draws,) = documents(np.random.default_rng(0))
    with pytest.raises(InputError, match=sentence):
        average(**({"estimates": over(draws), "of": "these"} | arguments))

"""Shares of right answers: intervals that cover although leading answers are known only up to noise."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

import infodis_stats as ids
from infodis_stats.analysis.accuracy import accuracy, mask_noise, mean_accuracy
from tests.support.stat_asserts import assert_rate

SHARE, QUESTIONS, SETS = 0.6, 200, 400


def answered(rng, near):
    """Leaders and p-values of questions of two answers; a share of them are near ties."""
    own = rng.random(QUESTIONS) < SHARE
    gap = np.abs(rng.normal(size=QUESTIONS)) * np.where(rng.random(QUESTIONS) < near, 0.1, 10.0)
    score = gap + rng.normal(size=QUESTIONS)
    return np.where(score > 0, own, ~own), 2 * stats.norm.sf(np.abs(score)), own


@pytest.mark.parametrize("near", [0.0, 0.5])
def test_the_population_and_the_questions_are_covered(near):
    rng = np.random.default_rng(0)
    population, these, naive = np.zeros((3, SETS), dtype=bool)
    for row in range(SETS):
        right, p_values, own = answered(rng, near)
        result = accuracy(right, p_values)
        population[row] = result.population.lower <= SHARE <= result.population.upper
        these[row] = result.these.lower <= own.mean() <= result.these.upper
        lower, upper = proportion_confint(right.sum(), QUESTIONS, method="wilson")
        naive[row] = lower <= SHARE <= upper
    for covered in (population, these):
        assert stats.binomtest(int(covered.sum()), SETS, 0.95).proportion_ci(0.999).high >= 0.95
    if near:
        assert naive.mean() < 0.85, "control: the leaders alone"


def test_settled_questions_have_nearly_the_interval_of_a_binomial_share():
    right = np.arange(200) < 120
    result = accuracy(right, np.full(200, 0.04))
    lower, upper = proportion_confint(120, 200, method="wilson")
    assert result.estimate == 0.6
    assert (result.population.lower, result.population.upper) == pytest.approx((lower, upper), abs=0.01)
    opened = accuracy(right, np.full(200, 0.5))
    assert (opened.population.lower, opened.population.upper) == (0.0, 1.0), "control: nothing is settled"


@pytest.mark.parametrize(("right", "p_values"), [([], []), ([True], [0.1, 0.2]), ([[True]], [[0.1]])])
def test_wrong_shapes_are_refused(right, p_values):
    with pytest.raises(ids.InputError, match="one entry per question"):
        accuracy(right, p_values)


def test_a_mean_over_tasks_covers_and_weighs_as_a_group_does():
    rng, covered, naive = np.random.default_rng(1), [], []
    for _ in range(SETS):
        # A small hard task and a large easy one, with equal weights.
        tasks = [rng.random(questions) < share for questions, share in ((20, 0.5), (500, 0.95))]
        result = mean_accuracy([(right, np.zeros(len(right))) for right in tasks], [0.5, 0.5])
        assert result.estimate == pytest.approx(np.mean([right.mean() for right in tasks]))
        assert result.these.lower == result.estimate == result.these.upper
        covered.append(result.population.lower <= 0.725 <= result.population.upper)
        pooled = proportion_confint(520 * result.estimate, 520, method="wilson")
        naive.append(pooled[0] <= 0.725 <= pooled[1])
    assert_rate(sum(covered), SETS, 0.95)
    with pytest.raises(AssertionError):
        assert_rate(sum(naive), SETS, 0.95)


def test_a_group_counts_claims_over_all_of_its_tasks():
    rng = np.random.default_rng(2)
    right, p_values, _ = answered(rng, 0.5)
    parts = [(right[part], p_values[part]) for part in (slice(50), slice(50, None))]
    by_size, whole = mean_accuracy(parts, [0.25, 0.75]), accuracy(right, p_values)
    assert (by_size.these.lower, by_size.these.upper) == (whole.these.lower, whole.these.upper)
    equal = mean_accuracy(parts, [0.5, 0.5])
    assert equal.these.lower <= equal.estimate <= equal.these.upper


@pytest.mark.parametrize("weights", [[1.0], [0.5, 0.6], [0.0, 1.0]])
def test_wrong_weights_are_refused(weights):
    with pytest.raises(ids.InputError, match="weights must be positive, one per task, with sum 1"):
        mean_accuracy([([True], [0.0]), ([True], [0.0])], weights)


def test_mask_noise_is_unbiased_where_margins_are_flat():
    # Exact: the integral over margins of Phi (1 - Phi), and of its mean over estimated margins.
    def at(margin):
        return stats.norm.cdf(margin) * stats.norm.sf(margin)

    def estimated(margin):
        nodes, masses = np.polynomial.hermite_e.hermegauss(40)
        wins = stats.norm.cdf(margin + nodes)
        noise = [mask_noise([win], [win > 0.5]).variance for win in wins]
        return float(np.array(noise) @ masses / masses.sum())

    margins = np.linspace(-10, 10, 201)
    assert sum(map(estimated, margins)) == pytest.approx(sum(map(at, margins)), rel=1e-6)
    assert estimated(0.0) == pytest.approx(at(0.0) * 2 / 3, rel=1e-3), "the worst case: exact ties"
    assert min(estimated(margin) / at(margin) for margin in margins[50:150]) > 0.66


def test_the_mask_noise_of_a_chance_that_is_not_known_is_not_known():
    noise = mask_noise([1.0, np.nan], [True, False])
    assert np.isnan(noise.variance)
    assert np.isnan(noise.flips)


@pytest.mark.parametrize(
    ("win", "right", "message"), [([0.5], [True, False], "one entry per question"), ([1.5], [True], "between 0 and 1")]
)
def test_wrong_chances_are_refused(win, right, message):
    with pytest.raises(ids.InputError, match=message):
        mask_noise(win, right)

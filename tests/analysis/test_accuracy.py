"""Shares of right answers: intervals that cover although leading answers are known only up to noise."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

import infodis_stats as ids
from infodis_stats.analysis.accuracy import accuracy

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

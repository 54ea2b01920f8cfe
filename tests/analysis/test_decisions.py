"""Signs of many estimates at once: what is claimed, and how often it is false."""

import numpy as np
import pytest
from scipy import stats

from estimators.errors import InputError
from infodis_stats.analysis import family_wise_signs
from stat_asserts import assert_rate


def holm(p_values):
    """Holm's procedure by its definition."""
    order = np.argsort(p_values)
    adjusted, highest = np.empty(len(p_values)), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def test_values_by_the_definition():
    draws = np.random.default_rng(1).normal([[0.0], [1.0], [-2.0], [0.3]], 1.0, size=(4, 6))
    tests = [stats.ttest_1samp(draws, 0, axis=1, alternative=side).pvalue for side in ("greater", "less")]
    expected = holm(np.concatenate(tests)).reshape(2, 4).min(axis=0)
    np.testing.assert_allclose(family_wise_signs(draws), expected)
    np.testing.assert_allclose(family_wise_signs(draws.reshape(2, 2, 6)), expected.reshape(2, 2))


def test_exact_estimates_are_certain_and_missing_ones_are_left_out():
    draws = np.array([[2.0, 2.0], [-1.0, -1.0], [0.0, 0.0], [np.nan, 1.0]])
    np.testing.assert_array_equal(family_wise_signs(draws), [0, 0, 1, np.nan])
    with pytest.raises(InputError, match="at least 2 replicates"):
        family_wise_signs([[1.0]])


CELLS, TABLES = 30, 2000


@pytest.fixture
def quick(monkeypatch):
    """statsmodels collects garbage in every call, which takes longer than all the rest."""
    monkeypatch.setattr("gc.collect", lambda: 0)


def tables_with_a_false_claim(p_values_of):
    """Correlated cells, two thirds of them null, the others an error's size above zero: false or wrong signs count."""
    rng = np.random.default_rng(7)
    truth = np.where(np.arange(CELLS) % 3 == 0, 0.35, 0.0)
    false = 0
    for _ in range(TABLES):
        draws = truth[:, None] + 0.6 * rng.normal(size=8) + 0.8 * rng.normal(size=(CELLS, 8))
        claimed = p_values_of(draws) < 0.05
        false += bool((claimed & (np.sign(draws.mean(axis=1)) != np.sign(truth))).any())
    return false


@pytest.mark.usefixtures("quick")
def test_false_claims_are_as_rare_as_promised():
    false = tables_with_a_false_claim(family_wise_signs)
    # At most 5 %, four binomial standard deviations allowed: 4 sqrt(0.05 * 0.95 / 2000) = 0.02.
    assert false / TABLES < 0.05 + 0.02
    assert false > 0


def test_control_pointwise_claims_fail_the_same_check():
    false = tables_with_a_false_claim(lambda draws: stats.ttest_1samp(draws, 0, axis=1).pvalue)
    assert false / TABLES > 0.05 + 0.02
    with pytest.raises(AssertionError):
        assert_rate(false, TABLES, 0.05)

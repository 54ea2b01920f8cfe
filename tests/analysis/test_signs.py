"""Simultaneous claims about the signs of many estimates: their definition, and how often they are false."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from estimators.errors import InputError
from infodis_stats.analysis import Estimates, false_discovery_signs, family_wise_signs, signs
from tests.support.stat_asserts import assert_rate

over = Estimates.of_replicates


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
    np.testing.assert_allclose(family_wise_signs(over(draws)), expected)
    np.testing.assert_allclose(family_wise_signs(over(draws.reshape(2, 2, 6))), expected.reshape(2, 2))


def test_single_claims_are_two_sided_tests_and_false_discovery_equals_statsmodels():
    draws = np.random.default_rng(2).normal(np.linspace(-2, 2, 12)[:, None], 1.0, size=(12, 5))
    two_sided = stats.ttest_1samp(draws, 0, axis=1).pvalue
    np.testing.assert_allclose(signs(over(draws)), two_sided)
    adjusted = multipletests(two_sided, method="fdr_bh")[1]
    np.testing.assert_allclose(false_discovery_signs(over(draws), independent=True), adjusted)
    tests = [stats.ttest_1samp(draws, 0, axis=1, alternative=side).pvalue for side in ("greater", "less")]
    adjusted = multipletests(np.concatenate(tests), method="fdr_by")[1].reshape(2, 12).min(axis=0)
    np.testing.assert_allclose(false_discovery_signs(over(draws), independent=False), adjusted)


def test_estimates_need_no_replicates():
    """Two standard errors above zero, estimated with 4 degrees of freedom and known."""
    found = signs(Estimates([2.0, -2.0], [1.0, 1.0], [4.0, np.inf]))
    np.testing.assert_allclose(found, [2 * stats.t.sf(2, 4), 2 * stats.norm.sf(2)])


def test_padded_cells_have_their_own_degrees_of_freedom():
    draws = np.random.default_rng(3).normal(0.5, 1.0, size=(3, 6))
    draws[1, 4:] = np.nan
    draws[2, 1:] = np.nan
    expected = [stats.ttest_1samp(draws[0], 0).pvalue, stats.ttest_1samp(draws[1, :4], 0).pvalue]
    for test in (signs, family_wise_signs, lambda one: false_discovery_signs(one, independent=True)):
        np.testing.assert_array_equal(np.isnan(test(over(draws))), [False, False, True])
    np.testing.assert_allclose(signs(over(draws))[:2], expected)


def test_exact_estimates_are_certain_and_missing_ones_are_omitted():
    draws = np.array([[2.0, 2.0], [-1.0, -1.0], [0.0, 0.0], [np.nan, 1.0]])
    np.testing.assert_array_equal(family_wise_signs(over(draws)), [0, 0, 1, np.nan])
    with pytest.raises(InputError, match="at least 2 replicates"):
        over([[1.0]])


CELLS, TABLES = 30, 2000


@pytest.fixture
def quick(monkeypatch):
    """statsmodels collects garbage in every call, which takes longer than everything else."""
    monkeypatch.setattr("gc.collect", lambda: 0)


def tables_with_a_false_claim(p_values_of):
    """Correlated cells: two thirds null, the rest one standard error above zero. False claims and wrong signs count."""
    rng = np.random.default_rng(7)
    truth = np.where(np.arange(CELLS) % 3 == 0, 0.35, 0.0)
    false = 0
    for _ in range(TABLES):
        draws = truth[:, None] + 0.6 * rng.normal(size=8) + 0.8 * rng.normal(size=(CELLS, 8))
        claimed = p_values_of(draws) < 0.05
        false += bool((claimed & (np.sign(draws.mean(axis=1)) != np.sign(truth))).any())
    return false


@pytest.mark.usefixtures("quick")
def test_family_wise_claims_are_false_at_most_at_the_nominal_rate():
    false = tables_with_a_false_claim(lambda draws: family_wise_signs(over(draws)))
    # At most 5 %, plus four binomial standard deviations: 4 sqrt(0.05 * 0.95 / 2000) = 0.02.
    assert false / TABLES < 0.05 + 0.02
    assert false > 0


def test_control_pointwise_claims_fail_the_same_check():
    false = tables_with_a_false_claim(lambda draws: stats.ttest_1samp(draws, 0, axis=1).pvalue)
    assert false / TABLES > 0.05 + 0.02
    with pytest.raises(AssertionError):
        assert_rate(false, TABLES, 0.05)


def false_shares(p_values_of, replicates, noise, tables=TABLES):
    """Share of false claims in tables of independent cells: half null, the rest of both signs and various sizes."""
    rng = np.random.default_rng(11)
    truth = np.where(np.arange(CELLS) % 2, 0.0, np.linspace(-2.5, 2.5, CELLS))
    draws = truth[:, None] + noise(rng, (tables, CELLS, replicates))
    claimed = np.array([p_values_of(table) for table in draws]) < 0.1
    false = claimed & (np.sign(draws.mean(axis=-1)) != np.sign(truth))
    return false.sum(axis=1) / np.maximum(1, claimed.sum(axis=1)), claimed.sum()


def normal(rng, size):
    return rng.normal(size=size)


@pytest.mark.parametrize("replicates", [3, 4, 8])
def test_few_discoveries_are_false(replicates):
    shares, claims = false_shares(
        lambda table: false_discovery_signs(over(table), independent=True), replicates, normal
    )
    # At most 10 %, plus four standard errors of the mean share.
    assert shares.mean() < 0.1 + 4 * stats.sem(shares)
    # Half of the cells are null, so the rate is about half the nominal one; a lower one would waste power.
    assert shares.mean() > 0.1 / 2 - 4 * stats.sem(shares)
    assert claims > TABLES / 2


def test_control_unadjusted_claims_fail_the_same_check():
    shares, _ = false_shares(lambda table: signs(over(table)), 4, normal)
    assert shares.mean() > 0.1 + 4 * stats.sem(shares)


@pytest.mark.usefixtures("quick")
def test_family_wise_claims_and_allowing_for_dependence_reduce_power():
    few = false_shares(lambda table: family_wise_signs(over(table)), 8, normal, tables=300)[1]
    some = false_shares(lambda table: false_discovery_signs(over(table), independent=False), 8, normal, tables=300)[1]
    most = false_shares(lambda table: false_discovery_signs(over(table), independent=True), 8, normal, tables=300)[1]
    assert 0 < few < some < most


def test_the_false_discovery_rate_holds_for_dependent_cells():
    """All cells of a table share one error, as is nearly true for mutants under shared masks."""

    def shared(rng, size):
        return np.sqrt(0.9) * rng.normal(size=(size[0], 1, size[2])) + np.sqrt(0.1) * rng.normal(size=size)

    shares, claims = false_shares(lambda table: false_discovery_signs(over(table), independent=False), 8, shared)
    assert shares.mean() < 0.1 + 4 * stats.sem(shares)
    assert claims > TABLES

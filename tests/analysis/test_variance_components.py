"""Variance components: unbiased moments, REML against statsmodels, and coverage of the intervals."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from estimators.errors import InputError
from infodis_stats.analysis import Estimates, components, mask_share
from tests.support.stat_asserts import assert_mean, assert_rate

over = Estimates.of_replicates


def data(rng, documents=12, replicates=5, between=2.0, unequal=False):
    """Normal documents around 3 nats; mask variances 1, or 0.2 to 1.8, whose mean is 1."""
    scale = np.sqrt(np.linspace(0.2, 1.8, documents))[:, None] if unequal else 1.0
    truth = 3 + np.sqrt(between) * rng.normal(size=(documents, 1))
    return truth + scale * rng.normal(size=(documents, replicates))


def padded(draws):
    """The same with 2 to R replicates per document."""
    short = draws.copy()
    for row, one in enumerate(short):
        one[2 + row % (draws.shape[1] - 1) :] = np.nan
    return short


@pytest.mark.parametrize("between", [2.0, 0.5])
def test_balanced_components_equal_the_reml_estimates_of_statsmodels(between):
    draws = data(np.random.default_rng(4), between=between, documents=30)
    found = components(over(draws))
    document, _ = np.indices(draws.shape)
    fit = MixedLM(draws.ravel(), np.ones(draws.size), groups=document.ravel()).fit(reml=True)
    np.testing.assert_allclose((found.between, 5 * found.within), (fit.cov_re.item(), fit.scale), rtol=1e-4)


def test_moments_are_unbiased_for_unequal_variances_and_replicates():
    rng = np.random.default_rng(5)
    found = [components(over(padded(data(rng, between=4.0, unequal=True)))) for _ in range(1500)]
    assert all(one.between > 0 for one in found)  # none was truncated at zero
    assert_mean([one.between for one in found], 4.0)
    # Documents have two to five replicates in turn: divide each mask variance by its number.
    counts = (~np.isnan(padded(np.zeros((12, 5))))).sum(axis=1)
    assert_mean([one.within for one in found], (np.linspace(0.2, 1.8, 12) / counts).mean())


def test_control_the_variance_of_the_means_is_not_a_component():
    rng = np.random.default_rng(6)
    spreads = [np.nanmean(padded(data(rng, between=4.0)), axis=1).var(ddof=1) for _ in range(1500)]
    with pytest.raises(AssertionError):
        assert_mean(spreads, 4.0)


def covers(interval, value):
    return bool(interval.lower <= value <= interval.upper)


def test_intervals_cover_for_normal_documents():
    rng = np.random.default_rng(7)
    found = [components(over(data(rng, documents=30, between=0.4))) for _ in range(1500)]
    # The sample kurtosis of 30 normal values lowers the degrees of freedom by chance: 1 to 2 points overcoverage.
    rate = np.mean([covers(one.between_interval, 0.4) for one in found])
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / 1500) < rate < 0.985
    assert_rate(sum(covers(one.within_interval, 1 / 5) for one in found), 1500, 0.95)
    naive = [stats.t.interval(0.95, 29, one.between, one.between * np.sqrt(2 / 29) + 1e-12) for one in found]
    with pytest.raises(AssertionError):  # control: ignore the variance from masks
        assert_rate(sum(low <= 0.4 <= high for low, high in naive), 1500, 0.95)


def test_known_errors_need_no_replicates():
    """Documents 2, 4, 4 and 10 with standard error 1 or 0: the values have variance 12, of which masks explain 0.5."""
    values, errors = [2.0, 4.0, 4.0, 10.0], [1.0, 0.0, 1.0, 0.0]
    for degrees in ([np.inf] * 4, [9.0] * 4):
        found = components(Estimates(values, errors, degrees))
        assert (found.between, found.within) == (pytest.approx(11.5), 0.5)
        assert found.between_interval.lower < 11.5 < found.between_interval.upper
    assert mask_share(Estimates(values, errors, [9.0] * 4)) == pytest.approx(0.5 / 12)


def test_exact_documents_have_only_variance_between_them():
    found = components(over([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0], [5.0, 5.0]]))
    assert (found.between, found.within) == (pytest.approx(10 / 3), 0.0)
    assert found.within_interval.upper == 0
    assert mask_share(over([[1.0, 1.0], [2.0, 2.0]])) == 0
    assert np.isnan(mask_share(over(np.ones((4, 3)))))


def test_bad_input_is_one_sentence():
    with pytest.raises(InputError, match="at least 4 documents, got 3"):
        components(over(np.zeros((3, 4))))
    with pytest.raises(InputError, match="a standard error for each document, but 1 have none"):
        components(over([[1.0, np.nan], [1.0, 2.0]]))

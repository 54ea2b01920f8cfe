"""AUROC against its definition, and the coverage of its interval."""

import numpy as np
import pytest
from scipy import stats

from estimators import InputError
from infodis_stats.analysis import auroc, auroc_interval
from tests.support.stat_asserts import assert_rate


def test_the_area_is_the_proportion_of_pairs_in_order():
    rng = np.random.default_rng(0)
    low, high = rng.integers(0, 6, (3, 7)), rng.integers(2, 8, (3, 5))
    pairs = (high[:, None, :] > low[:, :, None]) + 0.5 * (high[:, None, :] == low[:, :, None])
    np.testing.assert_allclose(auroc(low, high), pairs.mean(axis=(1, 2)))
    np.testing.assert_allclose(auroc(high, low), 1 - auroc(low, high))


def test_ends_solve_their_equation_and_do_not_collapse():
    z = stats.norm.ppf(0.975)
    for area in (0.0, 0.02, 0.5, 0.9, 1.0):
        interval = auroc_interval(area, low=20, high=30)
        for end in (interval.lower.item(), interval.upper.item()):
            spread = (1 - end) / (2 - end) + end / (1 + end)
            variance = end * (1 - end) * (1 + 24 * spread) / 600
            assert (area - end) ** 2 == pytest.approx(z**2 * variance, abs=1e-9)
        assert interval.lower.item() <= area <= interval.upper.item()
        assert interval.upper.item() - interval.lower.item() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_intervals_cover(shift):
    """Normal samples of 30 and 40: nominal coverage less four standard deviations; wrong sizes undercover."""
    rng = np.random.default_rng(1)
    areas = auroc(rng.normal(size=(4000, 30)), rng.normal(shift, size=(4000, 40)))
    truth = stats.norm.cdf(shift / 2**0.5)

    def covered(low, high):
        interval = auroc_interval(areas, low, high)
        return int(((interval.lower <= truth) & (truth <= interval.upper)).sum())

    right, wrong = covered(30, 40), covered(120, 160)
    assert right >= 4000 * 0.945 - 4 * (4000 * 0.95 * 0.05) ** 0.5
    with pytest.raises(AssertionError):
        assert_rate(wrong, 4000, 0.95)


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="both samples"):
        auroc([], [1.0])
    with pytest.raises(InputError, match="between 0 and 1"):
        auroc_interval([1.2], 5, 5)
    assert np.isnan(auroc_interval([np.nan], 5, 5).lower).all()

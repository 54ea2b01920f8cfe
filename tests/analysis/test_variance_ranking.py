"""Rankings by variance: ratios to the best, and how often equal estimators are called different."""

import numpy as np
import pytest

from estimators import InputError
from infodis_stats.analysis import rank_variances


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_ratios_are_those_of_the_mean_variances(rng):
    draws = [rng.normal(0, scale, (4, replicates)) for scale, replicates in ((3, 24), (1, 16), (1.05, 16), (0, 5))]
    found = rank_variances(draws[:3], rng)
    variances = [values.var(axis=1, ddof=1).mean() for values in draws[:3]]
    np.testing.assert_allclose(found.variance, variances)
    np.testing.assert_allclose(found.ratio, np.array(variances) / min(variances))
    assert found.best == int(np.argmin(variances))
    assert found.tied.tolist() == [False, True, True]
    assert (found.lower <= found.ratio).all()
    assert (found.ratio <= found.upper).all()
    constant = rank_variances(draws, rng)
    assert constant.best == 3
    assert np.isinf(constant.ratio[:3]).all()
    assert (constant.p_value[:3] == 0).all()


def test_missing_replicates_are_left_out(rng):
    first, second = rng.normal(0, 1, (3, 16)), rng.normal(0, 4, (3, 16))
    padded = np.pad(first, ((0, 0), (0, 4)), constant_values=np.nan)
    plain, missing = (rank_variances([values, second], np.random.default_rng(1)) for values in (first, padded))
    assert missing.ratio[1] == pytest.approx(plain.ratio[1])
    assert not missing.tied[1]


def test_the_same_estimator_twice_is_a_tie(rng):
    draws = rng.normal(0, 1, (3, 16))
    found = rank_variances([draws, draws + 1e-9, 5 * rng.normal(0, 1, (3, 16))], rng)
    assert found.ratio[:2].tolist() == [1, 1]
    assert found.tied.tolist() == [True, True, False]
    both = rank_variances([np.ones((2, 4)), np.zeros((2, 4))], rng)
    assert both.ratio.tolist() == [1, 1]
    assert both.tied.all()


def test_pairs_that_share_masks_are_compared_more_sharply(rng):
    common = rng.normal(0, 1, (1, 32))
    draws = [common, 1.2 * common + rng.normal(0, 0.05, (1, 32))]
    assert rank_variances(draws, rng).tied.all()
    assert not rank_variances(draws, rng, shared=np.ones((2, 2))).tied[1]


@pytest.mark.slow
def test_control_a_wrong_order_is_claimed_no_more_often_than_stated(rng):
    trials, wrong, covered = 150, 0, 0
    for _ in range(trials):
        found = rank_variances(list(rng.normal(0, 1, (3, 4, 8))), rng)
        wrong += not found.tied.all()
        covered += bool(((found.lower <= 1) & (found.upper >= 1)).all())
    nominal = 0.05 * trials
    assert wrong <= nominal + 3 * np.sqrt(nominal)
    assert covered == trials - wrong or covered >= trials - wrong - 1


def test_a_better_estimator_is_found_among_equal_ones(rng):
    found = [rank_variances([*rng.normal(0, 1, (4, 4, 16)), rng.normal(0, 0.4, (4, 16))], rng) for _ in range(5)]
    assert all(ranking.best == 4 for ranking in found)
    assert sum(int(ranking.tied.sum()) for ranking in found) <= 8  # 5 are the best itself


@pytest.mark.parametrize(
    ("draws", "sentence"),
    [
        ([], "at least one estimator"),
        ([np.zeros((2, 2))], "at least 3 replicates, got 2"),
        ([np.zeros((2, 4)), np.zeros((3, 4))], "the same sequences, got 2 and 3 sequences"),
    ],
)
def test_bad_draws_are_one_sentence(draws, sentence, rng):
    with pytest.raises(InputError, match=sentence):
        rank_variances(draws, rng)

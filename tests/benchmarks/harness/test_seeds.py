"""The arithmetic of the page on seeds: spread, wrong winners, equal rates, and the copies' ways to count."""

from dataclasses import replace

import numpy as np
import pytest

from estimators import estimator, make_targets
from tests.benchmarks.harness.copies import Copied
from tests.benchmarks.harness.seeds import mean_over_questions, passes_at, resampled_passes_at, spread, wrong_rates


def test_the_spread_is_that_of_the_accuracies():
    chances = np.random.default_rng(0).uniform(size=40)
    right = np.random.default_rng(1).random((4000, 40)) < chances
    found = spread(right)
    assert found.value == pytest.approx(right.mean(axis=1).std(ddof=1), rel=0.05)
    assert found.value == pytest.approx(np.sqrt((chances * (1 - chances)).sum()) / 40, rel=0.02)


def test_the_error_of_the_spread_covers_that_of_few_seeds():
    chances = np.random.default_rng(0).uniform(size=60)
    few = [spread(np.random.default_rng(seed).random((4, 60)) < chances) for seed in range(300)]
    actual = np.std([each.value for each in few])
    assert actual < np.mean([each.error for each in few]) < 3 * actual


def test_answers_that_never_change_have_no_spread():
    assert spread(np.array([[True, False]] * 3)).value == 0.0


def test_wrong_winners_are_counted_where_the_reference_is_known():
    leader = np.array([[0, 1, 2, 3], [0, 0, 2, 3]])
    rates = wrong_rates(leader, np.array([0, 1, 0, 0]), np.array([True, True, True, False]))
    assert rates.tolist() == [0.0, 0.5, 1.0]
    found = mean_over_questions(rates)
    assert found.value == 0.5
    assert found.error == pytest.approx(np.std([0, 0.5, 1], ddof=1) / np.sqrt(3))


@pytest.mark.parametrize(("rate", "passes"), [(0.1, 8.0), (0.05, 16.0), (0.075, 8 * 2**0.5), (0.3, 4.0), (0.0, np.inf)])
def test_passes_at_a_rate_lie_between_the_measured_ones(rate, passes):
    assert passes_at(rate, [4, 8, 16], [0.2, 0.1, 0.05]) == pytest.approx(passes)


def test_the_interval_of_the_passes_has_no_width_where_questions_are_alike():
    alike = [np.full(30, rate) for rate in (0.2, 0.1, 0.05)]
    assert resampled_passes_at(np.full(30, 0.1), [4, 8, 16], alike, draws=20) == pytest.approx((8.0, 8.0))
    unlike = [np.arange(30) < count for count in (12, 6, 2)]
    lower, upper = resampled_passes_at(np.arange(30) % 5 == 0, [4, 8, 16], unlike, draws=200)
    assert 4 <= lower < 8 < upper


def test_a_copy_averages_batches_of_its_scheme():
    scheme, length = estimator("published-llada"), 8
    plan = Copied(scheme, 4).plan(length, 16, 1, np.random.default_rng(0))
    sizes = plan.masks.sum(axis=-1).reshape(4, 4)
    offsets = np.diff(np.sort(sizes, axis=1), axis=1)
    assert (offsets == 2).all()  # a grid in each batch
    assert len({tuple(sorted(batch)) for batch in sizes.tolist()}) > 1  # with an offset of its own
    assert plan.weights.max(axis=-1).ravel() == pytest.approx(length / sizes.ravel() / 16)


def test_choices_have_masks_of_their_own_in_a_copy_and_shared_ones_without():
    first, second = (replace(each, key="question") for each in make_targets([[0] * 8, [1] * 8]))
    scheme = estimator("published-llada")
    for counting, shared in ((Copied(scheme, 4), False), (scheme, True)):
        plans = [counting.plan_target(each, 4, 1, np.random.default_rng(0)) for each in (first, second)]
        assert np.array_equal(plans[0].masks, plans[1].masks) == shared

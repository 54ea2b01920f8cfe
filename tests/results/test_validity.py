"""Cautions are set at their thresholds, for the worst target."""

import numpy as np
import pytest

import infodis_stats as ids
from estimators import Coupled, estimator
from infodis_stats.results.validity import CAUTIONS, cautions_of, effective_positions

PLAIN = ids.estimator("uniform-count")


def keys(*arguments, **options):
    return [caution.key for caution in cautions_of(*arguments, **options)]


@pytest.mark.parametrize(
    ("effective", "ratio", "replicates", "expected"),
    [
        ([9.0, 3.01], [1.0, 3.99], 4, []),
        ([9.0, 2.99], [1.0, 1.0], 8, ["few-hard-tokens"]),
        ([9.0, 9.0], [1.0, 4.01], 8, ["near-deterministic"]),
        ([9.0, 9.0], [1.0, 1.0], 3, ["few-replicates"]),
        ([1.0, 9.0], [9.0, 1.0], 2, ["few-hard-tokens", "near-deterministic", "few-replicates"]),
    ],
)
def test_the_worst_target_decides(effective, ratio, replicates, expected):
    assert keys(PLAIN, replicates, np.array(effective), np.array(ratio)) == expected
    assert set(expected) <= set(CAUTIONS)


def test_cautions_depend_on_the_estimator():
    hard = ids.estimator("uniform-count"), 8, np.array([1.0])
    assert keys(*hard) == ["few-hard-tokens"]
    assert keys(*hard, interval="design-hall") == [], "it accounts for positions of unequal loss"
    assert keys(ids.estimator("time-integral"), 8) == ["infinite-variance"]
    assert keys(ids.Coupled(ids.estimator("time-integral(eps=0.1)")), 8) == ["biased"]
    assert keys(ids.estimator("exhaustive"), 2, np.array([1.0]), np.array([9.0])) == []


def test_effective_positions_match_a_manual_computation():
    np.testing.assert_allclose(effective_positions(np.array([[3.0, 1.0], [0.0, 0.0]])), [16 / 10, 0.0])


@pytest.mark.parametrize(
    ("name", "steady"),
    [
        ("marginal-score-entropy(uniform,polynomial)+stratified", True),
        ("score-entropy(absorbing,polynomial)", True),
        ("marginal-score-entropy(uniform)", False),
        ("marginal-score-entropy(uniform,geometric)", False),
        ("score-entropy(uniform,polynomial)", False),
        ("score-entropy(absorbing)", False),
    ],
)
def test_score_entropies_dominated_by_low_noise_have_a_caution(name, steady):
    assert ("little-noise" in keys(estimator(name), replicates=8)) == (not steady)
    assert ("little-noise" in keys(Coupled(estimator(name)), replicates=8)) == (not steady)


@pytest.mark.parametrize(("name", "fewest"), [("uniform-count", 16), ("uniform-count+antithetic", 32)])
def test_few_passes_are_counted_by_what_is_independent(name, fewest):
    assert keys(estimator(name), 8, passes=fewest - 1) == ["few-passes"]
    assert keys(estimator(name), 8, passes=fewest) == []

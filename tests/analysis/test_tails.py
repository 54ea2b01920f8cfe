import numpy as np
import pytest
from arviz_stats.base import array_stats

from infodis_stats.analysis import pareto_khat


def test_equals_arviz():
    terms = np.random.default_rng(1).exponential(size=(2, 3, 200))
    expected = array_stats.pareto_khat(terms[1, 2][None], chain_axis=0, draw_axis=1, tail="right", r_eff=1)
    khat = pareto_khat(terms)
    assert khat.shape == (2, 3)
    assert khat[1, 2] == pytest.approx(float(expected), abs=1e-9)


@pytest.mark.parametrize("shape", [0.25, 0.5, 1.0])
def test_recovers_the_tail_index(shape):
    # Of 20,000 generalised Pareto draws 424 are in the tail: standard error (1 + k) / sqrt(424) < 0.1.
    uniform = np.random.default_rng(2).random((8, 20000))
    khat = pareto_khat((uniform**-shape - 1) / shape)
    np.testing.assert_allclose(khat.mean(), shape, atol=4 * (1 + shape) / np.sqrt(8 * 424))


def test_uses_the_right_tail_only():
    heavy = np.random.default_rng(3).pareto(1.0, size=5000)
    assert pareto_khat(heavy) > 0.7
    assert pareto_khat(-heavy) < 0.5


def test_is_invariant_under_shift_and_scale():
    terms = np.random.default_rng(4).normal(size=100)
    terms -= terms.mean()
    np.testing.assert_allclose(pareto_khat([terms, 50 * terms + 3]), pareto_khat(terms), rtol=1e-6)


def test_terms_that_sum_to_zero():
    assert pareto_khat(np.arange(-50.0, 51.0)) == pytest.approx(pareto_khat(np.arange(101.0)))


@pytest.mark.parametrize(
    "terms",
    [
        np.arange(24.0),
        np.full(100, 3.0),
        np.full(100, 3.0) + 1e-14 * np.arange(100),
        np.repeat([0.0, 1.0], 50),
        np.repeat([0.0, 1.0], [90, 10]),
        np.append(np.arange(99.0), np.inf),
        np.append(np.arange(99.0), np.nan),
        np.full(100, np.nan),
    ],
    ids=["24 terms", "equal", "equal up to rounding", "two values", "rare value", "inf", "one nan", "nan"],
)
def test_is_nan_where_there_is_nothing_to_fit(terms):
    assert np.isnan(pareto_khat(terms))


def test_one_impossible_cell_does_not_affect_the_others():
    terms = np.random.default_rng(5).exponential(size=(3, 64))
    terms[1] = 2.0
    np.testing.assert_array_equal(np.isnan(pareto_khat(terms)), [False, True, False])


def test_25_terms_are_enough():
    assert np.isfinite(pareto_khat(np.random.default_rng(6).exponential(size=25)))

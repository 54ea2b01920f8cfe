"""Conversion between names and estimators."""

import pytest

from estimators import IID, InputError, PointEstimator, Stratified, TimeIntegral, estimator, estimator_names


@pytest.mark.parametrize("name", [*estimator_names(), "time-integral(eps=0.001)+stratified"])
def test_names_round_trip(name):
    assert estimator(name).name == name
    assert estimator(name) == estimator(name)
    assert estimator(name).summary


def test_a_name_combines_a_mask_map_and_a_design():
    assert estimator("time-integral(eps=0.1)+stratified") == PointEstimator(TimeIntegral(0.1), Stratified())
    assert estimator("time-integral") == PointEstimator(TimeIntegral(0.0), IID())
    assert len(set(estimator_names())) == len(estimator_names())
    assert {
        *("time-integral", "time-free", "uniform-count", "systematic", "chain", "block-chain", "exhaustive"),
        *("time-free+antithetic", "time-free+stratified", "time-free+latin-hypercube", "time-free+sobol"),
    } <= set(estimator_names())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("time-fre", "did you mean time-free"),
        ("time-free+antitetic", r"did you mean time-free\+antithetic"),
        ("exhaustive+stratified", "there is no estimator"),
        ("", "there are auto, time-integral"),
        ("time-free(eps=0.1)", "time-free has no eps"),
        ("time-integral(eps=x)", "needs a number for eps, got 'x'"),
        ("time-integral(eps=2)", r"eps in \[0, 1\)"),
        ("time-integral(eps=0.1,eps=0.2)", "has eps= twice"),
        ("time-integral(0.1)", "time-integral has no 0.1$"),
        ("chain(eps=0.1)", "chain has no eps, only time-integral has"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest_name(name, sentence):
    with pytest.raises(InputError, match=sentence):
        estimator(name)

"""Names of score-entropy estimators: parsing, printing, and one sentence for each invalid name."""

import pytest

from estimators import (
    Absorbing,
    Geometric,
    InputError,
    LogLinear,
    Mixed,
    Polynomial,
    RateMatrix,
    ScoreEntropy,
    Sobol,
    Stratified,
    Uniform,
    estimator,
    estimator_names,
)
from tests.support.noising import random_rates

PARAMETERS = {
    "score-entropy(absorbing,eps=0.001)": ScoreEntropy(Absorbing(), LogLinear(0.001)),
    "score-entropy(uniform,polynomial,power=3)": ScoreEntropy(Uniform(), Polynomial(3.0)),
    "score-entropy(mixed-0.2,polynomial)+stratified": ScoreEntropy(Mixed(0.2), Polynomial(), Stratified()),
    "score-entropy(uniform,geometric)": ScoreEntropy(Uniform(), Geometric()),
    "score-entropy(uniform,geometric,smallest=0.001,largest=5)+stratified": ScoreEntropy(
        Uniform(), Geometric(1e-3, 5.0), Stratified()
    ),
    "marginal-score-entropy(uniform,pilot=64)": ScoreEntropy(Uniform(), marginal=True, pilot=64),
    "marginal-score-entropy(uniform,polynomial,power=1.5,end=0.9,pilot=32)+sobol": ScoreEntropy(
        Uniform(), Polynomial(1.5), Sobol(), marginal=True, end=0.9, pilot=32
    ),
}


def test_the_list_combines_kinds_noises_schedules_and_designs():
    names = estimator_names("noised")
    assert len(set(names)) == len(names) == 6 * 5
    assert {
        "score-entropy(absorbing)",
        "score-entropy(uniform,polynomial)+sobol",
        "marginal-score-entropy(uniform)+stratified",
    } <= set(names)
    assert not set(names) & set(estimator_names("masked"))
    assert estimator_names() == estimator_names("masked") + names


@pytest.mark.parametrize("name", [*estimator_names("noised"), *PARAMETERS])
def test_names_round_trip(name):
    found = estimator(name)
    assert isinstance(found, ScoreEntropy)
    assert found.name == name
    assert found == estimator(name)
    assert found.summary
    assert found == PARAMETERS.get(name, found)


def test_parameters_may_come_in_any_order_and_with_spaces():
    expected = PARAMETERS["score-entropy(uniform,polynomial,power=3)"]
    for name in ("score-entropy(polynomial, power=3, uniform)", "score-entropy( uniform,power=3.0,polynomial )"):
        assert estimator(name) == expected
    assert estimator("score-entropy(uniform,log-linear)").name == "score-entropy(uniform)"
    assert estimator("score-entropy(uniform,log-linear,eps=0.1)").name == "score-entropy(uniform,eps=0.1)"


def test_points_equal_those_of_the_time_integral_where_the_estimators_coincide():
    assert estimator("score-entropy(absorbing)").stream_name == "time-integral"
    assert estimator("score-entropy(absorbing)+stratified").stream_name == "time-integral+stratified"
    for name in ("score-entropy(uniform)", "score-entropy(absorbing,polynomial)", "score-entropy(absorbing,eps=0.1)"):
        assert estimator(name).stream_name == name


def test_a_rate_matrix_has_the_given_name():
    assert ScoreEntropy(RateMatrix(random_rates(3), title="mutations")).name == "score-entropy(mutations)"


NEEDS = (
    r"needs one noise \(absorbing, uniform, mixed-SHARE\) and at most one schedule "
    r"\(log-linear, polynomial, geometric\)"
)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("score-entropy", f"^score-entropy {NEEDS}$"),
        ("score-entropy()", NEEDS),
        ("score-entropy(gaussian)", f"{NEEDS}; 'gaussian' is neither"),
        ("score-entropy(uniform,absorbing)", NEEDS),
        ("score-entropy(mixed-half)", f"{NEEDS}; 'mixed-half' is neither"),
        ("score-entropy(mixed-1)", r"share of uniform noise in \(0, 1\), got 1.0"),
        ("score-entropy(uniform,polynomial,geometric)", NEEDS),
        ("marginal-score-entropy(uniform,cosine)", f"^marginal-score-entropy {NEEDS}; 'cosine' is neither"),
        ("marginal-score-entropy(absorbing)", r"absorbing noise does not join all states, .* use score-entropy\(absor"),
        ("score-entropy(uniform,power=3)", "with this schedule has no 'power'; it has eps, end, pilot"),
        ("score-entropy(uniform,polynomial,eps=0)", "with this schedule has no 'eps'; it has power, end, pilot"),
        ("score-entropy(uniform,order=2)", "with this schedule has no 'order'; it has eps, end, pilot"),
        ("score-entropy(uniform,polynomial,power=two)", "score-entropy needs a number for power, got 'two'"),
        ("score-entropy(uniform,pilot=1.5)", "score-entropy needs a number for pilot, got '1.5'"),
        ("score-entropy(uniform,end=)", "score-entropy needs a number for end, got ''"),
        ("score-entropy(uniform,end=2)", "at most 1, got 2.0"),
        ("score-entropy(uniform,polynomial,power=0)", "polynomial needs a positive power"),
        ("score-entropy(uniform)+stratifed", r"did you mean .*score-entropy\(uniform\)\+stratified"),
        ("score-entropy(uniform)+", r"did you mean .*score-entropy\(uniform\)"),
        ("score-entropie(uniform)", r"did you mean .*score-entropy\(uniform\)"),
        ("score-entropy(uniform", r"did you mean .*score-entropy\(uniform\)"),
        ("score-entropy(uniform))", r"did you mean .*score-entropy\(uniform\)"),
    ],
)
def test_invalid_names_are_refused(name, sentence):
    with pytest.raises(InputError, match=sentence):
        estimator(name)

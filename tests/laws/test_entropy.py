"""Joint distributions and entropies against an enumeration in plain loops."""

import math

import numpy as np
import pytest

from estimators.errors import InputError
from infodis_stats.laws import HiddenMarkov, MarkovChain, TableLaw
from tests.support.reference import enumerated

LAWS = [
    MarkovChain(1.0, [0.1, 0.2, 0.7], "ABC"),
    MarkovChain.random(1, "ABC", seed=1),
    MarkovChain.random(2, "ABC", seed=2),
    MarkovChain([[0.1, 0.0], [0.5, 0.4]], [[[0.9, 0.1], [1.0, 0.0]], [[0.3, 0.7], [0.5, 0.5]]], "AB"),
    HiddenMarkov.random(2, "ABC", seed=3),
]


@pytest.mark.parametrize("law", LAWS, ids=repr)
@pytest.mark.parametrize("length", [1, 2, 4])
def test_the_joint_distribution_and_its_entropy_equal_an_enumeration(law, length):
    _, probabilities = enumerated(law, length)
    np.testing.assert_allclose(law.joint(length).ravel(), probabilities, rtol=1e-12, atol=1e-15)
    expected = -sum(one * math.log(one) for one in probabilities.tolist() if one > 0)
    assert law.entropy(length) == pytest.approx(expected, rel=1e-12)


def test_control_another_law_has_another_entropy():
    one, other = MarkovChain.random(2, "ABC", seed=2), MarkovChain.random(2, "ABC", seed=4)
    assert abs(one.entropy(4) - other.entropy(4)) > 0.1


def test_a_table_has_one_length_and_the_entropy_of_its_probabilities():
    law = TableLaw(["ACA", "CCA", "AAA"], [0.5, 0.25, 0.25])
    assert law.entropy() == pytest.approx(1.5 * math.log(2))
    assert law.joint()[0, 1, 0] == pytest.approx(0.5)
    assert law.joint().sum() == pytest.approx(1.0)
    long = TableLaw.random(count=50, length=40, seed=1)
    assert long.entropy() == pytest.approx(-(long.probabilities * np.log(long.probabilities)).sum())
    with pytest.raises(InputError, match="length 3"):
        law.entropy(4)


def test_each_symbol_of_a_long_chain_adds_the_entropy_rate():
    """After the first context, each symbol of a stationary chain adds the same entropy."""
    chain = MarkovChain.random(2, seed=0)
    per_symbol = np.diff([chain.entropy(length) for length in (999, 1000, 1001)])
    rate = -(chain.initial[..., None] * chain.transition * np.log(chain.transition)).sum()
    np.testing.assert_allclose(per_symbol, rate, rtol=1e-9)
    assert chain.entropy(1) > rate


def test_lengths_too_long_to_enumerate_are_refused():
    law = HiddenMarkov.random(2, "ABC", seed=3)
    for ask in (law.joint, law.entropy):
        with pytest.raises(InputError, match=r"3\^13 strings"):
            ask(13)
        with pytest.raises(InputError, match="needs a length"):
            ask()

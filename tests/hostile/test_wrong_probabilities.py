"""Laws and rates from hostile numbers are correct or give an error of one sentence."""

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import infodis_stats as ids
from estimators import RateMatrix
from infodis_stats.laws import CodeLaw, HiddenMarkov, IndependentLaw, MarkovChain, TableLaw
from tests.support.hostility import FUZZ, peak_of, right_or_typed

ODD = st.one_of(
    st.floats(width=64),
    st.sampled_from([0.5, 1.0, 0.0, -0.5, 5e-324, 1e308, -1e308, 1 + 1e-8, 0.5 + 1e-12, math.nan, math.inf]),
    st.sampled_from([10**400, "0.5", "x", None, object(), 0.5j, [0.5], {}, True, b"1", np.datetime64("2020")]),
)


def arrays(*shapes):
    """Generate arrays of valid numbers with occasional hostile ones, sometimes of a wrong shape or ragged."""

    @st.composite
    def draw(take):
        result = []
        for shape in shapes:
            values = np.full(shape, 1 / shape[-1], dtype=object)
            for _ in range(take(st.integers(0, 2))):
                values[tuple(take(st.integers(0, size - 1)) for size in shape)] = take(ODD)
            change = take(st.sampled_from(["none"] * 6 + ["transpose", "drop", "ragged", "scalar", "deep"]))
            nested = values.tolist()
            if change == "transpose":
                nested = values.T.tolist()
            elif change == "drop":
                nested = nested[:-1]
            elif change == "ragged":
                nested = [nested[0], [nested[0]]]
            elif change == "scalar":
                nested = take(ODD)
            elif change == "deep":
                for _ in range(70):
                    nested = [nested]
            result.append(nested)
        return result

    return draw()


def assert_a_law(law, length):
    if law is not None:
        assert law.joint(length).sum() == pytest.approx(1.0, abs=1e-9)


@FUZZ
@given(arrays((3,)))
def test_tables(given_arrays):
    (probabilities,) = given_arrays
    assert_a_law(right_or_typed(lambda: TableLaw(["ACC", "CAC", "CCA"], probabilities)), None)


@FUZZ
@given(st.one_of(ODD, st.lists(st.one_of(ODD, st.text(max_size=3)), max_size=3)), st.one_of(st.none(), st.text(), ODD))
def test_tables_of_hostile_sequences(sequences, alphabet):
    count = len(sequences) if isinstance(sequences, list) else 1
    law = right_or_typed(lambda: TableLaw(sequences, [1 / max(count, 1)] * count, alphabet))
    if law is not None and law.vocabulary_size**law.length <= 2**12:
        assert_a_law(law, None)


@FUZZ
@given(arrays((2,), (2, 2)))
def test_chains(given_arrays):
    assert_a_law(right_or_typed(lambda: MarkovChain(*given_arrays, "AC")), 4)


@FUZZ
@given(arrays((2,), (2, 2), (2, 3)))
def test_hidden_chains(given_arrays):
    assert_a_law(right_or_typed(lambda: HiddenMarkov(*given_arrays, "ACG")), 4)


@FUZZ
@given(arrays((3, 3)), st.floats(5e-324, sys.float_info.max))
def test_rates(given_arrays, total_noise):
    rates = np.array(given_arrays[0], dtype=object) if isinstance(given_arrays[0], list) else given_arrays[0]
    if isinstance(rates, np.ndarray) and rates.shape == (3, 3) and all(type(one) is float for one in rates.flat):
        np.fill_diagonal(rates, 0.0)
        with np.errstate(all="ignore"):
            np.fill_diagonal(rates, -rates.astype(float).sum(axis=0))
    noise = right_or_typed(lambda: RateMatrix(rates.tolist() if isinstance(rates, np.ndarray) else rates))
    if noise is not None:
        kernel = noise.kernel(torch.tensor([total_noise], dtype=torch.float64), symbols=3)
        torch.testing.assert_close(kernel.sum(dim=1), torch.ones(1, 3, dtype=torch.float64), rtol=0, atol=1e-12)
        assert (kernel >= 0).all()


HUGE = {
    "order": (lambda: MarkovChain.random(order=10**9), r"has 4\^1000000000"),
    "contexts": (lambda: MarkovChain.random(order=32), r"has 4\^32"),
    "a table of many": (lambda: TableLaw.random(count=10**9, length=30), "a table must have at most 1048576 tokens"),
    "a long table": (lambda: TableLaw.random(count=1, length=10**9), "a table must have at most 1048576 tokens"),
    "a long word": (lambda: CodeLaw(length=10**9, group=1), "length must be at most 1048576"),
    "positions": (lambda: IndependentLaw.random(length=10**12), "at most 1048576 entries"),
    "states": (lambda: HiddenMarkov.random(states=10**9), "states must be from 2 to 4096"),
    "alphabet": (
        lambda: MarkovChain.random(order=1, alphabet="\u4e00" * 10**6),
        "at most 4096 symbols, got 1000000",
    ),
    "sample": (
        lambda: MarkovChain.random(order=1).sample(10**12, length=10),
        "a sample must have at most 268435456",
    ),
    "long sample": (lambda: MarkovChain.random(order=1).sample(1, length=10**30), "must have a length of at most"),
    "joint": (lambda: MarkovChain.random(order=1).joint(10**8), "more than the"),
    "entropy": (lambda: MarkovChain.random(order=1).entropy(10**12), "must have a length of at most"),
    "whole numbers": (lambda: MarkovChain([10**400, 1], [[0.5, 0.5]] * 2, "AC"), "must be an array of numbers"),
    "rates": (lambda: RateMatrix([[-1, 10**400], [1, -(10**400)]]), "must be an array of numbers"),
}


@pytest.mark.parametrize("name", HUGE)
def test_sizes_are_checked_before_anything_is_allocated(name):
    make, sentence = HUGE[name]
    with pytest.raises(ids.InputError, match=sentence), peak_of(2**22):
        make()


def test_overflowing_sums_are_reported():
    with pytest.raises(ids.InputError, match="the sum of probabilities is inf, not 1"):
        TableLaw(["AC", "CA"], [1e308, 1e308])


def test_concentrations_that_underflow_are_reported():
    with pytest.raises(ids.InputError, match="concentration must be from 1e-300 to 1e300"):
        MarkovChain.random(order=1, concentration=5e-324)


def test_a_lone_surrogate_is_not_a_symbol():
    with pytest.raises(ids.InputError, match="half a surrogate pair"):
        MarkovChain.random(order=1, alphabet="A\ud800")


def test_infinite_noise_gives_the_stationary_law():
    noise = RateMatrix([[-3e200, 1e200], [3e200, -1e200]])
    kernel = noise.kernel(torch.tensor([1e200], dtype=torch.float64), symbols=2)[0]
    torch.testing.assert_close(kernel, torch.tensor([[0.25, 0.25], [0.75, 0.75]], dtype=torch.float64))

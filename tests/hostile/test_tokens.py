"""Hostile tokens, contexts and names give correct results or an error of one sentence."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import infodis_stats as ids
from estimators import make_pairs, make_targets
from tests.support.hostility import FUZZ, right_or_typed

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)

NUMBERS = st.one_of(
    st.integers(0, 3),
    st.integers(-5, 5),
    st.sampled_from([2**31, 2**62, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 1.0, math.nan, True, None, "A", 1j, [0]]),
)
ROWS = st.lists(st.one_of(st.lists(NUMBERS, max_size=4), NUMBERS), max_size=3)
KINDS = ["i1", "u1", "i2", "i4", "u4", "i8", "u8", "f4", "f8", "c16", "?", "U1", "S1", "m8[s]", "M8[s]", object]


@st.composite
def typed_arrays(draw):
    """Generate arrays of every numeric dtype with 0 to 3 axes, not always contiguous."""
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    array = np.full(shape, draw(st.sampled_from([0, 1, 2, 3])), dtype=draw(st.sampled_from(KINDS)))
    return array.T if draw(st.booleans()) else array


TOKENS = st.one_of(ROWS, typed_arrays(), st.sampled_from([None, 5, "ACGT", b"ab", {1: 2}, object(), 1.5, [[]], [{1}]]))
FLAGS = st.one_of(st.booleans(), st.sampled_from([0, None, "x", [True]]))
CONTEXTS = st.one_of(
    st.none(),
    st.integers(-2, 5),
    st.lists(st.one_of(st.lists(FLAGS, max_size=4), FLAGS), max_size=3),
    st.sampled_from([10**30, 1.5, math.nan, "a", {}, np.array(None), np.zeros((1, 3), bool), np.zeros(3), object()]),
)
NAMES = st.one_of(
    st.none(),
    st.lists(st.one_of(st.text(max_size=3), st.sampled_from(["a", "\ud800", "\0", 1, None, [1]])), max_size=3),
    st.sampled_from(["abc", 5, {"a": 1}]),
)


def assert_right(targets, tokens):
    for target, row in zip(targets, tokens, strict=True):
        assert target.tokens.dtype == np.int64
        assert [int(one) for one in row] == target.tokens.tolist()
        assert target.length > 0


@FUZZ
@given(TOKENS, CONTEXTS, NAMES)
def test_targets(tokens, context, names):
    targets = right_or_typed(lambda: make_targets(tokens, context, names))
    if targets is not None:
        assert_right(targets, tokens)


@FUZZ
@given(TOKENS, TOKENS, CONTEXTS, NAMES)
def test_pairs(first, second, context, names):
    pairs = right_or_typed(lambda: make_pairs(first, second, context, names))
    if pairs is not None:
        assert_right([pair.first for pair in pairs], first)
        assert_right([pair.second for pair in pairs], second)


@FUZZ
@given(TOKENS, CONTEXTS)
def test_exact_values(tokens, context):
    values = right_or_typed(lambda: LAW.nll(tokens, context))
    if values is not None:
        assert (values >= 0).all()
        again = [LAW.nll([row], context) for row in np.asarray(tokens)] if isinstance(context, int | None) else values
        np.testing.assert_array_equal(values, np.ravel(again))


@FUZZ
@given(TOKENS, CONTEXTS, NAMES)
def test_estimates(tokens, context, names):
    def estimate():
        return ids.estimate_nll(LAW, tokens, "exhaustive", passes=7, replicates=1, context=context, names=names)

    result = right_or_typed(estimate)
    if result is not None:
        np.testing.assert_allclose(result["nll"], result["exact"], rtol=1e-9)


HOSTILE = {
    "no sequence": (5, "tokens: needed a sequence of rows of integers, but this int is none"),
    "ragged": ([[1, [2]]], "tokens: needed a sequence of rows"),
    "beyond int64": (np.array([[0, 2**63 + 5]], dtype=np.uint64), "position 1: token 9223372036854775813 is larger"),
    "times": (np.array([[1, 2]], dtype="m8[s]"), "tokens of type timedelta64"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_invalid_tokens_are_reported(name):
    tokens, sentence = HOSTILE[name]
    with pytest.raises(ids.InputError, match=sentence):
        make_targets(tokens)


@pytest.mark.parametrize(
    ("context", "sentence"),
    [(1.5, "context: needed a number"), ([[True, [False]]], "context: needed a number"), ([None], "needs 2 booleans")],
)
def test_invalid_contexts_are_reported(context, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        make_targets([[0, 1]], context)


@pytest.mark.parametrize("names", ["a", 5, [[1]], [None]])
def test_invalid_names_are_reported(names):
    with pytest.raises(ids.InputError, match="names must be a sequence of strings"):
        make_targets([[0, 1]], names=names)


def test_a_lone_surrogate_is_not_a_name():
    with pytest.raises(ids.InputError, match="half a surrogate pair"):
        make_targets([[0, 1]], names=["\ud800"])


@pytest.mark.parametrize("wrong", [{"passes": 10**12}, {"replicates": 10**12}, {"passes": 10**30}])
def test_oversized_plans_are_rejected_before_they_are_drawn(wrong):
    with pytest.raises(ids.InputError, match="does not fit into memory"):
        ids.estimate_nll(LAW, [[0, 1, 2]], "uniform-count", **({"passes": 4, "replicates": 2} | wrong))

"""Targets: what can be scored, and the key from which the random stream derives."""

import numpy as np
import pytest

from estimators import InputError, make_pairs, make_targets


def test_a_context_marks_the_given_positions():
    tokens = [[0, 1, 2, 3], [3, 2, 1, 0]]
    assert [one.scored.tolist() for one in make_targets(tokens, context=2)] == [[2, 3], [2, 3]]
    given = np.array([[True, False, True, False], [False, False, False, True]])
    assert [one.scored.tolist() for one in make_targets(tokens, context=given)] == [[1, 3], [0, 1, 2]]
    assert make_targets(tokens)[0].length == 4


def test_keys_depend_on_content_context_and_occurrence_not_on_the_row():
    one, two, again = make_targets([[0, 1], [1, 0], [0, 1]])
    assert one.key != two.key
    assert one.key != again.key
    swapped = make_targets([[1, 0], [0, 1], [0, 1]])
    assert [two.key, one.key, again.key] == [target.key for target in swapped]
    assert make_targets([[0, 1]], context=1)[0].key != one.key
    assert make_targets([[0, 1]], names=["b"])[0].key == make_targets([[5, 5]], names=["b"])[0].key


def test_pairs_have_their_own_keys():
    pairs = make_pairs([[0, 1], [0, 1], [0, 1]], [[1, 1], [2, 2], [1, 1]])
    assert len({pair.key for pair in pairs}) == 3
    (alone,) = make_pairs([[0, 1]], [[2, 2]])
    assert alone.key == pairs[1].key
    assert pairs[0].first.label == "first of pair 0"


@pytest.mark.parametrize(
    ("tokens", "context", "sentence"),
    [
        ([], None, "no sequence"),
        (np.zeros(3, dtype=int), None, r"shape \(sequence, length\), got \(3,\)"),
        ([[]], None, "sequence 0 needs a non-empty row"),
        ([[0, 1], [0.5, 1]], None, "sequence 1 has tokens of type float64"),
        ([[0, -4]], None, "position 1: token -4 is negative"),
        ([[0, 1], [0, 1, 2]], 2, "sequence 0: all 2 tokens are context"),
        ([[0, 1]], -1, ">= 0, got -1"),
        ([[0, 1]], [[True, True]], "nothing is left"),
        ([[0, 1]], [[True]], "sequence 0 needs 2 booleans"),
        ([[0, 1]], [[1, 0]], "sequence 0 needs 2 booleans, got int64"),
        ([[0, 1]], [[True, False]] * 2, "2 rows for 1 sequences"),
    ],
)
def test_bad_targets_are_refused_in_one_sentence(tokens, context, sentence):
    with pytest.raises(InputError, match=sentence):
        make_targets(tokens, context)


def test_names_must_be_distinct_and_match_the_sequences():
    with pytest.raises(InputError, match="'a' stands more than once"):
        make_targets([[0], [1]], names=["a", "a"])
    with pytest.raises(InputError, match="1 names for 2 sequences"):
        make_targets([[0], [1]], names=["a"])
    with pytest.raises(InputError, match="got 2 and 1"):
        make_pairs([[0], [1]], [[0]])

"""Table laws: construction and the paper's DNA example."""

import numpy as np
import pytest

from estimators.errors import InputError, TokenError
from infodis_stats.laws import TableLaw


def test_the_dna_example():
    law = TableLaw.random()
    assert law.sequences.shape == (128, 8)
    assert law.alphabet == "ACGT"
    assert len(np.unique(law.sequences, axis=0)) == 128
    assert law.probabilities.sum() == pytest.approx(1, abs=1e-14)
    assert law == TableLaw.random(seed=0)
    assert law != TableLaw.random(seed=1)


def test_nll_is_the_table():
    law = TableLaw.random(seed=3)
    np.testing.assert_allclose(law.nll(law.sequences), -np.log(law.probabilities), rtol=1e-12)


@pytest.mark.parametrize(("count", "length"), [(4, 1), (256, 4), (3, 200)])
def test_random_tables_hold_distinct_sequences(count, length):
    law = TableLaw.random(count, length, seed=0)
    assert len(np.unique(law.sequences, axis=0)) == count


def test_random_sequences_are_uniform_without_replacement():
    # 6 of 8 strings are drawn, each with probability 3/4. 800 draws, 4 binomial standard deviations.
    inside = np.zeros(8)
    for seed in range(800):
        inside[TableLaw.random(6, 3, "AB", seed=seed).sequences @ [4, 2, 1]] += 1
    assert np.abs(inside - 600).max() < 4 * np.sqrt(800 * 3 / 16)


def test_the_alphabet_of_strings_is_their_sorted_symbols():
    law = TableLaw(["TA", "GA"], [0.25, 0.75])
    assert law.alphabet == "AGT"
    assert law.sequences.tolist() == [[2, 0], [1, 0]]
    assert TableLaw(["TA", "GA"], [0.25, 0.75], "ACGT").sequences.tolist() == [[3, 0], [2, 0]]
    assert TableLaw(np.array(["TA", "GA"]), [0.25, 0.75]) == law
    assert TableLaw([[2, 0], [1, 0]], [0.25, 0.75], "AGT") == law


@pytest.mark.parametrize(
    ("sequences", "probabilities", "alphabet", "message"),
    [
        (["AC", "CA"], [0.5, 0.4], None, r"the sum of probabilities is 0\.9, not 1"),
        (["AC", "CA"], [1.5, -0.5], None, r"probabilities\[1\] is -0.5; probabilities must be at least 0"),
        (["AC", "CA"], [np.nan, 0.5], None, r"probabilities\[0\] is nan"),
        (["AC", "CA"], [1.0], None, r"probabilities must have shape \(2,\) for 2 sequences, got \(1,\)"),
        (["AC", "CA"], ["x", "y"], None, "probabilities must be an array of numbers"),
        (["AC", "CA", "AC"], [0.2, 0.3, 0.5], None, "sequence 2 repeats sequence 0: AC"),
        ([[0, 1], [0, 1]], [0.5, 0.5], "AC", "sequence 1 repeats sequence 0: AC"),
        (["AC", "CAT"], [0.5, 0.5], None, "string 0 has 2 symbols and string 1 has 3"),
        (["AC", "NA"], [0.5, 0.5], "ACGT", "string 1, position 0: symbol 'N' is outside the alphabet ACGT"),
        ([[0, 1], [1]], [0.5, 0.5], "AC", "all sequences of equal length"),
        ([[0, 1], [1, 0]], [0.5, 0.5], None, "sequences of integers need an alphabet"),
        ([[0.0, 1.0], [1.0, 0.0]], [0.5, 0.5], "AC", "tokens must be integers"),
        (np.zeros((0, 3), dtype=int), [], "AC", "sequences must have at least one row"),
        (np.zeros((1, 0), dtype=int), [1.0], "AC", "sequences must have at least one row and one token"),
    ],
)
def test_wrong_tables_are_named(sequences, probabilities, alphabet, message):
    with pytest.raises(InputError, match=message):
        TableLaw(sequences, probabilities, alphabet)


def test_a_wrong_token_is_named():
    with pytest.raises(TokenError, match="sequence 1, position 0: token 2 is outside the alphabet AC"):
        TableLaw([[0, 1], [2, 0]], [0.5, 0.5], "AC")


def test_more_sequences_than_strings_are_refused():
    with pytest.raises(InputError, match="there are 16 strings of length 2 over ACGT, fewer than 17"):
        TableLaw.random(17, 2)
    with pytest.raises(InputError, match="count and length must be at least 1, got 0 and 8"):
        TableLaw.random(0)

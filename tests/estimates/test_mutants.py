"""Listed mutants against the original: exact values, names, and errors in one sentence."""

import json

import numpy as np
import pandas as pd
import pytest

import infodis_stats as ids
from tests.support.command_line import run

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
(TOKENS,) = LAW.encode(["GATTACA"])


def test_mutants_have_the_exact_log_ratios_of_their_sequences():
    names = ["A2C", "T3G:T4G", "G1T"]
    result = ids.score_mutants(LAW, TOKENS, names, "exhaustive", passes=127, replicates=2)
    mutated = LAW.encode(["GCTTACA", "GAGGACA", "TATTACA"])
    expected = LAW.nll(TOKENS[None]) - LAW.nll(mutated)
    assert result["pair"].values.tolist() == names
    np.testing.assert_allclose(result["log_ratio"], expected, atol=1e-9)
    given = ids.score_mutants(LAW, TOKENS, ["A2C"], context=1, passes=63, replicates=2)
    exact = LAW.nll(TOKENS[None], context=1) - LAW.nll(mutated[:1], context=1)
    np.testing.assert_allclose(given["log_ratio"], exact, atol=1e-9)


def test_single_mutants_agree_with_a_scan():
    scan = ids.scan_substitutions(LAW, TOKENS, "exhaustive", passes=127, positions=[1])
    result = ids.score_mutants(LAW, TOKENS, ["A2C", "A2G"], "exhaustive", passes=127)
    np.testing.assert_allclose(result["log_ratio"], scan["log_ratio"].sel(symbol=["C", "G"]).values[0], atol=1e-9)


def test_intervals_cover_and_decisions_follow():
    names = [
        f"{'GATTACA'[site]}{site + 1}{symbol}" for site in range(7) for symbol in "ACGT" if symbol != "GATTACA"[site]
    ]
    result = ids.score_mutants(LAW, TOKENS, names, "uniform-count+stratified", passes=16, replicates=16)
    lower, upper = (result["log_ratio_ci"].sel(ci_bound=end).values for end in ("lower", "upper"))
    assert ((lower <= result["exact"].values) & (result["exact"].values <= upper)).mean() > 0.75
    claimed = ids.decide(result)["likelier"].values
    right = np.where(result["exact"].values > 0, "first", "second")
    assert (claimed[claimed != "open"] == right[claimed != "open"]).all()


@pytest.mark.parametrize(
    ("mutants", "sentence"),
    [
        (["K2A"], "mutant 'K2A': .*symbol 'K' is not a token of the model|symbol 'K' is not a token"),
        (["C2A"], "mutant 'C2A': position 2 is A, not C"),
        (["A9C"], "position 9 is outside the scored positions, 1 to 7"),
        (["A0C"], "position 0 is outside the scored positions, 1 to 7"),
        (["A2A"], "'A2A' changes nothing"),
        (["A2C:A2G"], "substitutes position 2 twice"),
        (["A2"], "'A2' is not a substitution such as 'K2A'"),
        (["A2C", "A2C"], "mutants must differ"),
        ([], "at least one, got"),
        ("A2C", "must be a list of names"),
        ([2], "must be a list of names"),
    ],
)
def test_wrong_mutants_are_refused_in_one_sentence(mutants, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        ids.score_mutants(LAW, TOKENS, mutants)


def test_the_command_prints_and_writes_a_table_with_the_likeliest_first(tmp_path, capsys):
    (tmp_path / "law.toml").write_text('[law]\nkind = "markov-chain"\norder = 1\nalphabet = "ACGT"\nseed = 0\n')
    (tmp_path / "s.fasta").write_text(">007\nGATTACA\n>short\nGC\n")
    (tmp_path / "list.txt").write_text("A2C\nT3G:T4G\n")
    arguments = (tmp_path / "law.toml", tmp_path / "s.fasta", "--out", tmp_path / "out", "--passes", 16)
    status, out, err = run(capsys, "scan", *arguments, "--mutants", tmp_path / "list.txt", "--json")
    rows = json.loads(out)["mutants"]
    assert status == 2
    assert "1 of 2 sequences left out" in err
    assert "'short': mutant 'A2C': position 2 is C, not A" in err
    assert [row["log_ratio"] for row in rows] == sorted((row["log_ratio"] for row in rows), reverse=True)
    table = pd.read_csv(tmp_path / "out" / "mutants.csv", dtype={"sequence": str})
    assert table["sequence"].tolist() == ["007", "007"]
    assert set(table["mutant"]) == {"A2C", "T3G:T4G"}
    status, out, _ = run(capsys, "scan", *arguments, "--mutants", "G1T")
    assert "G1T" in out

"""Comparison of estimators from the command line: the table, JSON, and estimators or records that cannot be used."""

import json

import pytest

import infodis_stats as ids
from tests.support.command_line import run

LAW = '[law]\nkind = "markov-chain"\norder = 1\nalphabet = "ACGT"\nseed = 0\n'
FAST = ("--passes", 8, "--replicates", 16)


@pytest.fixture
def law(tmp_path):
    path = tmp_path / "law.toml"
    path.write_text(LAW)
    return path


@pytest.fixture
def sequences(tmp_path):
    path = tmp_path / "sequences.txt"
    path.write_text("ACGTACGTACGT\nGGGTTTACAACA\nCCCAAATTTGGG\n")
    return path


@pytest.fixture
def files(law, sequences):
    return law, sequences


def test_it_prints_what_python_computes(law, sequences, capsys):
    names = ["time-free", "uniform-count+stratified", "published-d1"]
    status, out, _ = run(capsys, "compare", law, sequences, "--estimators", ",".join(names), *FAST, "--json")
    assert status == 0
    printed = json.loads(out)
    chain = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    tokens = [["ACGT".index(symbol) for symbol in line] for line in sequences.read_text().split()]
    expected = ids.compare([ids.estimate_nll(chain, tokens, name, passes=8, replicates=16) for name in names])
    assert [row["estimator"] for row in printed["estimators"]] == expected["estimator"].values.tolist()
    assert [row["standing"] for row in printed["estimators"]] == expected["standing"].values.tolist()
    assert printed["estimators"][1]["ratio to best"] == pytest.approx(float(expected["variance_ratio"][1]))
    assert printed["attributes"]["verdict"] == expected.attrs["verdict"]
    status, out, _ = run(capsys, "compare", law, sequences, "--estimators", ",".join(names), *FAST)
    assert status == 0
    assert expected.attrs["verdict"] in out


def test_records_of_a_network_are_compared(tmp_path, capsys):
    path = tmp_path / "records.jsonl"
    path.write_text('{"prompt": "It is a ", "response": "truth"}\n{"response": "she was happy"}\n')
    status, out, _ = run(capsys, "compare", "austen", path, "--estimators", "uniform-count,auto", *FAST, "--json")
    assert status == 0
    assert {row["estimator"] for row in json.loads(out)["estimators"]} == {"uniform-count", "auto"}


def test_commas_in_parentheses_are_part_of_a_name(law, sequences, capsys):
    names = "score-entropy(absorbing,polynomial)+stratified, uniform-count"
    status, out, _ = run(capsys, "compare", law, sequences, "--estimators", names, *FAST)
    assert status == 0
    assert "score-entropy(absorbing,polynomial)+stratified" in out


def test_an_estimator_that_cannot_run_is_named_and_the_others_are_compared(law, sequences, capsys):
    names = "uniform-count,exhaustive,time-free"
    status, out, error = run(capsys, "compare", law, sequences, "--estimators", names, *FAST)
    assert status == 2
    assert "time-free" in out
    assert "Not run: exhaustive (exhaustive needs 4095 passes" in out
    assert error.startswith("infodis-stats: 1 of 3 estimators could not run (exhaustive: ")
    status, out, error = run(capsys, "compare", law, sequences, "--estimators", "uniform-count,exhaustive", *FAST)
    assert (status, out) == (2, "")
    assert "at least two estimators, but only uniform-count could run" in error


def test_a_sequence_without_an_estimate_is_named_and_the_others_are_compared(tmp_path, capsys):
    law, sequences = tmp_path / "code.toml", tmp_path / "words.txt"
    law.write_text('[law]\nkind = "code"\nlength = 8\ngroup = 4\nrule = "copies"\n')
    sequences.write_text("AAAAAAAA\nABABABAB\nABBBABAB\n")
    names = "score-entropy(uniform,polynomial),score-entropy(uniform,polynomial)+stratified"
    status, out, _ = run(capsys, "compare", law, sequences, "--estimators", names, *FAST)
    assert status == 0
    assert "Left out: line 3 (" in out
    assert "2 sequences; " in out


@pytest.mark.parametrize(
    ("names", "option", "sentence"),
    [
        ("uniform-count", (), "--estimators must be at least two names separated by commas, got 'uniform-count'"),
        ("", (), "--estimators must be at least two names"),
        ("uniform-count,uniform-count", (), "--estimators must be different, got uniform-count 2 times"),
        ("uniform-count,unifrom-count", (), "unifrom-count"),
        ("uniform-count,time-free", ("--replicates", 2), "--replicates must be at least 3 to compare variances, got 2"),
        ("uniform-count,time-free", ("--level", 95), "between 0 and 1"),
        ("uniform-count,time-free", ("--passes", 0), "infodis-stats: --passes must be"),
    ],
)
def test_bad_arguments_are_one_sentence(names, option, sentence, files, capsys):
    status, out, error = run(capsys, "compare", *files, "--estimators", names, *option)
    assert (status, out) == (2, "")
    assert sentence in error
    assert len(error.splitlines()) == 1

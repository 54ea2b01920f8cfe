"""The ratio of the same texts under two models, from the command line."""

import json

import numpy as np
import pytest

import infodis_stats as ids
from tests.support.command_line import run

LAW = '[law]\nkind = "markov-chain"\norder = 1\nalphabet = "{}"\nseed = {}\n'
FAST = ("--passes", 15, "--replicates", 4, "--json")


@pytest.fixture
def folder(tmp_path):
    for name, alphabet, seed in (("a", "ACGT", 0), ("b", "ACGT", 5), ("other", "TGCA", 0)):
        (tmp_path / f"{name}.toml").write_text(LAW.format(alphabet, seed))
    (tmp_path / "two.fasta").write_text(">007\nACGT\n>second\nGGTT\n")
    (tmp_path / "texts.jsonl").write_text('{"id": "1e3", "prompt": "It is a ", "response": "truth"}\n')
    return tmp_path


def test_laws_give_the_exact_difference_under_the_names_of_the_file(folder, capsys):
    status, out, err = run(
        capsys, "ratio", folder / "a.toml", folder / "two.fasta", "--model2", folder / "b.toml", *FAST
    )
    assert (status, err) == (0, "")
    rows = json.loads(out)["sequences"]
    laws = [ids.MarkovChain.random(order=1, alphabet="ACGT", seed=seed) for seed in (0, 5)]
    tokens = laws[0].encode(["ACGT", "GGTT"])
    assert [row["sequence"] for row in rows] == ["007", "second"]
    assert [row["log_ratio"] for row in rows] == pytest.approx(laws[1].nll(tokens) - laws[0].nll(tokens))


def test_a_network_against_itself_is_zero(folder, capsys):
    status, out, err = run(
        capsys, "ratio", "austen", folder / "texts.jsonl", "--model2", "austen", "--passes", 4, "--json"
    )
    assert (status, err) == (0, "")
    (row,) = json.loads(out)["sequences"]
    assert (row["sequence"], row["log_ratio"]) == ("1e3", 0.0)
    assert np.isclose(row["upper"], 0.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("two.fasta", "two.fasta", "--model2", "b.toml"),
            "--model2 compares the texts of one file; it takes no SECOND",
        ),
        (("two.fasta", "--model2", "other.toml"), "token 0 is 'A' under the first model and 'T' under the second"),
        (("two.fasta", "--model2", "b.toml", "--precision", "0.1"), "it takes no --precision"),
        (("two.fasta", "--model2", "absent.toml"), "absent.toml cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(folder, capsys, monkeypatch, arguments, sentence):
    monkeypatch.chdir(folder)
    status, out, err = run(capsys, "ratio", "a.toml", *arguments, *FAST)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1

"""``infodis-stats scan`` from a new user's point of view."""

import json

import numpy as np
import pandas as pd
import pytest

import infodis_stats as ids
from tests.support.command_line import TINY, run

FAST = ["--passes", 4, "--replicates", 4]


def test_a_law_is_scanned_end_to_end(capsys, study_file):
    folder = study_file.parent
    (folder / "two.fasta").write_text(">one\nACGTA\n>two\nGGT\n")
    arguments = ["scan", study_file, folder / "two.fasta", "--estimator", "exhaustive", "--passes", 31]
    status, out, err = run(capsys, *arguments, "--out", folder / "out")
    assert (status, err) == (0, "")
    assert "of 15 substitutions are more likely than the original" in out
    assert "of 9 substitutions are more likely than the original" in out
    assert "coupled exhaustive, 31 passes x 8 replicates, seed 0; 95 % intervals: design" in out
    assert out.strip().endswith(f"The report is {folder / 'out' / 'scan.html'}")
    table = pd.read_csv(folder / "out" / "scan.csv")
    np.testing.assert_allclose(table["log_ratio"], table["exact"], atol=1e-9)
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
    (row,) = table[(table["sequence"] == "one") & (table["substitution"] == "G3T")].itertuples()
    original, mutant = law.nll(law.encode(["ACGTA", "ACTTA"]))
    assert row.log_ratio == pytest.approx(original - mutant)

    status, out, _ = run(capsys, *arguments, "--out", folder / "again", "--json")
    assert status == 0
    one, two = json.loads(out)["scans"]
    assert (one["name"], two["name"]) == ("one", "two")
    assert (one["attributes"]["sequence"], two["attributes"]["sequence"]) == ("ACGTA", "GGT")
    assert one["substitutions"][0]["log_ratio"] == table["log_ratio"][0]
    for name in ("scan.html", "scan.md", "scan.csv"):
        assert (folder / "again" / name).read_text() == (folder / "out" / name).read_text()


def test_positions_count_from_one_and_symbols_are_chosen(capsys, study_file):
    folder = study_file.parent
    (folder / "one.txt").write_text(" ACGTACGT \n")
    arguments = ["scan", study_file, folder / "one.txt", "--out", folder / "out", *FAST, "--context", 1]
    status, _, _ = run(capsys, *arguments, "--positions", "2-3, 8", "--symbols", "CG")
    assert status == 0
    table = pd.read_csv(folder / "out" / "scan.csv")
    assert sorted(table["substitution"]) == ["C2G", "G3C", "T8C", "T8G"]


def test_cautions_are_named_by_substitution(capsys, study_file):
    folder = study_file.parent
    (folder / "one.txt").write_text("ACGTACGT\n")
    arguments = ["scan", study_file, folder / "one.txt", "--out", folder / "out", "--estimator", "time-integral", *FAST]
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert "0 of 24 substitutions are more likely than the original and 0 less likely" in out
    assert "A caution holds for 24 of 24 substitutions" in out
    assert "Caution (infinite-variance):" in out
    status, out, _ = run(capsys, *arguments, "--json")
    (entry,) = json.loads(out)["scans"]
    assert all("infinite-variance" in row["cautions"] for row in entry["substitutions"])


def test_a_network_is_scanned(capsys, tmp_path):
    corpus, model = tmp_path / "corpus.txt", tmp_path / "model.safetensors"
    corpus.write_text("abc abd\n" * 60)
    run(capsys, "train", corpus, "--out", model, *TINY)
    (tmp_path / "one.txt").write_text("abd\n")
    status, out, _ = run(
        capsys, "scan", model, tmp_path / "one.txt", "--out", tmp_path / "out", "--symbols", "a b c", *FAST
    )
    assert status == 0
    assert "of 7 substitutions" in out  # "d" is not among the symbols: 2 + 2 + 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["bad.txt"], "bad.txt, 'line 1': string 0, position 1: symbol 'X' is outside the alphabet ACGT"),
        (["good.txt", "--symbols", "AX"], "'line 1': symbol 'X' is not a token of the model; its alphabet is ACGT"),
        (["good.txt", "--positions", "3-9"], "'line 1': --positions 3-9 is outside the scored positions, 1 to 8"),
        (["good.txt", "--positions", "0"], "--positions 0 is outside the scored positions, 1 to 8"),
        (["good.txt", "--positions", "2", "--context", "2"], "outside the scored positions, 3 to 8"),
        (["good.txt", "--positions", "4-2"], "--positions must be numbers and ranges such as 10-20,25, got '4-2'"),
        (["good.txt", "--positions", "a"], "--positions must be numbers and ranges"),
        (["good.txt", "--context", "8"], "all 8 tokens are context"),
        (["good.txt", "--context", "-1"], "context needs a number of leading tokens >= 0"),
        (["good.txt", "--replicates", "1"], "at least 2 replicates"),
        (["good.txt", "--estimator", "chane"], "there is no estimator 'chane'"),
        (["absent.txt"], "absent.txt cannot be read"),
        (["empty.txt"], "empty.txt contains nothing to score"),
        (["prompts.jsonl"], "'line 1': a scan needs sequences without a prompt"),
    ],
)
def test_errors_are_one_line_with_exit_status_2(capsys, study_file, monkeypatch, arguments, sentence):
    folder = study_file.parent
    monkeypatch.chdir(folder)
    files = {"bad.txt": "AXGT\n", "good.txt": "ACGTACGT\n", "empty.txt": "\n"}
    for name, text in (files | {"prompts.jsonl": '{"prompt": "AC", "response": "GT"}\n'}).items():
        (folder / name).write_text(text)
    status, out, err = run(capsys, "scan", study_file, *arguments, "--out", folder / "out")
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert list((folder / "out").iterdir()) == []


def test_a_sequence_too_long_for_the_model_is_reported(capsys, tmp_path):
    (tmp_path / "long.txt").write_text("a" * 129)
    status, _, err = run(capsys, "scan", "austen", tmp_path / "long.txt", "--out", tmp_path / "out", *FAST)
    assert status == 2
    assert "'line 1': a sequence of 129 characters exceeds the model's maximum of 128" in err


def test_sequences_that_cannot_be_scanned_are_left_out_and_named(tmp_path, capsys):
    law = tmp_path / "law.toml"
    law.write_text('[law]\nkind = "markov-chain"\norder = 1\nalphabet = "ACGT"\nseed = 0\n')
    (tmp_path / "some.fasta").write_text(">one\nACGT\n>bad\nACXT\n>two\nGG\n")
    arguments = [law, tmp_path / "some.fasta", "--out", tmp_path / "out", "--passes", 4, "--json"]
    status, out, err = run(capsys, "scan", *arguments)
    assert status == 2
    assert [scan["name"] for scan in json.loads(out)["scans"]] == ["one", "two"]
    assert err.startswith("infodis-stats: 1 of 3 sequences left out: ")
    assert "'bad'" in err
    assert (tmp_path / "out" / "scan.html").exists()
